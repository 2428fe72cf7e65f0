//! The queue as workers and doors use it. Whole histories are in `history_tests.rs`.

use std::path::Path;

use jiff::tz::TimeZone;
use tempfile::TempDir;

use super::*;
use crate::domain::Code;
use crate::queue::Ended;

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

pub(super) fn work_log(number: u8) -> WorkLogUri {
    WorkLogUri::parse(&format!("http://x/work-logs/{number}")).unwrap()
}

/// A folder in memory if there is one: the laws do not depend on how long a disk takes.
pub(super) fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_waits_is_woken_by_an_earlier_entry() {
    let clock = Clock::starting_at(Timestamp::UNIX_EPOCH, TimeZone::UTC);
    let queue = SqliteQueue::open(Storage::in_memory().unwrap(), clock.clone()).unwrap();
    queue.put(&[work_log(1)], Reason::Delta, clock.after(Duration::from_hours(1))).await.unwrap();
    let add = async {
        tokio::task::yield_now().await;
        queue.put(&[work_log(2)], Reason::Delta, clock.after(Duration::from_secs(2))).await
    };
    let (lease, added) = tokio::join!(queue.lease(), add);
    added.unwrap();
    assert_eq!(lease.unwrap().work_log, work_log(2));
    assert_eq!(clock.now().as_second(), 2, "not before it is due, and not an hour later");
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_waits_gets_what_another_one_has_kept_too_long() {
    let clock = Clock::starting_at(Timestamp::UNIX_EPOCH, TimeZone::UTC);
    let queue = SqliteQueue::open(Storage::in_memory().unwrap(), clock.clone()).unwrap();
    queue.put(&[work_log(1)], Reason::Delta, clock.now()).await.unwrap();
    let slow = queue.lease().await.unwrap();
    let second = queue.lease().await.unwrap();
    assert_eq!((second.work_log.clone(), clock.now()), (work_log(1), slow.until));
    assert_eq!(queue.complete(slow, Outcome::done()).await, Err(QueueFault::Overrun(second.until - LEASE)));
    queue.complete(second, Outcome::done()).await.unwrap();
}

#[tokio::test]
async fn the_last_twenty_runs_are_remembered_and_outlive_the_entry() {
    let folder = folder();
    let open = || {
        let clock = Clock::starting_at(at(0), TimeZone::UTC);
        SqliteQueue::open(Storage::open(folder.path()).unwrap(), clock).unwrap()
    };
    let queue = open();
    for number in [1, 2] {
        queue.put(&[work_log(number)], Reason::Delta, at(0)).await.unwrap();
    }
    for run in 0..25 {
        let lease = queue.lease().await.unwrap();
        let outcome = match (lease.work_log == work_log(2), run) {
            (true, _) => Outcome::Parked { code: Code::NoAccount, why: "no account".into() },
            (false, 24) => Outcome::Done { what: "created timesheet 7".into() },
            (false, _) => Outcome::Later {
                at: at(0),
                code: Code::KimaiUnavailable,
                why: format!("run {run}"),
                counts: true,
            },
        };
        queue.complete(lease, outcome).await.unwrap();
    }
    drop(queue);
    let queue = open();
    assert_eq!(queue.entry(&work_log(1)).await.unwrap(), None);
    let history = queue.history(&work_log(1)).await.unwrap();
    assert_eq!(history.len(), 20);
    assert_eq!(
        (history[0].result, history[0].message.as_deref()),
        (Ended::Done, Some("created timesheet 7"))
    );
    assert_eq!((history[1].result, history[1].message.as_deref()), (Ended::Later, Some("run 23")));
    let parked = queue.history(&work_log(2)).await.unwrap();
    assert_eq!((parked.len(), parked[0].result), (1, Ended::Parked));
    assert_eq!(parked[0].code, Some(Code::NoAccount));
    assert_eq!(queue.entry(&work_log(2)).await.unwrap().unwrap().code, Some(Code::NoAccount));
    assert_eq!(queue.parked().await.unwrap(), [(work_log(2), "no account".to_owned())]);
}

#[tokio::test]
async fn every_code_outlives_the_process() {
    let folder = folder();
    let open = || {
        let clock = Clock::starting_at(at(0), TimeZone::UTC);
        SqliteQueue::open(Storage::open(folder.path()).unwrap(), clock).unwrap()
    };
    let queue = open();
    let codes: Vec<(WorkLogUri, Code)> = (0..).map(work_log).zip(Code::ALL).collect();
    for (work_log, code) in &codes {
        queue.put(std::slice::from_ref(work_log), Reason::Delta, at(0)).await.unwrap();
        let lease = queue.lease().await.unwrap();
        let outcome = Outcome::Parked { code: *code, why: code.means().to_owned() };
        queue.complete(lease, outcome).await.unwrap();
    }
    drop(queue);
    let queue = open();
    for (work_log, code) in codes {
        assert_eq!(queue.entry(&work_log).await.unwrap().unwrap().code, Some(code));
        assert_eq!(queue.history(&work_log).await.unwrap()[0].code, Some(code));
    }
}

#[tokio::test(start_paused = true)]
async fn the_pulse_counts_runs_by_their_slot_and_measures_from_the_change() {
    let folder = folder();
    let storage = || Storage::open_single(folder.path()).unwrap();
    let clock = Clock::starting_at(at(86_400), TimeZone::UTC);
    let queue = SqliteQueue::open(storage(), clock.clone()).unwrap();
    let run = async |outcome: Outcome| queue.complete(queue.lease().await.unwrap(), outcome).await.unwrap();
    let parked = || Outcome::Parked { code: Code::NoAccount, why: "no account".into() };
    queue.put(&[work_log(1)], Reason::Delta, clock.now()).await.unwrap();
    clock.sleep_until(at(86_402)).await;
    run(Outcome::done()).await;
    queue.put(&[work_log(2)], Reason::Delta, clock.now()).await.unwrap();
    run(parked()).await;
    clock.sleep_until(at(2 * 86_400)).await;
    // An entry that was parked for a day counts from its retry.
    queue.wake_parked(Reason::Daily).await.unwrap();
    clock.sleep_until(at(2 * 86_400 + 3_600)).await;
    run(Outcome::done()).await;
    let beat =
        |from, synced, failed, seconds| Slot { from: at(from), synced, failed, seconds, slowest: seconds };
    let (first, second) = (beat(86_400, 1, 1, 2.0), beat(2 * 86_400 + 3_600, 1, 0, 3_600.0));
    assert_eq!(queue.throughput(at(0)).await.unwrap(), [first, second]);
    assert_eq!(queue.throughput(at(86_999)).await.unwrap(), [first, second], "the slot that holds it");
    assert_eq!(queue.throughput(at(87_000)).await.unwrap(), [second]);
    drop(queue);
    let queue = SqliteQueue::open(storage(), clock.clone()).unwrap();
    assert_eq!(queue.throughput(at(0)).await.unwrap(), [first, second], "over a restart too");
    clock.sleep_until(at(4 * 86_400)).await;
    queue.put(&[work_log(3)], Reason::Delta, clock.now()).await.unwrap();
    queue.complete(queue.lease().await.unwrap(), parked()).await.unwrap();
    let kept: Vec<_> = queue.throughput(at(0)).await.unwrap().iter().map(|beat| beat.from).collect();
    assert_eq!(kept, [second.from, at(4 * 86_400)], "two days are kept");
}

#[tokio::test]
async fn a_storage_has_one_queue() {
    let storage = Storage::in_memory().unwrap();
    let clock = Clock::starting_at(at(0), TimeZone::UTC);
    let first = SqliteQueue::open(storage.clone(), clock.clone()).unwrap();
    let fault = SqliteQueue::open(storage, clock).unwrap_err().to_string();
    assert!(fault.contains("uses it already"), "{fault}");
    drop(first);
}

#[tokio::test]
async fn a_change_goes_before_a_sweep_after_a_restart_too() {
    let folder = folder();
    let open = || {
        let clock = Clock::starting_at(at(9), TimeZone::UTC);
        SqliteQueue::open(Storage::open(folder.path()).unwrap(), clock).unwrap()
    };
    let queue = open();
    let swept: Vec<_> = (0..10_000).map(|n| WorkLogUri::parse(&format!("http://x/{n}")).unwrap()).collect();
    queue.put(&swept, Reason::Sweep, at(0)).await.unwrap();
    queue.put(&[work_log(1)], Reason::Delta, at(5)).await.unwrap();
    drop(queue);
    assert_eq!(open().lease().await.unwrap().work_log, work_log(1));
}

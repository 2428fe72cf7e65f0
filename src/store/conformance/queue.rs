//! What every queue does. Whole histories are in `history.rs`, rechecks in `rechecks.rs`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::{Home, Open, Options, at, work_log};
use crate::domain::{Code, WorkLogUri};
use crate::queue::{Ended, Entry, Filter, Outcome, Reason, State};
use crate::store::queue::LEASE;
use crate::store::{Queue, QueueFault, Slot};

fn parked(code: Code) -> Outcome {
    Outcome::Parked { code, why: code.means().to_owned() }
}

async fn run(queue: &Arc<dyn Queue>, outcome: Outcome) {
    queue.complete(queue.lease().await.unwrap(), outcome).await.unwrap();
}

async fn entries(queue: &Arc<dyn Queue>) -> Vec<Entry> {
    queue.page(Filter::default(), None, usize::MAX).await.unwrap()
}

/// Whether a lease is due now.
async fn is_due(queue: &Arc<dyn Queue>) -> bool {
    tokio::select! {
        biased;
        lease = queue.lease() => lease.is_ok(),
        () = std::future::ready(()) => false,
    }
}

pub(crate) async fn a_worker_that_waits_is_woken_by_an_earlier_entry(home: impl Home) {
    let options = Options::at(0);
    let Open { queue, .. } = home.open(&options);
    let clock = &options.clock;
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

pub(crate) async fn a_worker_that_waits_gets_what_another_one_has_kept_too_long(home: impl Home) {
    let options = Options::at(0);
    let Open { queue, .. } = home.open(&options);
    queue.put(&[work_log(1)], Reason::Delta, at(0)).await.unwrap();
    let slow = queue.lease().await.unwrap();
    let second = queue.lease().await.unwrap();
    assert_eq!((second.work_log.clone(), options.clock.now()), (work_log(1), slow.until));
    assert_eq!(queue.complete(slow, Outcome::done()).await, Err(QueueFault::Overrun(second.until - LEASE)));
    queue.complete(second, Outcome::done()).await.unwrap();
    assert_eq!(entries(&queue).await, []);
}

pub(crate) async fn the_last_twenty_runs_are_remembered_and_outlive_the_entry(home: impl Home) {
    let options = Options::at(0);
    let Open { queue, .. } = home.open(&options);
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
    let Open { queue, .. } = home.open(&options);
    assert_eq!(queue.entry(&work_log(1)).await.unwrap(), None);
    let history = queue.history(&work_log(1)).await.unwrap();
    assert_eq!(history.len(), 20);
    assert_eq!(
        (history[0].result, history[0].message.as_deref()),
        (Ended::Done, Some("created timesheet 7"))
    );
    assert_eq!((history[1].result, history[1].message.as_deref()), (Ended::Later, Some("run 23")));
    assert_eq!(history[1].code, Some(Code::KimaiUnavailable));
    let parked = queue.history(&work_log(2)).await.unwrap();
    assert_eq!((parked.len(), parked[0].result), (1, Ended::Parked));
    assert_eq!(parked[0].code, Some(Code::NoAccount));
    assert_eq!(queue.entry(&work_log(2)).await.unwrap().unwrap().code, Some(Code::NoAccount));
    assert_eq!(queue.parked().await.unwrap(), [(work_log(2), "no account".to_owned())]);
}

pub(crate) async fn every_code_outlives_the_process(home: impl Home) {
    let options = Options::at(0);
    let Open { queue, .. } = home.open(&options);
    let codes: Vec<(WorkLogUri, Code)> = (0..).map(work_log).zip(Code::ALL).collect();
    for (work_log, code) in &codes {
        queue.put(std::slice::from_ref(work_log), Reason::Delta, at(0)).await.unwrap();
        run(&queue, parked(*code)).await;
    }
    drop(queue);
    let Open { queue, .. } = home.open(&options);
    for (work_log, code) in &codes {
        assert_eq!(queue.entry(work_log).await.unwrap().unwrap().code, Some(*code));
        assert_eq!(queue.history(work_log).await.unwrap()[0].code, Some(*code));
    }
    let counts = queue.parked_by_code().await.unwrap();
    assert_eq!(counts, codes.into_iter().map(|(_, code)| (Some(code), 1)).collect());
}

pub(crate) async fn entries_outlive_a_kill_as_they_were(home: impl Home) {
    let options = Options::at(100);
    let open = home.open(&options);
    for (number, reason) in (0..).zip(Reason::ALL) {
        open.queue.put(&[work_log(number)], reason, at(200 + i64::from(number))).await.unwrap();
    }
    open.queue.put(&[work_log(100)], Reason::Delta, at(0)).await.unwrap();
    let later =
        Outcome::Later { at: at(150), code: Code::KimaiUnavailable, why: "down".into(), counts: true };
    run(&open.queue, later).await;
    open.queue.put(&[work_log(101)], Reason::Delta, at(0)).await.unwrap();
    run(&open.queue, parked(Code::NoAccount)).await;
    let before = entries(&open.queue).await;
    assert_eq!(before.len(), Reason::ALL.len() + 2);
    let killed = home.killed();
    assert_eq!(entries(&killed.open(&options).queue).await, before);
    // And one that has left stays away.
    tokio::time::sleep(Duration::from_secs(50)).await;
    run(&open.queue, Outcome::done()).await;
    let after = entries(&home.killed().open(&options).queue).await;
    assert_eq!(after.len(), before.len() - 1);
}

pub(crate) async fn what_could_not_be_saved_is_run_again_and_nothing_is_given_out_meanwhile(home: impl Home) {
    let options = Options::at(0);
    let Open { queue, fail, .. } = home.open(&options);
    queue.put(&[work_log(0), work_log(1)], Reason::Delta, at(0)).await.unwrap();
    let lease = queue.lease().await.unwrap();
    fail(true);
    let refused = queue.put(&[work_log(2)], Reason::Delta, at(0)).await;
    assert!(matches!(refused, Err(QueueFault::Storage(_))), "{refused:?}");
    assert_eq!(queue.entry(&work_log(2)).await.unwrap(), None, "what is refused is not there");
    assert!(matches!(queue.complete(lease, Outcome::done()).await, Err(QueueFault::Storage(_))));
    assert!(matches!(queue.lease().await, Err(QueueFault::Storage(_))));
    assert!(matches!(queue.wake_parked(Reason::Daily).await, Ok(0) | Err(_)));
    fail(false);
    let other = queue.lease().await.unwrap();
    let again = queue.lease().await.unwrap();
    assert_eq!((other.work_log, again.work_log), (work_log(1), work_log(0)), "its end was not saved");
    assert!(options.clock.now() < at(60), "soon, not when its lease ends");
}

pub(crate) async fn what_runs_during_a_kill_is_due_again(home: impl Home) {
    let options = Options::at(0);
    let open = home.open(&options);
    let named = [(work_log(1), true), (work_log(2), false)].into();
    open.queue.put_named(&named, at(0)).await.unwrap();
    let (one, _two) = (open.queue.lease().await.unwrap(), open.queue.lease().await.unwrap());
    open.queue.complete(one, Outcome::done()).await.unwrap();
    let killed = home.killed();
    let Open { queue, .. } = killed.open(&options);
    assert_eq!(queue.lease().await.unwrap().work_log, work_log(2));
    assert!(!is_due(&queue).await, "what was completed is not run again");
}

pub(crate) async fn permission_to_overwrite_outlives_the_process_and_is_used_once(home: impl Home) {
    let options = Options::at(0);
    let open = home.open(&options);
    open.queue.put(&[work_log(1), work_log(2), work_log(3)], Reason::Delta, at(0)).await.unwrap();
    run(&open.queue, parked(Code::TimesheetExported)).await;
    run(&open.queue, parked(Code::NoAccount)).await;
    run(&open.queue, Outcome::done()).await;
    assert_eq!(open.queue.overwrite_exported().await, Ok(1));
    open.queue.overwrite(&work_log(3)).await.unwrap();
    let killed = home.killed();
    let Open { queue, .. } = killed.open(&options);
    let mut permitted = BTreeSet::new();
    for _ in 0..2 {
        let lease = queue.lease().await.unwrap();
        permitted.extend(lease.overwrite.then(|| lease.work_log.clone()));
        queue.complete(lease, parked(Code::TimesheetExported)).await.unwrap();
    }
    assert_eq!(permitted, [1, 3].map(work_log).into());
    assert_eq!(queue.wake_parked(Reason::Daily).await, Ok(3));
    for _ in 0..3 {
        assert!(!queue.lease().await.unwrap().overwrite);
    }
}

pub(crate) async fn pages_go_by_iri_and_filter(home: impl Home) {
    let options = Options::at(0);
    let Open { queue, .. } = home.open(&options);
    let numbers = [4, 1, 3, 2, 5];
    queue.put(&numbers.map(work_log), Reason::Delta, at(0)).await.unwrap();
    queue.put(&[work_log(6)], Reason::Delta, at(1_000)).await.unwrap();
    run(&queue, parked(Code::NoAccount)).await;
    run(&queue, parked(Code::TimesheetExported)).await;
    let page = async |filter: Filter, after: Option<u8>, most| {
        let page = queue.page(filter, after.map(work_log).as_ref(), most).await.unwrap();
        page.into_iter().map(|entry| entry.work_log).collect::<Vec<_>>()
    };
    assert_eq!(page(Filter::default(), None, 2).await, [1, 2].map(work_log));
    assert_eq!(page(Filter::default(), Some(2), 9).await, [3, 4, 5, 6].map(work_log));
    assert_eq!(page(State::Scheduled.into(), None, 9).await, [work_log(6)]);
    assert_eq!(page(Filter::EXPORTED, None, 9).await, [work_log(1)]);
    let not = Filter { not: Some(Code::TimesheetExported), ..State::Parked.into() };
    assert_eq!(page(not, None, 9).await, [work_log(4)]);
    let counts = queue.counts().await.unwrap();
    assert_eq!((counts.queued, counts.scheduled, counts.running, counts.parked), (3, 1, 0, 2));
    assert_eq!(queue.oldest_due().await, Ok(Some(at(0))));
}

pub(crate) async fn throughput_counts_runs_by_their_slot_and_measures_from_the_change(home: impl Home) {
    let options = Options::at(86_400);
    let (clock, Open { queue, .. }) = (&options.clock, home.open(&options));
    queue.put(&[work_log(1)], Reason::Delta, clock.now()).await.unwrap();
    clock.sleep_until(at(86_402)).await;
    run(&queue, Outcome::done()).await;
    queue.put(&[work_log(2)], Reason::Delta, clock.now()).await.unwrap();
    run(&queue, parked(Code::NoAccount)).await;
    clock.sleep_until(at(2 * 86_400)).await;
    // An entry that was parked for a day counts from its retry.
    queue.wake_parked(Reason::Daily).await.unwrap();
    clock.sleep_until(at(2 * 86_400 + 3_600)).await;
    run(&queue, Outcome::done()).await;
    let beat =
        |from, synced, failed, seconds| Slot { from: at(from), synced, failed, seconds, slowest: seconds };
    let (first, second) = (beat(86_400, 1, 1, 2.0), beat(2 * 86_400 + 3_600, 1, 0, 3_600.0));
    assert_eq!(queue.throughput(at(0)).await.unwrap(), [first, second]);
    assert_eq!(queue.throughput(at(86_999)).await.unwrap(), [first, second], "the slot that holds it");
    assert_eq!(queue.throughput(at(87_000)).await.unwrap(), [second]);
    drop(queue);
    let Open { queue, .. } = home.open(&options);
    assert_eq!(queue.throughput(at(0)).await.unwrap(), [first, second], "over a restart too");
    clock.sleep_until(at(4 * 86_400)).await;
    queue.put(&[work_log(3)], Reason::Delta, clock.now()).await.unwrap();
    run(&queue, parked(Code::NoAccount)).await;
    let kept: Vec<_> = queue.throughput(at(0)).await.unwrap().iter().map(|beat| beat.from).collect();
    assert_eq!(kept, [second.from, at(4 * 86_400)], "two days are kept");
}

pub(crate) async fn a_change_goes_before_a_sweep_after_a_restart_too(home: impl Home) {
    let options = Options::at(9);
    let Open { queue, .. } = home.open(&options);
    let swept: Vec<_> = (0..1_000).map(|n| WorkLogUri::parse(&format!("http://x/{n}")).unwrap()).collect();
    queue.put(&swept, Reason::Sweep, at(0)).await.unwrap();
    queue.put(&[work_log(1)], Reason::Delta, at(5)).await.unwrap();
    drop(queue);
    assert_eq!(home.open(&options).queue.lease().await.unwrap().work_log, work_log(1));
}

pub(crate) async fn the_last_delta_is_known_to_the_minute(home: impl Home) {
    let options = Options::at(1_000);
    let Open { queue, .. } = home.open(&options);
    queue.put(&[work_log(1)], Reason::Sweep, at(0)).await.unwrap();
    assert_eq!(queue.last_delta().await, Ok(None), "a sweep is no delta");
    for (now, known) in [(1_000, 1_000), (1_059, 1_000), (1_061, 1_061)] {
        options.clock.sleep_until(at(now)).await;
        queue.put_named(&[(work_log(1), false)].into(), at(0)).await.unwrap();
        assert_eq!(queue.last_delta().await, Ok(Some(at(known))), "at {now}");
    }
    drop(queue);
    assert_eq!(home.open(&options).queue.last_delta().await, Ok(Some(at(1_061))));
}

//! What is remembered, on file and in memory, over restarts.

use super::*;
use crate::clock::Clock;
use crate::domain::diff::ObservedEntry;
use crate::domain::ids::{ActivityId, ProjectId, UserId};
use crate::domain::{Code, IdOrder, Watermark};
use crate::queue::Outcome;
use crate::store::Queue;
use crate::store::sqlite::SqliteQueue;
use jiff::tz::TimeZone;

fn work_log(name: &str) -> WorkLogUri {
    WorkLogUri::parse(&format!("http://x/work-logs/{name}")).unwrap()
}

fn wanted(user: u64) -> DesiredEntry {
    let begin: Timestamp = "2024-09-02T00:00:00.123456789Z".parse().unwrap();
    let (project, activity) = (ProjectId::number(1), ActivityId::number(2));
    DesiredEntry { begin, end: begin, project, activity, user: UserId::number(user), note: None }
}

fn now() -> Timestamp {
    "2024-09-02T12:00:00.5Z".parse().unwrap()
}

/// Tells `story` in memory, and on file with a restart after each step: it asks for a ledger anew.
async fn everywhere(explanation: impl AsyncFn(&dyn Fn() -> Ledger)) {
    let storage = Storage::in_memory().unwrap();
    explanation(&|| Ledger::open(storage.clone()).unwrap()).await;
    let directory = tempfile::tempdir().unwrap();
    explanation(&|| Ledger::open(Storage::open(directory.path()).unwrap()).unwrap()).await;
}

/// What is remembered where Kimai answered with just this.
fn holding(wanted: DesiredEntry) -> Memory {
    Memory { held: Some(wanted.into()), ..Memory::default() }
}

#[tokio::test]
async fn a_creation_closes_its_intent_and_waits_for_its_link() {
    everywhere(async |ledger| {
        let (a, id) = (work_log("a"), EntryId::number(9));
        ledger().open_intent(&a, wanted(1), Some(Watermark(8)), now()).await.unwrap();
        let intent = Intent { wanted: wanted(1), high_water: Some(Watermark(8)), started_at: now() };
        assert_eq!(ledger().intent(&a).await.unwrap(), Some(intent));
        assert_eq!(ledger().intents().await.unwrap(), [(a.clone(), intent)]);
        assert_eq!(ledger().intent(&work_log("b")).await.unwrap(), None);

        ledger().created(&a, id, wanted(1), wanted(1).into()).await.unwrap();
        assert_eq!(ledger().intent(&a).await.unwrap(), None);
        assert_eq!(ledger().unlinked().await.unwrap(), [(a.clone(), id)]);
        let memory =
            Memory { linked: Some(id), unwritten: true, pushed: Some(wanted(1)), ..holding(wanted(1)) };
        assert_eq!(ledger().recall(&a).await.unwrap(), memory);
        assert_eq!(ledger().owner(id).await.unwrap(), Some(a.clone()));
        assert_eq!(ledger().high_water(), IdOrder::Sequence.position(id));

        ledger().pushed(&a, id, wanted(2), wanted(2).into()).await.unwrap();
        assert_eq!(ledger().unlinked().await.unwrap().len(), 1, "pushing writes no link");
        ledger().linked(&a).await.unwrap();
        assert_eq!(ledger().unlinked().await.unwrap(), []);
        ledger().doubt([&a, &work_log("b")]).await.unwrap();
        assert_eq!(ledger().recall(&a).await.unwrap(), Memory { linked: Some(id), ..holding(wanted(2)) });
        ledger().forget(&a).await.unwrap();
        assert_eq!(ledger().recall(&a).await.unwrap(), Memory::default());
        assert_eq!(ledger().owner(id).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn no_timesheet_belongs_to_two_work_logs() {
    everywhere(async |ledger| {
        let (a, b, id) = (work_log("a"), work_log("b"), EntryId::number(9));
        ledger().created(&a, id, wanted(1), wanted(1).into()).await.unwrap();
        ledger().open_intent(&b, wanted(1), None, now()).await.unwrap();
        let claimed = LedgerFault::Claimed { id, other: a.clone() };
        assert_eq!(ledger().created(&b, id, wanted(1), wanted(1).into()).await, Err(claimed.clone()));
        assert_eq!(ledger().pushed(&b, id, wanted(1), wanted(1).into()).await, Err(claimed));
        assert!(ledger().intent(&b).await.unwrap().is_some(), "nothing of a failed claim is done");
        assert_eq!(ledger().recall(&b).await.unwrap(), Memory::default());
        ledger().created(&a, id, wanted(2), wanted(2).into()).await.unwrap();
        ledger().created(&a, EntryId::number(10), wanted(2), wanted(2).into()).await.unwrap();
        ledger().created(&b, id, wanted(1), wanted(1).into()).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn an_open_intent_is_not_written_over() {
    everywhere(async |ledger| {
        let a = work_log("a");
        ledger().open_intent(&a, wanted(1), None, now()).await.unwrap();
        let again = ledger().open_intent(&a, wanted(2), Some(Watermark(3)), now()).await;
        assert_eq!(again, Err(LedgerFault::IntentOpen(now())));
        assert_eq!(ledger().intent(&a).await.unwrap().unwrap().wanted, wanted(1));
        ledger().close_intent(&a).await.unwrap();
        ledger().open_intent(&a, wanted(2), Some(Watermark(3)), now()).await.unwrap();
        assert_eq!(ledger().high_water(), Some(Watermark(3)));
    })
    .await;
}

/// Ids are 64 bits without sign, SQLite's numbers have one.
#[tokio::test]
async fn the_largest_id_is_an_id_like_others() {
    everywhere(async |ledger| {
        let (a, id) = (work_log("a"), EntryId::number(9_999_999_999_999_999_999));
        ledger().created(&a, id, wanted(1), wanted(1).into()).await.unwrap();
        assert_eq!(ledger().owner(id).await.unwrap(), Some(a.clone()));
        assert_eq!(ledger().recall(&a).await.unwrap().linked, Some(id));
    })
    .await;
}

#[tokio::test]
async fn a_removal_is_recalled_until_the_queue_has_settled_it() {
    let storage = Storage::in_memory().unwrap();
    let queue = SqliteQueue::open(storage.clone(), Clock::starting_at(now(), TimeZone::UTC)).unwrap();
    let (ledger, a) = (Ledger::open(storage).unwrap(), work_log("a"));
    queue.put_named(&[(a.clone(), true)].into(), now()).await.unwrap();
    let failed = queue.lease().await.unwrap();
    assert!(ledger.recall(&a).await.unwrap().removed);
    queue
        .complete(
            failed,
            Outcome::Later { at: now(), code: Code::KimaiUnavailable, why: "down".into(), counts: true },
        )
        .await
        .unwrap();
    assert!(ledger.recall(&a).await.unwrap().removed);
    let lease = queue.lease().await.unwrap();
    queue.complete(lease, Outcome::done()).await.unwrap();
    assert!(!ledger.recall(&a).await.unwrap().removed);
}

#[tokio::test]
async fn an_intent_that_cannot_be_read_is_no_reason_to_create_twice() {
    let storage = Storage::in_memory().unwrap();
    let (ledger, a) = (Ledger::open(storage.clone()).unwrap(), work_log("a"));
    ledger.open_intent(&a, wanted(1), None, now()).await.unwrap();
    storage.write_now(|file| file.execute("UPDATE intent SET wanted = '{}'", [])).unwrap();
    for asked in [ledger.intent(&a).await.err(), ledger.open_intent(&a, wanted(2), None, now()).await.err()] {
        assert!(matches!(asked, Some(LedgerFault::Storage(_))), "{asked:?}");
    }
}

/// A sweep and a run may be at the same work log: one of them gets it.
#[tokio::test]
async fn what_is_adopted_is_nobodys_and_nothing_is_created_beside_it() {
    everywhere(async |ledger| {
        let (a, b, id, held) = (work_log("a"), work_log("b"), EntryId::number(9), wanted(1).into());
        assert!(ledger().adopt(&a, id, wanted(1), held).await.unwrap());
        let memory =
            Memory { linked: Some(id), unwritten: true, pushed: Some(wanted(1)), ..holding(wanted(1)) };
        assert_eq!(ledger().recall(&a).await.unwrap(), memory);
        let refused = ledger().open_intent(&a, wanted(1), None, now()).await;
        assert_eq!(refused, Err(LedgerFault::Found(id)));
        assert!(!ledger().adopt(&b, id, wanted(1), held).await.unwrap(), "it is a's");
        assert!(!ledger().adopt(&a, EntryId::number(10), wanted(1), held).await.unwrap(), "a has one");
        ledger().open_intent(&b, wanted(1), None, now()).await.unwrap();
        assert!(!ledger().adopt(&b, EntryId::number(10), wanted(1), held).await.unwrap(), "b may have one");
        ledger().close_intent(&b).await.unwrap();
        ledger().give_up(&a, EntryId::number(10)).await.unwrap();
        assert!(
            !ledger().adopt(&b, id, wanted(1), held).await.unwrap(),
            "a has given up another, not this one"
        );
        ledger().give_up(&a, id).await.unwrap();
        assert!(ledger().adopt(&b, id, wanted(1), held).await.unwrap(), "it is nobody's now");
    })
    .await;
}

#[tokio::test]
async fn of_those_who_share_a_timesheet_one_keeps_it() {
    everywhere(async |ledger| {
        let (a, b, c, id) = (work_log("a"), work_log("b"), work_log("c"), EntryId::number(9));
        ledger().pushed(&a, id, wanted(1), wanted(1).into()).await.unwrap();
        ledger().keep(&b, id).await.unwrap();
        assert_eq!(ledger().recall(&a).await.unwrap(), Memory::default());
        assert_eq!(ledger().recall(&b).await.unwrap(), Memory { linked: Some(id), ..Memory::default() });
        let owners = ledger().owners(&[id, EntryId::number(10)]).await.unwrap();
        assert_eq!(owners, [(id, b.clone())].into());
        // One that has got its own since, which is not linked yet, keeps that.
        ledger().created(&c, EntryId::number(10), wanted(1), wanted(1).into()).await.unwrap();
        ledger().keep(&c, id).await.unwrap();
        assert_eq!(ledger().recall(&c).await.unwrap().linked, Some(EntryId::number(10)));
    })
    .await;
}

/// Kimai tells its day only when it sets it, and what it rounds is summed up for the doctor and the metrics.
#[tokio::test]
async fn what_kimai_counts_and_on_which_day_is_remembered_and_summed_up() {
    everywhere(async |ledger| {
        let sent = |n: i64| {
            let begin = Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(24 * n);
            DesiredEntry { begin, end: begin + jiff::SignedDuration::from_mins(456), ..wanted(1) }
        };
        let rounded = |n| ObservedEntry { duration: 27_000, ..sent(n).into() };
        let answers = [(rounded(1), Some(0)), (sent(2).into(), Some(-1)), (rounded(3), None)];
        for (n, (found, shift)) in (1..).zip(answers) {
            let (a, id) = (work_log(&n.to_string()), EntryId::number(n));
            let held = Held { found, shift };
            ledger().created(&a, id, sent(n.cast_signed()), held).await.unwrap();
            assert_eq!(ledger().recall(&a).await.unwrap().shift, shift);
        }
        let counted = Counted { rounded: 2, seconds: -720, off_day: 1 };
        assert_eq!(ledger().counted().await.unwrap(), counted);
        assert_eq!(ledger().off_days().await.unwrap(), [(work_log("2"), (EntryId::number(2), -1))].into());
        assert_eq!(ledger().unknown_days().await.unwrap(), 1);
        let sample = ledger().rounded_sample().await.unwrap();
        assert_eq!(sample, [(sent(3), rounded(3)), (sent(1), rounded(1))]);
        ledger()
            .pushed(
                &work_log("2"),
                EntryId::number(2),
                sent(2),
                Held { found: sent(2).into(), shift: Some(0) },
            )
            .await
            .unwrap();
        assert_eq!(ledger().counted().await.unwrap().off_day, 0);
        // Another timesheet has another day.
        ledger().linked(&work_log("1")).await.unwrap();
        ledger().keep(&work_log("1"), EntryId::number(1)).await.unwrap();
        assert_eq!(ledger().recall(&work_log("1")).await.unwrap().shift, Some(0));
        ledger().keep(&work_log("1"), EntryId::number(9)).await.unwrap();
        assert_eq!(ledger().recall(&work_log("1")).await.unwrap().shift, None);
    })
    .await;
}

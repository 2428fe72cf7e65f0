//! What every ledger remembers, over restarts: most laws open it anew for each step.

use jiff::Timestamp;

use super::{Home, Open, Options};
use crate::domain::diff::ObservedEntry;
use crate::domain::exported::UpdateIntent;
use crate::domain::ids::{ActivityId, IdSyntax, ProjectId, UserId};
use crate::domain::intent::Intent;
use crate::domain::loss::Loss;
use crate::domain::plan::Memory;
use crate::domain::timesheet::DesiredEntry;
use crate::domain::{Code, EntryId, IdOrder, Watermark, WorkLogUri};
use crate::queue::Outcome;
use crate::store::ledger::{Counted, Held, LedgerFault};

/// With a clock that starts at [`now`].
fn options() -> Options {
    Options::at(now().as_second() + 1)
}

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

/// What is remembered where Kimai answered with just this.
fn holding(wanted: DesiredEntry) -> Memory {
    Memory { held: Some(wanted.into()), ..Memory::default() }
}

pub(crate) async fn a_creation_closes_its_intent_and_waits_for_its_link(home: impl Home) {
    let options = options();
    let ledger = || home.open(&options).ledger;
    let (a, id) = (work_log("a"), EntryId::number(9));
    ledger().open_intent(&a, wanted(1), Some(Watermark(8)), now()).await.unwrap();
    let intent = Intent { wanted: wanted(1), high_water: Some(Watermark(8)), started_at: now() };
    assert_eq!(ledger().intent(&a).await.unwrap(), Some(intent));
    assert_eq!(ledger().intents().await.unwrap(), [(a.clone(), intent)]);
    assert_eq!(ledger().intent(&work_log("b")).await.unwrap(), None);

    ledger().created(&a, id, wanted(1), wanted(1).into()).await.unwrap();
    assert_eq!(ledger().intent(&a).await.unwrap(), None);
    assert_eq!(ledger().unlinked().await.unwrap(), [(a.clone(), id)]);
    let memory = Memory { linked: Some(id), unwritten: true, pushed: Some(wanted(1)), ..holding(wanted(1)) };
    assert_eq!(ledger().recall(&a).await.unwrap(), memory);
    assert_eq!(ledger().owner(id).await.unwrap(), Some(a.clone()));
    assert_eq!(ledger().high_water(), IdOrder::Sequence.position(id));

    ledger().pushed(&a, id, wanted(2), wanted(2).into()).await.unwrap();
    assert_eq!(ledger().unlinked().await.unwrap().len(), 1, "pushing writes no link");
    ledger().linked(&a).await.unwrap();
    assert_eq!(ledger().unlinked().await.unwrap(), []);
    ledger().doubt(vec![a.clone(), work_log("b")]).await.unwrap();
    assert_eq!(ledger().recall(&a).await.unwrap(), Memory { linked: Some(id), ..holding(wanted(2)) });
    ledger().forget(&a).await.unwrap();
    assert_eq!(ledger().recall(&a).await.unwrap(), Memory::default());
    assert_eq!(ledger().owner(id).await.unwrap(), None);
}

pub(crate) async fn no_timesheet_belongs_to_two_work_logs(home: impl Home) {
    let options = options();
    let ledger = || home.open(&options).ledger;
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
}

pub(crate) async fn an_open_intent_is_not_written_over(home: impl Home) {
    let options = options();
    let ledger = || home.open(&options).ledger;
    let a = work_log("a");
    ledger().open_intent(&a, wanted(1), None, now()).await.unwrap();
    let again = ledger().open_intent(&a, wanted(2), Some(Watermark(3)), now()).await;
    assert_eq!(again, Err(LedgerFault::IntentOpen(now())));
    assert_eq!(ledger().intent(&a).await.unwrap().unwrap().wanted, wanted(1));
    ledger().close_intent(&a).await.unwrap();
    ledger().open_intent(&a, wanted(2), Some(Watermark(3)), now()).await.unwrap();
    assert_eq!(ledger().high_water(), Some(Watermark(3)));
}

/// Ids are 64 bits without sign, or no numbers at all.
pub(crate) async fn the_largest_id_and_an_object_id_are_ids_like_others(home: impl Home) {
    let options = options();
    let ledger = || home.open(&options).ledger;
    let object = EntryId::parse("64a687e29ae1f428e7ebe303", IdSyntax::ObjectIds).unwrap();
    for (a, id) in [("a", EntryId::number(9_999_999_999_999_999_999)), ("b", object)] {
        let a = work_log(a);
        ledger().created(&a, id, wanted(1), wanted(1).into()).await.unwrap();
        assert_eq!(ledger().owner(id).await.unwrap(), Some(a.clone()));
        assert_eq!(ledger().recall(&a).await.unwrap().linked, Some(id));
        ledger().rebuild(vec![(a.clone(), id)]).await.unwrap();
        assert_eq!(ledger().void_links(&a), [id].into());
    }
}

pub(crate) async fn a_removal_is_recalled_until_the_queue_has_completed_it(home: impl Home) {
    let options = options();
    let (Open { queue, ledger, .. }, a) = (home.open(&options), work_log("a"));
    queue.put_named(&[(a.clone(), true), (work_log("b"), false)].into(), now()).await.unwrap();
    assert!(ledger.recall(&a).await.unwrap().removed);
    assert!(!ledger.recall(&work_log("b")).await.unwrap().removed);
    let failed = queue.lease().await.unwrap();
    assert_eq!(failed.work_log, a);
    let later = Outcome::Later { at: now(), code: Code::KimaiUnavailable, why: "down".into(), counts: true };
    queue.complete(failed, later).await.unwrap();
    assert!(ledger.recall(&a).await.unwrap().removed);
    for _ in 0..2 {
        queue.complete(queue.lease().await.unwrap(), Outcome::done()).await.unwrap();
    }
    assert!(!ledger.recall(&a).await.unwrap().removed);
}

/// A sweep and a run may be at the same work log: one of them gets it.
pub(crate) async fn what_is_adopted_is_nobodys_and_nothing_is_created_beside_it(home: impl Home) {
    let options = options();
    let ledger = || home.open(&options).ledger;
    let (a, b, id, held) = (work_log("a"), work_log("b"), EntryId::number(9), wanted(1).into());
    assert!(ledger().adopt(&a, id, wanted(1), held).await.unwrap());
    let memory = Memory { linked: Some(id), unwritten: true, pushed: Some(wanted(1)), ..holding(wanted(1)) };
    assert_eq!(ledger().recall(&a).await.unwrap(), memory);
    let refused = ledger().open_intent(&a, wanted(1), None, now()).await;
    assert_eq!(refused, Err(LedgerFault::Found(id)));
    assert!(!ledger().adopt(&b, id, wanted(1), held).await.unwrap(), "it is a's");
    assert!(!ledger().adopt(&a, EntryId::number(10), wanted(1), held).await.unwrap(), "a has one");
    ledger().open_intent(&b, wanted(1), None, now()).await.unwrap();
    assert!(!ledger().adopt(&b, EntryId::number(10), wanted(1), held).await.unwrap(), "b may have one");
    ledger().close_intent(&b).await.unwrap();
    ledger().give_up(&a, EntryId::number(10)).await.unwrap();
    assert!(!ledger().adopt(&b, id, wanted(1), held).await.unwrap(), "a has given up another, not this one");
    ledger().give_up(&a, id).await.unwrap();
    assert!(ledger().adopt(&b, id, wanted(1), held).await.unwrap(), "it is nobody's now");
}

pub(crate) async fn of_those_who_share_a_timesheet_one_keeps_it(home: impl Home) {
    let options = options();
    let ledger = || home.open(&options).ledger;
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
}

/// Kimai tells its day only when it sets it, and what it rounds is summed up for the doctor and the metrics.
pub(crate) async fn what_kimai_counts_and_on_which_day_is_remembered_and_summed_up(home: impl Home) {
    let options = options();
    let ledger = || home.open(&options).ledger;
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
        .pushed(&work_log("2"), EntryId::number(2), sent(2), Held { found: sent(2).into(), shift: Some(0) })
        .await
        .unwrap();
    assert_eq!(ledger().counted().await.unwrap().off_day, 0);
    // Another timesheet has another day.
    ledger().linked(&work_log("1")).await.unwrap();
    ledger().keep(&work_log("1"), EntryId::number(1)).await.unwrap();
    assert_eq!(ledger().recall(&work_log("1")).await.unwrap().shift, Some(0));
    ledger().keep(&work_log("1"), EntryId::number(9)).await.unwrap();
    assert_eq!(ledger().recall(&work_log("1")).await.unwrap().shift, None);
}

/// Where Kimai holds something else than was sent, it is sent again.
pub(crate) async fn what_is_found_counts_as_pushed_only_if_it_is_the_same(home: impl Home) {
    let options = options();
    let ledger = || home.open(&options).ledger;
    let (a, b) = (work_log("a"), work_log("b"));
    for name in [&a, &b] {
        ledger().open_intent(name, wanted(1), None, now()).await.unwrap();
    }
    assert_eq!(ledger().open_intents().await.unwrap().0, 2);
    ledger().found(&a, EntryId::number(1), wanted(1), wanted(1).into()).await.unwrap();
    ledger().found(&b, EntryId::number(2), wanted(1), wanted(2).into()).await.unwrap();
    assert_eq!(ledger().open_intents().await.unwrap(), (0, None));
    let remembered = ledger().remembered(&[a.clone(), b.clone(), work_log("c")]).await.unwrap();
    assert_eq!(remembered.len(), 2);
    assert_eq!((remembered[&a].pushed, remembered[&b].pushed), (Some(wanted(1)), None));
    assert_eq!(remembered[&b].held, Some(wanted(2).into()));
    ledger().forget_held(&b).await.unwrap();
    assert_eq!(ledger().recall(&b).await.unwrap().held, None);
}

pub(crate) async fn a_change_without_an_answer_is_remembered_until_it_is_known(home: impl Home) {
    let options = options();
    let ledger = || home.open(&options).ledger;
    let (a, id) = (work_log("a"), EntryId::number(9));
    ledger().created(&a, id, wanted(1), Held { found: wanted(1).into(), shift: Some(1) }).await.unwrap();
    let intent = UpdateIntent { id, before: wanted(1).into(), sent: wanted(2), exported: false };
    ledger().begin_update(&a, intent).await.unwrap();
    let memory = ledger().recall(&a).await.unwrap();
    assert_eq!((memory.pushed, memory.unanswered), (None, Some(intent)), "what it holds is in doubt");
    ledger().exported_meanwhile(&a).await.unwrap();
    let memory = ledger().recall(&a).await.unwrap();
    assert_eq!(memory.unanswered, Some(UpdateIntent { exported: true, ..intent }));
    ledger().put_back(&a).await.unwrap();
    let memory = ledger().recall(&a).await.unwrap();
    assert_eq!((memory.linked, memory.shift, memory.unanswered), (Some(id), None, None));
    for end in 0..3 {
        ledger().begin_update(&a, intent).await.unwrap();
        match end {
            0 => ledger().end_update(&a).await.unwrap(),
            1 => ledger().pushed(&a, id, wanted(2), wanted(2).into()).await.unwrap(),
            _ => ledger().forget(&a).await.unwrap(),
        }
        assert_eq!(ledger().recall(&a).await.unwrap().unanswered, None, "{end}");
    }
}

pub(crate) async fn what_lists_show_is_saved_with_the_next_intent(home: impl Home) {
    let options = options();
    let ledger = home.open(&options).ledger;
    assert_eq!(ledger.high_water(), None);
    ledger.saw(EntryId::number(70));
    ledger.saw(EntryId::number(60));
    ledger.saw(EntryId::number(1 << 60));
    assert_eq!(ledger.high_water(), Some(Watermark(70)), "neither lower nor absurd");
    ledger.saw_newest(Watermark(80));
    ledger.open_intent(&work_log("a"), wanted(1), Some(Watermark(75)), now()).await.unwrap();
    drop(ledger);
    assert_eq!(home.open(&options).ledger.high_water(), Some(Watermark(80)));
}

/// Kimai was restored from an older backup: ids from 50 on are given out again.
pub(crate) async fn a_loss_drops_what_is_no_longer_true_and_lasts_until_links_are_rebuilt(home: impl Home) {
    let options = options();
    let ledger = || home.open(&options).ledger;
    let (old, gone, fresh) = (work_log("old"), work_log("gone"), work_log("fresh"));
    for (name, id) in [(&old, 10), (&gone, 60)] {
        ledger().created(name, EntryId::number(id), wanted(1), wanted(1).into()).await.unwrap();
        ledger().linked(name).await.unwrap();
    }
    ledger().open_intent(&work_log("open"), wanted(1), Some(Watermark(60)), now()).await.unwrap();
    let id = EntryId::number(50);
    let loss = ledger().reissued(&fresh, id, Watermark(60), now()).await.unwrap();
    let since = Timestamp::from_millisecond(now().as_millisecond()).unwrap();
    assert_eq!(loss, Loss { since, reissued: id, known: EntryId::number(60) });
    assert_eq!(ledger().loss(), Some(loss));
    assert_eq!(ledger().high_water(), Some(Watermark(50)));
    assert_eq!(ledger().recall(&gone).await.unwrap(), Memory::default(), "its timesheet is lost");
    let memory = ledger().recall(&old).await.unwrap();
    assert_eq!(
        (memory.linked, memory.pushed),
        (Some(EntryId::number(10)), None),
        "what it holds is in doubt"
    );
    assert_eq!(
        ledger().intent(&work_log("open")).await.unwrap().unwrap().high_water,
        None,
        "it may have any id"
    );
    // More of it is found out later: the loss began with the first sign of it.
    ledger().created(&fresh, id, wanted(1), wanted(1).into()).await.unwrap();
    ledger().linked(&fresh).await.unwrap();
    let lower = EntryId::number(40);
    let loss = ledger().reissued(&gone, lower, Watermark(55), now()).await.unwrap();
    assert_eq!((loss.reissued, loss.known), (lower, EntryId::number(60)));
    assert_eq!(ledger().recall(&fresh).await.unwrap().linked, Some(id), "made since");

    ledger().rebuild(vec![(gone.clone(), EntryId::number(60))]).await.unwrap();
    assert_eq!(ledger().loss(), None);
    assert_eq!(ledger().void_links(&gone), [EntryId::number(60)].into());
    assert_eq!(ledger().void_links(&old), [].into());
    ledger().has_new_link(&gone).await.unwrap();
    assert_eq!(ledger().void_links(&gone), [].into());
    ledger().reissued(&gone, lower, Watermark(60), now()).await.unwrap();
    ledger().end_loss().await.unwrap();
    assert_eq!(ledger().loss(), None);
    assert_eq!(ledger().void_links(&gone), [].into());
}

pub(crate) async fn what_cannot_be_saved_changes_nothing_and_a_kill_loses_nothing(home: impl Home) {
    let options = options();
    let Open { ledger, fail, .. } = home.open(&options);
    let (a, b, id) = (work_log("a"), work_log("b"), EntryId::number(9));
    ledger.open_intent(&a, wanted(1), None, now()).await.unwrap();
    fail(true);
    let refused = ledger.created(&a, id, wanted(1), wanted(1).into()).await;
    assert!(matches!(refused, Err(LedgerFault::Storage(_))), "{refused:?}");
    let refused = ledger.open_intent(&b, wanted(1), None, now()).await;
    assert!(matches!(refused, Err(LedgerFault::Storage(_))), "{refused:?}");
    fail(false);
    assert_eq!(ledger.owner(id).await, Ok(None));
    assert_eq!(ledger.intents().await.unwrap().len(), 1);
    let killed = home.killed();
    let kept = killed.open(&options).ledger;
    assert!(kept.intent(&a).await.unwrap().is_some());
    kept.created(&a, id, wanted(1), wanted(1).into()).await.unwrap();
    let again = killed.killed();
    let kept = again.open(&options).ledger;
    assert_eq!((kept.owner(id).await, kept.intent(&a).await), (Ok(Some(a)), Ok(None)));
}

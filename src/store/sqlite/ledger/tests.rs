//! What holds for a ledger in a file alone.

use super::*;
use crate::domain::ids::{ActivityId, ProjectId, UserId};

fn work_log() -> WorkLogUri {
    WorkLogUri::parse("http://x/work-logs/a").unwrap()
}

fn wanted() -> DesiredEntry {
    let (project, activity, user) = (ProjectId::number(1), ActivityId::number(2), UserId::number(3));
    let begin = Timestamp::UNIX_EPOCH;
    DesiredEntry { begin, end: begin, project, activity, user, note: None }
}

#[tokio::test]
async fn an_intent_that_cannot_be_read_is_no_reason_to_create_twice() {
    let storage = Storage::in_memory().unwrap();
    let ledger = SqliteLedger::open(storage.clone()).unwrap();
    let (a, wanted, now) = (work_log(), wanted(), Timestamp::UNIX_EPOCH);
    ledger.open_intent(&a, wanted, None, now).await.unwrap();
    storage.write_now(|file| file.execute("UPDATE intent SET wanted = '{}'", [])).unwrap();
    for asked in [ledger.intent(&a).await.err(), ledger.open_intent(&a, wanted, None, now).await.err()] {
        assert!(matches!(asked, Some(LedgerFault::Storage(_))), "{asked:?}");
    }
}

//! Timesheets that are exported in Kimai.

use kimai_sync::domain::{EntryId, WorkLogUri};

use super::{asked, identifier, shortened, synced};
use crate::support::stack::Stack;

/// What was asked of Kimai, the code with which the work log is parked, and its link.
async fn parked(stack: &Stack, uri: &str) -> String {
    let work_log = WorkLogUri::parse(uri).unwrap();
    let entry = stack.engine.queue.entry(&work_log).await.unwrap().unwrap();
    format!("{}; {}; {}", asked(stack), entry.code.unwrap().word(), identifier(stack, uri).await)
}

pub(in super::super) async fn exported_and_changed() -> String {
    let stack = Stack::embedded(&[]).await;
    let uri = synced(&stack).await;
    stack.kimai.edit_timesheet(EntryId::number(1), |row| row.exported = true);
    shortened(&stack, &uri).await;
    parked(&stack, &uri).await
}

pub(in super::super) async fn exported_and_deleted() -> String {
    let stack = Stack::embedded(&[]).await;
    let uri = synced(&stack).await;
    stack.kimai.edit_timesheet(EntryId::number(1), |row| row.exported = true);
    stack.take_back(&uri).await;
    stack.notify(&[&uri]).await;
    parked(&stack, &uri).await
}

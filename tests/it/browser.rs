//! The page in a real browser, as people use it. Pictures of it are written to target/screenshots.

mod driver;
mod looks;
mod story;

use kimai_sync::domain::EntryId;

use crate::support::not_covered;
use crate::support::stack::{BASE, Stack};
use driver::Browser;

/// A browser, or nothing where none is installed.
async fn browser(scripts: bool) -> Option<Browser> {
    if driver::is_installed() {
        return Some(Browser::start(scripts).await);
    }
    not_covered("the page in a browser: install chromium and chromium-driver");
    None
}

/// A timesheet that no work log has.
fn orphan(stack: &Stack, day: u8) -> EntryId {
    let begin = format!("2024-09-{day:02}T00:00:00Z").parse().unwrap();
    let end = format!("2024-09-{day:02}T01:30:00Z").parse().unwrap();
    stack.kimai.add_timesheet(stack.user, (stack.project, stack.activity), begin, Some(end))
}

/// A work log that cannot be synced as it is, and is parked.
async fn parked(stack: &Stack, id: &str) -> String {
    let uri = stack.register(id, "2024-09-02", "8 hours").await;
    stack.notify(&[&uri]).await;
    uri
}

/// Where a work log is shown.
fn place(id: &str) -> String {
    format!("/work-log?id={BASE}/work-logs/{id}")
}

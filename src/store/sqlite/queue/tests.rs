//! What holds for a queue in a file alone.

use jiff::tz::TimeZone;

use super::*;

#[tokio::test]
async fn a_storage_has_one_queue() {
    let storage = Storage::in_memory().unwrap();
    let clock = Clock::starting_at(Timestamp::UNIX_EPOCH, TimeZone::UTC);
    let first = SqliteQueue::open(storage.clone(), clock.clone()).unwrap();
    let fault = SqliteQueue::open(storage, clock).unwrap_err().to_string();
    assert!(fault.contains("uses it already"), "{fault}");
    drop(first);
}

//! What becomes of what was acknowledged when somebody harms the file while it is in use.

use std::fs::{self, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::PathBuf;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tempfile::TempDir;

use super::*;
use crate::clock::Clock;
use crate::domain::WorkLogUri;
use crate::queue::{Filter, Reason};
use crate::store::Queue;
use crate::store::sqlite::SqliteQueue;

fn work_log(number: usize) -> WorkLogUri {
    WorkLogUri::parse(&format!("http://timekeeper.redpencil.io/work-logs/{number:024}")).unwrap()
}

fn open_queue(storage: &Storage) -> SqliteQueue {
    SqliteQueue::open(storage.clone(), Clock::starting_at(Timestamp::UNIX_EPOCH, TimeZone::UTC)).unwrap()
}

async fn put(queue: &SqliteQueue, numbers: std::ops::Range<usize>) -> bool {
    let work_logs: Vec<_> = numbers.map(work_log).collect();
    queue.put(&work_logs, Reason::Delta, Timestamp::UNIX_EPOCH).await.is_ok()
}

async fn waiting(queue: &SqliteQueue) -> Vec<WorkLogUri> {
    let page = queue.page(Filter::default(), None, usize::MAX).await.unwrap();
    page.into_iter().map(|entry| entry.work_log).collect()
}

/// As after a kill -9: what lies there now, for another process.
fn killed(folder: &Path) -> TempDir {
    let to = tempfile::tempdir().unwrap();
    for file in fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()) {
        if file.is_file() {
            fs::copy(&file, to.path().join(file.file_name().unwrap())).unwrap();
        }
    }
    to
}

fn endings(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut endings: Vec<String> =
        names.map(|name| name.strip_prefix(FILE).unwrap_or(&name).to_owned()).collect();
    endings.sort();
    endings
}

fn overwrite(file: &Path, from: u64, bytes: usize) {
    let mut file = OpenOptions::new().write(true).open(file).unwrap();
    file.seek(SeekFrom::Start(from)).unwrap();
    file.write_all(&vec![0xa5; bytes]).unwrap();
}

fn cut(file: &Path, length: u64) {
    OpenOptions::new().write(true).open(file).unwrap().set_len(length).unwrap();
}

/// What is done to the file; before, everything was moved from the journal into it, or nothing was; and whether
/// nothing can be saved then.
type Harm = (&'static str, bool, bool, fn(&Path));

fn journal(file: &Path) -> PathBuf {
    connection::beside(file, "-wal")
}

const HARMS: [Harm; 10] = [
    ("emptied", true, true, |file| cut(file, 0)),
    ("cut in the middle", true, true, |file| cut(file, fs::metadata(file).unwrap().len() / 2)),
    ("overwritten from byte 100", true, true, |file| overwrite(file, 100, 50_000)),
    ("overwritten in the middle", true, true, |file| {
        overwrite(file, fs::metadata(file).unwrap().len() / 2, 20_000);
    }),
    ("overwritten by a text", true, true, |file| {
        fs::write(file, "no database at all. ".repeat(5_000)).unwrap();
    }),
    ("removed", true, true, |file| fs::remove_file(file).unwrap()),
    ("replaced by a directory", true, true, |file| {
        fs::remove_file(file).unwrap();
        fs::create_dir(file).unwrap();
    }),
    ("its journal cut", false, true, |file| cut(&journal(file), 1_000)),
    ("its journal removed", false, true, |file| fs::remove_file(journal(file)).unwrap()),
    // What stands there may be written anew farther behind.
    ("its journal overwritten", false, false, |file| overwrite(&journal(file), 100, 60_000)),
];

#[tokio::test]
async fn what_was_acknowledged_before_somebody_harmed_the_file_is_there_at_the_next_start() {
    for looks_first in [false, true] {
        for (harm, checkpointed, lost, harmed) in HARMS {
            let folder = tempfile::tempdir().unwrap();
            let storage = Storage::open_single(folder.path()).unwrap();
            let queue = open_queue(&storage);
            assert!(put(&queue, 0..500).await);
            if checkpointed {
                let empty = |file: &Connection| {
                    // Not within a transaction, as all writes are.
                    file.execute_batch("COMMIT")?;
                    file.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
                    file.execute_batch("BEGIN")
                };
                storage.write_now(empty).unwrap();
            }
            assert!(put(&queue, 500..501).await);
            let file = folder.path().join(FILE);
            harmed(&file);
            if looks_first {
                assert!(storage.look().await.is_err() || !lost, "{harm}");
            }
            for number in 600..603 {
                assert!(!put(&queue, number..number + 1).await || !lost, "{harm}: acknowledged");
            }
            let is_in_trouble = storage.trouble().is_some() && storage.probe().await.is_err();
            assert!(is_in_trouble || !lost, "{harm}");
            let kept = waiting(&queue).await;
            assert!(kept.len() == 501 || !lost, "{harm}");
            if file.is_dir() {
                fs::remove_dir(&file).unwrap();
            }
            let next = killed(folder.path());
            let storage = Storage::open_single(next.path()).unwrap();
            assert_eq!(waiting(&open_queue(&storage)).await, kept, "{harm}");
            let left = endings(next.path());
            assert!(!left.iter().any(|ending| ending.starts_with(".rescued")), "{harm}: {left:?}");
            drop(storage);
            let storage = Storage::open_single(next.path()).unwrap();
            assert_eq!(storage.verify().await, Ok(()), "{harm}: and it is whole");
        }
    }
}

#[tokio::test]
async fn harm_while_a_transaction_is_under_way_is_noticed_as_well() {
    for length in [0, 20_000] {
        let folder = tempfile::tempdir().unwrap();
        let storage = Storage::open_single(folder.path()).unwrap();
        let queue = open_queue(&storage);
        assert!(put(&queue, 0..500).await);
        storage.verify().await.unwrap();
        let file = folder.path().join(FILE);
        let fault = storage.write(move |_| {
            cut(&file, length);
            Ok(())
        });
        let fault = fault.await.unwrap_err().to_string();
        assert!(fault.contains(".rescued"), "{fault}");
        assert!(!put(&queue, 600..601).await);
        let next = killed(folder.path());
        let storage = Storage::open_single(next.path()).unwrap();
        assert_eq!(waiting(&open_queue(&storage)).await.len(), 500);
    }
}

#[tokio::test]
async fn what_is_remembered_is_saved_as_far_as_it_can_be_read_and_the_damaged_file_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::open_single(folder.path()).unwrap();
    let queue = open_queue(&storage);
    assert!(put(&queue, 0..1).await);
    let remember = |file: &Connection| {
        file.execute_batch(
            "INSERT INTO intent VALUES ('http://x/1', '{}', 7, 0); UPDATE high_water SET id = 9;
             INSERT INTO timesheet (work_log, id, linked) VALUES ('http://x/2', 8, 1)",
        )
    };
    storage.write_now(remember).unwrap();
    let file = folder.path().join(FILE);
    let bytes = fs::read(&file).unwrap();
    fs::remove_file(&file).unwrap();
    assert!(!put(&queue, 1..2).await);
    // Somebody puts back what there was of it.
    fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    let next = killed(folder.path());
    let storage = Storage::open_single(next.path()).unwrap();
    let remembered = storage.write_now(|file| {
        file.query_row(
            "SELECT high_water.id, intent.high_water, timesheet.id FROM high_water, intent, timesheet",
            [],
            |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?)),
        )
    });
    assert_eq!(remembered, Ok((9, 7, 8)));
    assert!(endings(next.path()).contains(&".damaged-0".to_owned()), "{:?}", endings(next.path()));
}

#[tokio::test]
async fn a_file_that_is_put_back_is_used_with_what_was_saved_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let (file, aside) = (folder.path().join(FILE), folder.path().join("aside"));
    let storage = Storage::open_single(folder.path()).unwrap();
    let queue = open_queue(&storage);
    assert!(put(&queue, 0..3).await);
    fs::rename(&file, &aside).unwrap();
    assert!(!put(&queue, 3..4).await);
    fs::rename(&aside, &file).unwrap();
    let next = killed(folder.path());
    let opened = Storage::open_single(next.path()).unwrap();
    assert_eq!(waiting(&open_queue(&opened)).await.len(), 3);
    // And where nobody stopped it, it goes on.
    assert!(put(&queue, 3..5).await);
    assert_eq!((waiting(&queue).await.len(), storage.probe().await), (5, Ok(())));
    assert!(!endings(folder.path()).contains(&".rescued".to_owned()));
}

#[tokio::test]
async fn a_file_that_is_only_touched_is_read_once_and_used_on() {
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::open_single(folder.path()).unwrap();
    let queue = open_queue(&storage);
    assert!(put(&queue, 0..3).await);
    let file = folder.path().join(FILE);
    let hour_ago = std::time::SystemTime::UNIX_EPOCH;
    OpenOptions::new().write(true).open(&file).unwrap().set_modified(hour_ago).unwrap();
    assert!(put(&queue, 3..4).await);
    assert_eq!(endings(folder.path()), ["", "-wal"]);
}

#[tokio::test]
async fn what_the_disk_itself_lost_is_found_when_every_page_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::open_single(folder.path()).unwrap();
    let queue = open_queue(&storage);
    assert!(put(&queue, 0..2_000).await);
    drop((storage, queue));
    let storage = Storage::open_single(folder.path()).unwrap();
    let queue = open_queue(&storage);
    assert_eq!(storage.verify().await, Ok(()));
    let file = folder.path().join(FILE);
    let modified = fs::metadata(&file).unwrap().modified().unwrap();
    overwrite(&file, fs::metadata(&file).unwrap().len() / 2, 20_000);
    OpenOptions::new().write(true).open(&file).unwrap().set_modified(modified).unwrap();
    assert_eq!(storage.look().await, Ok(()), "nothing shows");
    let fault = storage.verify().await.unwrap_err().to_string();
    assert!(fault.contains("it is damaged") && fault.contains(".rescued"), "{fault}");
    let next = killed(folder.path());
    let storage = Storage::open_single(next.path()).unwrap();
    assert_eq!(waiting(&open_queue(&storage)).await, waiting(&queue).await);
}

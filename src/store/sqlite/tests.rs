//! The file: who shares a commit, what happens when it cannot be written, and which files are refused.

use std::fs;
use std::path::PathBuf;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::clock::Clock;
use crate::domain::ids::IdSyntax;
use crate::domain::{EntryId, WorkLogUri};
use crate::queue::{Outcome, Reason};
use crate::store::sqlite::SqliteQueue;
use crate::store::{Queue, QueueFault};

fn work_log(number: usize) -> WorkLogUri {
    WorkLogUri::parse(&format!("http://timekeeper.redpencil.io/work-logs/{number:024}")).unwrap()
}

fn queue(storage: &Storage) -> SqliteQueue {
    SqliteQueue::open(storage.clone(), Clock::starting_at(Timestamp::UNIX_EPOCH, TimeZone::UTC)).unwrap()
}

async fn put(queue: &SqliteQueue, numbers: std::ops::Range<usize>) -> Result<(), QueueFault> {
    let work_logs: Vec<_> = numbers.map(work_log).collect();
    queue.put(&work_logs, Reason::Delta, Timestamp::UNIX_EPOCH).await
}

async fn waiting(queue: &SqliteQueue) -> usize {
    queue.counts().await.unwrap().waiting()
}

/// A folder with a file of some pages in it, closed.
async fn filled() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    put(&queue(&Storage::open(folder.path()).unwrap()), 0..2_000).await.unwrap();
    let file = folder.path().join(FILE);
    (folder, file)
}

/// Keeps the writer busy until what it returns is dropped.
fn hold(storage: &Storage) -> mpsc::Sender<()> {
    let (release, released) = mpsc::channel::<()>();
    let (started, begun) = mpsc::channel();
    let busy = move |_: &Connection| {
        let _ = started.send(());
        let _ = released.recv();
        Ok(())
    };
    storage.submit(Work::boxed(busy, drop));
    begun.recv().unwrap();
    release
}

/// Sends all puts while the writer is busy; gives their results.
async fn burst(storage: &Storage, queue: &SqliteQueue, size: usize) -> Vec<Result<(), QueueFault>> {
    let release = hold(storage);
    let puts = futures_util::future::join_all((0..size).map(|number| put(queue, number..number + 1)));
    let mut release = Some(release);
    tokio::pin!(puts);
    std::future::poll_fn(|context| {
        let answer = puts.as_mut().poll(context);
        drop(release.take()); // all are sent by now
        answer
    })
    .await
}

#[tokio::test]
async fn a_burst_of_deltas_shares_one_commit() {
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::open(folder.path()).unwrap();
    let queue = queue(&storage);
    assert_eq!(burst(&storage, &queue, 500).await, vec![Ok(()); 500]);
    assert_eq!(storage.commits(), 1);
    assert_eq!(waiting(&queue).await, 500);
    put(&queue, 0..500).await.unwrap();
    assert_eq!(storage.commits(), 1, "what is there already costs nothing");
    let settings = |file: &Connection| {
        let read = |name| file.pragma_query_value(None, name, |row| row.get::<_, String>(0));
        let synchronous: i64 = file.pragma_query_value(None, "synchronous", |row| row.get(0))?;
        Ok((read("journal_mode")?, read("locking_mode")?, synchronous))
    };
    let full = 2;
    assert_eq!(storage.write_now(settings).unwrap(), ("wal".into(), "exclusive".into(), full));
}

#[tokio::test]
async fn a_commit_that_fails_fails_for_all_and_memory_stays_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::open(folder.path()).unwrap();
    let queue = queue(&storage);
    put(&queue, 1_000..1_001).await.unwrap();
    let lease = queue.lease().await.unwrap();
    let pages: i64 =
        storage.write_now(|file| file.pragma_query_value(None, "page_count", |row| row.get(0))).unwrap();
    let limit = |pages: i64| {
        storage
            .write_now(move |file| file.execute_batch(&format!("PRAGMA max_page_count = {pages}")))
            .unwrap();
    };
    limit(pages);
    let answers = burst(&storage, &queue, 200).await;
    for answer in answers {
        let fault = answer.expect_err("the disk is full").to_string();
        assert!(fault.contains("the disk is full") && fault.contains(FILE), "{fault}");
    }
    assert_eq!(waiting(&queue).await, 0);
    assert!(storage.trouble().is_some());
    // A few pages are free: one row would fit, what was refused would not.
    limit(pages + 3);
    put(&queue, 0..1).await.unwrap();
    assert!(storage.probe().await.is_err() && storage.trouble().is_some(), "still in trouble");
    limit(1_000_000);
    storage.probe().await.unwrap();
    assert_eq!(storage.trouble(), None);
    put(&queue, 0..200).await.unwrap();
    assert_eq!(waiting(&queue).await, 200, "it recovers by itself");
    queue.complete(lease, Outcome::done()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn no_work_is_given_out_while_nothing_can_be_saved() {
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::open_single(folder.path()).unwrap();
    let queue = queue(&storage);
    put(&queue, 0..2).await.unwrap();
    let lease = queue.lease().await.unwrap();
    let readonly = |on: bool| {
        storage.write_now(move |file| file.pragma_update(None, "query_only", on)).unwrap();
    };
    readonly(true);
    assert!(matches!(queue.complete(lease, Outcome::done()).await, Err(QueueFault::Storage(_))));
    let fault = queue.lease().await.unwrap_err().to_string();
    assert!(fault.contains("read-only"), "{fault}");
    readonly(false);
    let other = queue.lease().await.unwrap();
    let again = queue.lease().await.unwrap();
    assert_eq!((other.work_log, again.work_log), (work_log(1), work_log(0)), "its end was not saved");
}

#[tokio::test]
async fn a_file_that_is_moved_away_while_in_use_takes_no_delta_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::open(folder.path()).unwrap();
    let queue = queue(&storage);
    put(&queue, 0..1).await.unwrap();
    fs::rename(folder.path().join(FILE), folder.path().join("elsewhere")).unwrap();
    let fault = put(&queue, 1..2).await.unwrap_err().to_string();
    assert!(fault.contains("was moved or removed"), "{fault}");
    assert_eq!(waiting(&queue).await, 1);
    fs::rename(folder.path().join("elsewhere"), folder.path().join(FILE)).unwrap();
    put(&queue, 1..2).await.unwrap();
}

#[tokio::test]
async fn what_was_asked_for_is_done_even_if_the_caller_goes_away() {
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::open(folder.path()).unwrap();
    let queue = queue(&storage);
    let release = hold(&storage);
    let sent = tokio::select! {
        biased;
        answer = put(&queue, 0..1) => Some(answer),
        () = std::future::ready(()) => None,
    };
    assert_eq!(sent, None);
    drop(release);
    assert_eq!(queue.lease().await.unwrap().work_log, work_log(0), "and a worker is told");
}

#[tokio::test]
async fn a_row_that_makes_no_sense_is_said() {
    let harms = [
        ("not an IRI", "UPDATE entry SET work_log = 'http://x/> . DROP' WHERE rowid_is_first"),
        ("unknown reason", "UPDATE entry SET reason = 'whim' WHERE rowid_is_first"),
    ];
    for (said, harm) in harms {
        let (folder, file) = filled().await;
        let first = "work_log = (SELECT min(work_log) FROM entry)";
        Connection::open(&file).unwrap().execute_batch(&harm.replace("rowid_is_first", first)).unwrap();
        let storage = Storage::open(folder.path()).unwrap();
        let clock = Clock::starting_at(Timestamp::UNIX_EPOCH, TimeZone::UTC);
        let fault = SqliteQueue::open(storage, clock).unwrap_err().to_string();
        assert!(fault.contains(said) && fault.contains(FILE) && fault.contains("move it away"), "{fault}");
    }
}

/// What is done to a file, and what has to be said of it.
type Harm<'a> = (&'a str, fn(&Path));

#[tokio::test]
async fn a_file_that_cannot_be_believed_is_refused_and_kept() {
    let newer = format!(
        "has version {}, but this program supports version {}; use a newer program",
        KIND.version() + 1,
        KIND.version()
    );
    let harms: [Harm<'_>; 10] = [
        ("it is empty", |file| fs::write(file, "").unwrap()),
        ("it is damaged", |file| fs::write(file, "no database at all, only a text".repeat(200)).unwrap()),
        ("it is damaged", |file| {
            let mut bytes = fs::read(file).unwrap();
            bytes[..16].fill(b'x');
            fs::write(file, bytes).unwrap();
        }),
        ("it is damaged", |file| {
            let bytes = fs::read(file).unwrap();
            fs::write(file, &bytes[..bytes.len() / 2]).unwrap();
        }),
        ("it is damaged", |file| {
            let mut bytes = fs::read(file).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle..middle + 8_192].fill(0xa5);
            fs::write(file, bytes).unwrap();
        }),
        ("it is damaged", |file| {
            let mut bytes = fs::read(file).unwrap();
            let end = bytes.len() - 4_096;
            bytes[end..].fill(0);
            fs::write(file, bytes).unwrap();
        }),
        (&newer, |file| sql(file, &format!("PRAGMA user_version = {}", KIND.version() + 1))),
        ("a database of another program", |file| sql(file, "PRAGMA application_id = 7")),
        ("it is a directory", |file| {
            fs::remove_file(file).unwrap();
            fs::create_dir(file).unwrap();
        }),
        ("still exists", |file| {
            fs::remove_file(file).unwrap();
            fs::write(file.with_file_name(format!("{FILE}-wal")), "what was not yet in it").unwrap();
        }),
    ];
    for (said, harm) in harms {
        let (folder, file) = filled().await;
        harm(&file);
        let before = fs::read(&file).ok();
        let fault = Storage::open(folder.path()).unwrap_err().to_string();
        assert!(fault.contains(said) && fault.contains(FILE), "{said}: {fault}");
        assert!(fs::read(&file).ok() == before, "{said}: the evidence is kept");
    }
}

fn sql(file: &Path, statement: &str) {
    Connection::open(file).unwrap().execute_batch(statement).unwrap();
}

#[tokio::test]
async fn one_folder_serves_one_process() {
    let folder = tempfile::tempdir().unwrap();
    let deep = folder.path().join("made/if/need/be");
    let first = Storage::open(&deep).unwrap();
    let fault = Storage::open(&deep).unwrap_err().to_string();
    assert!(fault.contains("another process is using it") && fault.contains(FILE), "{fault}");
    drop(first);
    let second = Storage::open(&deep).unwrap();
    let names: Vec<_> = fs::read_dir(&deep).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "the file and its journal, nothing half made: {names:?}");
    drop(second);
}

/// What an older program left is taken over with all that waits, not refused and not emptied.
#[tokio::test]
async fn a_file_of_the_version_before_is_brought_up_to_date() {
    let (folder, file) = filled().await;
    sql(
        &file,
        "DROP TABLE recheck; DROP TABLE changed_reference; DROP TABLE seen; DROP TABLE pulse; DROP TABLE run; DROP TABLE finding; ALTER TABLE timesheet DROP COLUMN held;
         ALTER TABLE entry DROP COLUMN code; ALTER TABLE attempt DROP COLUMN code; DROP TABLE loss; DROP TABLE void_link; DROP INDEX timesheet_rounded; DROP INDEX timesheet_shifted;
         ALTER TABLE timesheet DROP COLUMN rounded; ALTER TABLE timesheet DROP COLUMN shift;
         ALTER TABLE entry DROP COLUMN overwrite; DROP TABLE update_intent; DROP TABLE swept; PRAGMA user_version = 1",
    );
    for _ in 0..2 {
        let storage = Storage::open(folder.path()).unwrap();
        assert_eq!(waiting(&queue(&storage)).await, 2_000);
        let version = storage.write_now(|file| {
            let _: i64 =
                file.query_row("SELECT count(timesheet.held) FROM run, finding, timesheet", [], |row| {
                    row.get(0)
                })?;
            file.pragma_query_value(None, "user_version", |row| row.get::<_, i32>(0))
        });
        assert_eq!(version, Ok(KIND.version()));
    }
    sql(&file, "PRAGMA user_version = 0");
    assert!(Storage::open(folder.path()).unwrap_err().to_string().contains("has version 0"));
}

/// Since version 12 an id may be a text. Those that were numbers stay numbers.
#[tokio::test]
async fn ids_of_an_older_file_stay_what_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(FILE);
    let tables: String = [KIND.schema].iter().chain(&KIND.steps[..10]).copied().collect();
    sql(&file, &tables);
    sql(
        &file,
        &format!(
            "INSERT INTO timesheet (work_log, id, linked, shift) VALUES ('http://x/1', 7, 0, NULL), ('http://x/2', 10, 1, -1);
             INSERT INTO update_intent (work_log, id, before, sent, exported) VALUES ('http://x/1', 7, '{{}}', '{{}}', 1);
             INSERT INTO void_link VALUES ('http://x/3', 9), ('http://x/3', 10);
             PRAGMA application_id = {}; PRAGMA user_version = 11",
            KIND.application_id
        ),
    );
    let storage = Storage::open(folder.path()).unwrap();
    let ids = |table: &'static str| {
        let ids = storage.write_now(move |file| {
            file.prepare(&format!("SELECT id FROM {table} ORDER BY id"))?
                .query_map([], |row| row.get::<_, EntryId>(0))?
                .collect::<rusqlite::Result<Vec<_>>>()
        });
        ids.unwrap()
    };
    let numbers = |numbers: &[u64]| numbers.iter().copied().map(EntryId::number).collect::<Vec<_>>();
    assert_eq!(ids("timesheet"), numbers(&[7, 10]));
    assert_eq!((ids("update_intent"), ids("void_link")), (numbers(&[7]), numbers(&[9, 10])));
    let text = EntryId::parse("64c777ddd3fcab07cfbb210c", IdSyntax::ObjectIds).unwrap();
    let add = move |work_log: &'static str| {
        move |file: &Connection| {
            let insert = "INSERT INTO timesheet (work_log, id, linked) VALUES (?1, ?2, 0)";
            file.execute(insert, rusqlite::params![work_log, text])
        }
    };
    assert_eq!(storage.write_now(add("http://x/4")), Ok(1));
    assert!(storage.write_now(add("http://x/5")).is_err(), "no two work logs have one timesheet");
    assert_eq!(ids("timesheet"), [numbers(&[7, 10]), vec![text]].concat());
    let indexes = storage.write_now(|file| {
        let indexes = "SELECT count(*) FROM sqlite_master WHERE type = 'index' AND name LIKE 'timesheet_%'";
        file.query_row(indexes, [], |row| row.get::<_, i64>(0))
    });
    assert_eq!(indexes, Ok(3));
}

/// Killed while it made the file: what it left is in nobody's way.
#[tokio::test]
async fn a_start_that_was_cut_off_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(format!("{FILE}.new-0")), "").unwrap();
    put(&queue(&Storage::open(folder.path()).unwrap()), 0..1).await.unwrap();
}

/// A bad row in one place is not always seen; but nothing that is opened makes the process fall over.
#[test]
fn a_file_with_random_bytes_is_opened_or_refused() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let (folder, file) = runtime.block_on(filled());
    let whole = fs::read(&file).unwrap();
    let size = whole.len();
    proptest!(ProptestConfig::with_cases(200), |(holes in prop::collection::vec((0..size, any::<[u8; 24]>()), 1..4))| {
        let mut bytes = whole.clone();
        for (at, rubbish) in &holes {
            bytes.iter_mut().skip(*at).zip(rubbish).for_each(|(byte, rubbish)| *byte = *rubbish);
        }
        fs::write(&file, bytes).unwrap();
        let opened = Storage::open_single(folder.path()).and_then(|storage| {
            SqliteQueue::open(storage, Clock::starting_at(Timestamp::UNIX_EPOCH, TimeZone::UTC))
        });
        match opened {
            Ok(queue) => drop(runtime.block_on(put(&queue, 0..3_000))),
            Err(fault) => prop_assert!(fault.to_string().contains(FILE), "{}", fault),
        }
        let _ = fs::remove_file(folder.path().join(format!("{FILE}-wal")));
    });
}

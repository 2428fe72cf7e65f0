//! An in-memory storage that outlives the service, for simulations: after a restart it has what was committed, without
//! the cost of a file system.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use rusqlite::Connection;

use super::group_commit::{Health, Writer};
use super::{Drive, IN_MEMORY, Inner, KIND, Storage};

/// A substitute for the data directory.
pub(crate) struct Memory {
    name: String,
    /// Keeps the database alive: SQLite drops it with the last connection.
    keeper: Connection,
}

impl Memory {
    /// An empty database.
    pub(crate) fn fresh() -> Self {
        let made = Self::bare();
        KIND.make_tables(&made.keeper).expect("memory can be written");
        made
    }

    /// A copy of the current content, as in a backup.
    pub(crate) fn copy(&self) -> Self {
        let made = Self::bare();
        self.keeper.execute("VACUUM INTO ?1", [&made.name]).expect("memory can be copied");
        made
    }

    /// A database without tables.
    fn bare() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("file:memory-{number}?mode=memory&cache=shared");
        let keeper = Connection::open(&name).expect("memory can be opened");
        Self { name, keeper }
    }

    /// Opens it, as at a start of the service. Each write is its own commit, done by its caller.
    pub(crate) fn open(&self) -> Storage {
        let connection = Connection::open(&self.name).expect("memory can be opened");
        let health = Arc::new(Health::new(IN_MEMORY.into()));
        let writer = Writer::new(connection, Arc::clone(&health), None);
        Storage { inner: Arc::new(Inner { drive: Drive::Caller(Box::new(Mutex::new(writer))), health }) }
    }
}

#[tokio::test]
async fn what_was_committed_is_there_after_a_restart_and_nowhere_else() {
    let (one, other) = (Memory::fresh(), Memory::fresh());
    let read = |connection: &Connection| {
        connection.query_row("SELECT id FROM high_water", [], |row| row.get::<_, i64>(0))
    };
    one.open().write(|file| file.execute("UPDATE high_water SET id = 7", []).map(drop)).await.unwrap();
    let second = one.open();
    let failed = second.write(|file| {
        file.execute("UPDATE high_water SET id = 8", [])?;
        file.execute("no SQL", []).map(drop)
    });
    failed.await.unwrap_err();
    assert_eq!(one.open().write(read).await, Ok(7));
    assert_eq!(other.open().write(read).await, Ok(0));
}

#[tokio::test]
async fn a_copy_is_what_was_there_when_it_was_made() {
    let set =
        |id: i64| move |connection: &Connection| connection.execute("UPDATE high_water SET id = ?1", [id]);
    let read = |connection: &Connection| {
        connection.query_row("SELECT id FROM high_water", [], |row| row.get::<_, i64>(0))
    };
    let memory = Memory::fresh();
    let open = memory.open();
    open.write(set(7)).await.unwrap();
    let copy = memory.copy();
    open.write(set(8)).await.unwrap();
    let again = copy.copy();
    copy.open().write(set(9)).await.unwrap();
    assert_eq!(open.write(read).await, Ok(8));
    assert_eq!(copy.open().write(read).await, Ok(9));
    assert_eq!(again.open().write(read).await, Ok(7));
}

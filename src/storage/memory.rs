//! A storage in memory that outlives the service, for simulations: after a restart it has what was committed, and
//! no file system takes most of their time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use rusqlite::Connection;

use super::group::{Health, Writer};
use super::{Drive, IN_MEMORY, Inner, KIND, Storage};

/// What stands for the data directory.
pub(crate) struct Memory {
    name: String,
    /// SQLite forgets it with the last connection.
    _keeper: Connection,
}

impl Memory {
    /// An empty one.
    pub(crate) fn fresh() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("file:memory-{number}?mode=memory&cache=shared");
        let keeper = Connection::open(&name).expect("memory can be opened");
        KIND.make_tables(&keeper).expect("memory can be written");
        Self { name, _keeper: keeper }
    }

    /// Opens it, as a start of the service does. Each write is a commit of its own, done by its caller.
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

//! The laws that every store keeps, in memory and on a file.

use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;

use super::memory::Memory;
use super::{SqliteJobs, SqliteLedger, SqliteQueue, SqliteReferences, Storage};
use crate::store::conformance::{Home, Open, Options};

/// Opens what `storage` holds.
fn open(storage: &Storage, options: &Options) -> Open {
    let queue = SqliteQueue::open(storage.clone(), options.clock.clone()).unwrap();
    let queue = queue.with_lease(options.lease).with_rechecks(&options.rechecks);
    let written = storage.clone();
    let fail = move |on: bool| {
        written.write_now(move |file| file.pragma_update(None, "query_only", on)).unwrap();
    };
    Open {
        queue: Arc::new(queue),
        ledger: Arc::new(SqliteLedger::open(storage.clone()).unwrap()),
        jobs: Arc::new(SqliteJobs::new(storage.clone())),
        references: Arc::new(SqliteReferences::new(storage.clone())),
        fail: Box::new(fail),
    }
}

pub(super) struct InMemory(Memory);

impl Home for InMemory {
    fn fresh() -> Self {
        Self(Memory::fresh())
    }

    fn open(&self, options: &Options) -> Open {
        open(&self.0.open(), options)
    }

    fn killed(&self) -> Self {
        Self(self.0.copy())
    }
}

pub(super) struct OnFile(TempDir);

/// A folder in memory if there is one: the laws do not depend on how long a disk takes.
fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.unwrap()
}

impl Home for OnFile {
    fn fresh() -> Self {
        Self(folder())
    }

    fn open(&self, options: &Options) -> Open {
        open(&Storage::open_single(self.0.path()).unwrap(), options)
    }

    fn killed(&self) -> Self {
        let to = folder();
        for file in std::fs::read_dir(self.0.path()).unwrap().map(|file| file.unwrap().path()) {
            std::fs::copy(&file, to.path().join(file.file_name().unwrap())).unwrap();
        }
        Self(to)
    }
}

mod in_memory {
    crate::store::conformance::suite!(crate::store::sqlite::conformance_tests::InMemory);
}

mod on_file {
    crate::store::conformance::suite!(crate::store::sqlite::conformance_tests::OnFile);
}

//! The state of the file after the last commit. Only this process may change it while it is in use, so any difference
//! before the next commit was made by something else. A few system calls detect it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::connection::beside;

/// The identity of the file behind a name.
type Identity = (u64, u64);

/// The metadata of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Look {
    identity: Identity,
    length: u64,
    /// Seconds and the remaining nanoseconds.
    modified: (i64, i64),
}

impl Look {
    /// None if the file does not exist.
    fn at(file: &Path) -> Option<Self> {
        let found = fs::metadata(file).ok()?;
        let identity = (found.dev(), found.ino());
        Some(Self { identity, length: found.len(), modified: (found.mtime(), found.mtime_nsec()) })
    }
}

/// What has happened to the file since the last commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// It is unchanged.
    None,
    /// Its name, or that of its journal, refers to another file or to none: what is written now would be lost.
    Gone,
    /// Something else has written to it or its journal, or truncated it.
    Touched,
}

/// The file and its journal.
pub(super) struct Watch {
    file: PathBuf,
    journal: PathBuf,
    opened: Option<Identity>,
    /// Both after the last commit.
    left: [Option<Look>; 2],
}

impl Watch {
    /// Watches `file`, which has just been opened.
    pub(super) fn of(file: PathBuf) -> Self {
        let journal = beside(&file, "-wal");
        let opened = Look::at(&file).map(|look| look.identity);
        let mut watch = Self { file, journal, opened, left: [None; 2] };
        watch.note();
        watch
    }

    /// Which file it is.
    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// Accepts the current state as that of our writer.
    pub(super) fn note(&mut self) {
        self.left = self.look();
    }

    /// What something else has done since.
    pub(super) fn change(&self) -> Change {
        let now = self.look();
        let identities = |looks: [Option<Look>; 2]| looks.map(|look| look.map(|look| look.identity));
        let ([file, journal], [_, left]) = (identities(now), identities(self.left));
        if file != self.opened || (left.is_some() && journal != left) {
            Change::Gone
        } else if now == self.left {
            Change::None
        } else {
            Change::Touched
        }
    }

    /// Accepts the current state after a commit, which only appends to the journal, unless anything else has changed.
    /// Returns whether it was accepted.
    pub(super) fn note_commit(&mut self) -> bool {
        let (now, left) = (self.look(), self.left);
        let has_grown = match (left[1], now[1]) {
            (Some(left), Some(now)) => left.identity == now.identity && left.length <= now.length,
            (left, _) => left.is_none(),
        };
        let only_grown = now[0] == left[0] && has_grown;
        if only_grown {
            self.left = now;
        }
        only_grown
    }

    /// How long the journal is, in bytes.
    pub(super) fn journal_length(&self) -> u64 {
        self.left[1].map_or(0, |journal| journal.length)
    }

    fn look(&self) -> [Option<Look>; 2] {
        [Look::at(&self.file), Look::at(&self.journal)]
    }
}

//! One check and its outcome.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::text::words;

/// The result of a check, in order of severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    /// It could not run.
    Unknown,
    /// No problem.
    Well,
    /// It works, but something will be missing.
    Warning,
    /// Work logs are not synced.
    Trouble,
}

words!(Health { Unknown => "unknown", Well => "well", Warning => "warning", Trouble => "trouble" });

/// One check: what was checked, its result, and how to fix it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Check {
    /// A stable name for programs, like `queue-file`.
    pub id: String,
    /// What was checked, for people.
    pub name: String,
    /// The result.
    pub verdict: Health,
    /// What was found, in one line.
    pub says: String,
    /// How to fix it; none without a problem.
    pub help: Option<String>,
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.says)?;
        self.help.as_ref().map_or(Ok(()), |help| write!(f, " To do: {help}"))
    }
}

/// What a check is about: its ID and its name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Topic(pub(crate) &'static str, pub(crate) &'static str);

impl Topic {
    pub(crate) fn well(self, says: impl Into<String>) -> Check {
        self.check(Health::Well, says, None)
    }

    pub(crate) fn warning(self, says: impl Into<String>, help: impl Into<String>) -> Check {
        self.check(Health::Warning, says, Some(help.into()))
    }

    pub(crate) fn trouble(self, says: impl Into<String>, help: impl Into<String>) -> Check {
        self.check(Health::Trouble, says, Some(help.into()))
    }

    pub(crate) fn unknown(self, says: impl Into<String>, help: impl Into<String>) -> Check {
        self.check(Health::Unknown, says, Some(help.into()))
    }

    fn check(self, verdict: Health, says: impl Into<String>, help: Option<String>) -> Check {
        let Self(id, name) = self;
        let one_line = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
        Check {
            id: id.to_owned(),
            name: name.to_owned(),
            verdict,
            says: one_line(says.into()),
            help: help.map(one_line),
        }
    }
}

/// Some of `names`, and how many more.
pub(super) fn some(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

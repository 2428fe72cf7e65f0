//! A finding of a sweep: one difference between the two sides, the action, and what holds it back. Pure.

use serde::{Deserialize, Serialize};

use super::diff::ObservedEntry;
use super::ids::{EntryId, WorkLogUri};
use super::timesheet::DesiredEntry;
use crate::text::words;

/// The kind of difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A work log without a timesheet.
    Missing,
    /// A timesheet whose values differ from its work log.
    Changed,
    /// A timesheet that Kimai's rounding reduces to zero hours.
    ZeroHours,
    /// A timesheet that Kimai's reports show on another day.
    WrongDay,
    /// A work log linked to a timesheet that Kimai does not have.
    Gone,
    /// A timesheet on a day of the period whose work log is on another one, or the other way round.
    Moved,
    /// A timesheet to which several work logs are linked.
    SharedLink,
    /// A work log linked to several timesheets.
    DoubleLink,
    /// A deleted work log that still has its link.
    Dangling,
    /// A timesheet that no work log is linked to.
    Orphan,
    /// The same, but it matches a work log without a timesheet.
    Adoptable,
    /// A work log that cannot be synced as it is.
    Incomplete,
}

words!(Kind {
    Missing => "missing",
    Changed => "changed",
    ZeroHours => "zero-hours",
    WrongDay => "wrong-day",
    Gone => "gone",
    Moved => "moved",
    SharedLink => "shared-link",
    DoubleLink => "double-link",
    Dangling => "dangling",
    Orphan => "orphan",
    Adoptable => "adoptable",
    Incomplete => "incomplete",
});

/// The action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// The work log is queued, and reconciled like after a delta.
    Settle,
    /// The work log adopts the timesheet.
    Adopt,
    /// The timesheet is deleted.
    Delete,
}

words!(Action { Settle => "settle", Adopt => "adopt", Delete => "delete" });

/// Why a deletion is held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hold {
    /// There are more of their kind than one sweep may delete, or not exactly those that were confirmed.
    Unconfirmed,
    /// The triplestore returned no work logs for the period.
    NoWorkLogs,
    /// It is exported in Kimai: it may be on an invoice.
    Exported,
    /// It was changed in Kimai a moment ago.
    Recent,
    /// `SWEEP_DELETE_ORPHANS` is off.
    TurnedOff,
    /// A work log may be about to be linked to it.
    Claimed,
    /// Kimai refused to delete it, or failed.
    Refused,
    /// Kimai has lost timesheets: nothing is done until somebody has confirmed the plan to rebuild the links.
    KimaiLostData,
}

words!(Hold {
    Unconfirmed => "unconfirmed",
    NoWorkLogs => "no-work-logs",
    Exported => "exported",
    Recent => "recent",
    TurnedOff => "turned-off",
    Claimed => "claimed",
    Refused => "refused",
    KimaiLostData => "kimai-lost-data",
});

impl Hold {
    /// The text for people.
    pub fn explain(self) -> &'static str {
        match self {
            Self::Unconfirmed => {
                "more deletions than SWEEP_MAX_DELETIONS or SWEEP_MAX_TOMBSTONES allow, or others than were confirmed; look at them, then confirm with the key"
            }
            Self::NoWorkLogs => {
                "the triplestore shows no work log at all for the period; kimai-sync doctor says whether it hides something"
            }
            Self::Exported => "it is exported in Kimai, and may be on an invoice",
            Self::Recent => "it was changed in Kimai within SWEEP_GRACE; the next sweep looks again",
            Self::TurnedOff => "SWEEP_DELETE_ORPHANS is off",
            Self::Claimed => "a work log may be about to be linked to it; the next sweep looks again",
            Self::Refused => "Kimai did not delete it; the faults of the run say why",
            Self::KimaiLostData => {
                "Kimai has lost timesheets; look at all findings, then confirm with the key that the links are rebuilt"
            }
        }
    }
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What differs.
    pub kind: Kind,
    /// The work log it is about; an orphan has none.
    pub work_log: Option<WorkLogUri>,
    /// The timesheets it is about, lowest id first.
    pub timesheets: Vec<EntryId>,
    /// The timesheet that the work log should have, if it is complete.
    pub wanted: Option<DesiredEntry>,
    /// The first of the timesheets as Kimai holds it, if it was read.
    pub found: Option<ObservedEntry>,
    /// What differs, in words for an office worker.
    pub reason: String,
    /// The action.
    pub action: Action,
    /// What holds the action back.
    pub held: Option<Hold>,
}

impl Finding {
    /// A timesheet of no work log, which is to be deleted.
    #[cfg(test)]
    pub(crate) fn orphan(id: u64, held: Option<Hold>) -> Self {
        Self {
            kind: Kind::Orphan,
            work_log: None,
            timesheets: vec![EntryId::number(id)],
            wanted: None,
            found: None,
            reason: "no work log is linked to it".to_owned(),
            action: Action::Delete,
            held,
        }
    }

    /// Whether the action deletes a timesheet.
    pub fn deletes(&self) -> bool {
        matches!(self.kind, Kind::Dangling | Kind::Orphan)
    }
}

/// What waits for confirmation: exactly these deletions, as they were seen, and exactly these lost links.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unconfirmed(Vec<Finding>);

impl Unconfirmed {
    /// Those of `findings` that a confirmation would release.
    pub fn of(findings: &[Finding]) -> Self {
        let held = findings.iter().filter_map(|finding| match finding.held {
            Some(Hold::Unconfirmed) => Some(finding.clone()),
            // For these only the owner matters: people go on changing their work logs meanwhile.
            Some(Hold::KimaiLostData) if finding.kind == Kind::Gone => {
                Some(Finding { wanted: None, found: None, reason: String::new(), ..finding.clone() })
            }
            _ => None,
        });
        Self(held.collect())
    }

    /// Whether there is nothing to confirm.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many deletions and links there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    fn has(&self, kind: Kind) -> bool {
        self.0.iter().any(|finding| finding.kind == kind)
    }
}

/// Holds back the deletions of `kind` among `findings` that nothing else does, where there are more than `most`, or
/// `all` wait for confirmation. An orphan is deleted for want of evidence, a deleted work log has left some: each has a
/// bound of its own, and neither holds up the other.
pub fn hold_beyond(
    findings: &mut [Finding],
    kind: Kind,
    most: usize,
    confirmed: Option<&Unconfirmed>,
    all: bool,
) {
    let waits = |finding: &&mut Finding| finding.kind == kind && finding.held.is_none();
    let count = findings.iter_mut().filter(waits).count();
    // What somebody confirmed is done as it was seen or not at all, also when fewer are left of it.
    if count > most || all || confirmed.is_some_and(|confirmed| confirmed.has(kind)) {
        for finding in findings.iter_mut().filter(waits) {
            finding.held = Some(Hold::Unconfirmed);
        }
    }
}

/// A work log without a timesheet, and a timesheet that was created for it: only the link is missing.
pub fn join_links(findings: &mut Vec<Finding>) {
    let claimed = |finding: &Finding| finding.kind == Kind::Orphan && finding.work_log.is_some();
    let (claims, rest): (Vec<Finding>, Vec<Finding>) =
        std::mem::take(findings).into_iter().partition(claimed);
    *findings = rest;
    for claim in claims {
        let mut missing = findings.iter_mut().filter(|finding| finding.kind == Kind::Missing);
        let Some(of) =
            missing.find(|finding| finding.work_log == claim.work_log && finding.timesheets.is_empty())
        else {
            findings.push(claim);
            continue;
        };
        let id = claim.timesheets.first().map(ToString::to_string).unwrap_or_default();
        of.reason = format!("timesheet {id} was made for it, or may have been, and its link is missing");
        (of.timesheets, of.found) = (claim.timesheets, claim.found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(kind: Kind, work_log: Option<&str>, ids: &[u64]) -> Finding {
        let work_log = work_log.map(|name| WorkLogUri::parse(&format!("http://x/{name}")).unwrap());
        let timesheets = ids.iter().copied().map(EntryId::number).collect();
        let (action, held) = match (kind, &work_log) {
            (Kind::Orphan, Some(_)) => (Action::Delete, Some(Hold::Claimed)),
            (Kind::Orphan, None) => (Action::Delete, None),
            _ => (Action::Settle, None),
        };
        Finding { kind, work_log, timesheets, wanted: None, found: None, reason: String::new(), action, held }
    }

    #[test]
    fn a_removed_link_is_one_finding_and_nobodys_timesheet_stays_its_own() {
        let mut findings = vec![
            finding(Kind::Missing, Some("a"), &[]),
            finding(Kind::Missing, Some("b"), &[]),
            finding(Kind::Orphan, Some("a"), &[7]),
            finding(Kind::Orphan, Some("elsewhere"), &[8]),
            finding(Kind::Orphan, None, &[9]),
        ];
        join_links(&mut findings);
        let told: Vec<(Kind, Vec<u64>)> = findings
            .iter()
            .map(|finding| {
                (finding.kind, finding.timesheets.iter().filter_map(|id| id.as_number()).collect())
            })
            .collect();
        let (missing, orphan) = (Kind::Missing, Kind::Orphan);
        assert_eq!(told, [(missing, vec![7]), (missing, vec![]), (orphan, vec![9]), (orphan, vec![8])]);
        assert!(findings[0].reason.contains("timesheet 7 was made for it"), "{}", findings[0].reason);
        assert_eq!(findings[0].held, None);
    }

    fn of(kind: Kind, ids: std::ops::Range<u64>) -> Vec<Finding> {
        ids.map(|id| Finding { held: None, ..finding(kind, None, &[id]) }).collect()
    }

    #[test]
    fn orphans_and_deleted_work_logs_have_each_their_bound() {
        let confirmed = |kind, ids| {
            let mut seen = of(kind, ids);
            hold_beyond(&mut seen, kind, 0, None, false);
            Some(Unconfirmed::of(&seen))
        };
        // Orphans, deleted work logs, what was confirmed, whether all wait; how many of each are held.
        let table = [
            (20, 25, None, false, (0, 0)),
            (21, 25, None, false, (21, 0)),
            (20, 1_001, None, false, (0, 1_001)),
            (21, 1_001, None, false, (21, 1_001)),
            (1, 1, None, true, (1, 1)),
            (15, 25, confirmed(Kind::Orphan, 0..21), false, (15, 0)),
            (15, 25, confirmed(Kind::Dangling, 0..21), false, (0, 25)),
            (15, 25, Some(Unconfirmed::default()), false, (0, 0)),
        ];
        for (orphans, left, confirmed, all, wanted) in table {
            let mut findings = of(Kind::Orphan, 0..orphans);
            findings.extend(of(Kind::Dangling, 5_000..5_000 + left));
            findings.extend(of(Kind::Missing, 9_000..9_100));
            for (kind, most) in [(Kind::Orphan, 20), (Kind::Dangling, 1_000)] {
                hold_beyond(&mut findings, kind, most, confirmed.as_ref(), all);
            }
            let held = |kind| {
                findings.iter().filter(|finding| finding.kind == kind && finding.held.is_some()).count()
            };
            assert_eq!((held(Kind::Orphan), held(Kind::Dangling)), wanted, "{orphans} {left} {all}");
            assert_eq!(held(Kind::Missing), 0);
        }
    }
}

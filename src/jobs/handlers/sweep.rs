//! The handler of sweeps and plans.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::domain::finding::Kind;
use crate::domain::hours::clock;
use crate::jobs::Done;
use crate::reconcile::sweep::Report;
use crate::text::many;

/// Counts of all kinds, including zeros.
pub(super) fn done(report: Report, acted: bool) -> Done {
    let Report {
        work_logs,
        timesheets,
        unreadable,
        queued,
        deleted,
        adopted,
        held,
        rounded,
        findings,
        work_logs_queued,
    } = report;
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for kind in Kind::ALL {
        counts.insert(kind.word().to_owned(), 0);
    }
    for finding in &findings {
        *counts.entry(finding.kind.word().to_owned()).or_default() += 1;
    }
    let some = |(count, noun): (usize, &str)| many(count as u64, noun);
    let [logs, sheets, differences] =
        [(work_logs, "work log"), (timesheets, "timesheet"), (findings.len(), "difference")].map(some);
    let mut message = format!("{logs} and {sheets} compared, {differences} found");
    if unreadable > 0 {
        let _ = write!(message, ", {} from Kimai could not be read", some((unreadable, "row")));
    }
    let mut numbers =
        vec![("work-logs", work_logs), ("timesheets", timesheets), ("unreadable-rows", unreadable)];
    if acted {
        numbers.extend([("queued", queued), ("deleted", deleted), ("adopted", adopted)]);
        let [logs, sheets] = [(queued, "work log"), (deleted, "timesheet")].map(some);
        let _ = write!(message, ": {logs} queued, {sheets} deleted, {adopted} adopted");
    }
    let _ = write!(message, ", {} held back.", some((held, "deletion")));
    counts.extend(numbers.into_iter().map(|(name, count)| (name.to_owned(), count as u64)));
    let counted: i64 = rounded.iter().map(|month| month.counted - month.said).sum();
    let timesheets: u64 = rounded.iter().map(|month| month.timesheets).sum();
    if timesheets > 0 {
        let sign = if counted < 0 { "" } else { "+" };
        let sheets = many(timesheets, "timesheet");
        let _ = write!(message, " Kimai rounded {sheets}: {sign}{} in total.", clock(counted));
    }
    Done { counts, held, rounded, findings, queued: work_logs_queued, message }
}

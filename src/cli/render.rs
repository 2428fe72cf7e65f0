//! Renders runs and plans for a terminal or a pipe.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use crate::domain::hours::RoundedMonth;
use crate::escape::for_terminal;
use crate::jobs::Queued;
use crate::text::second;

/// The maximum width of each column except the last, in characters.
const WIDTHS: [usize; 5] = [30, 12, 11, 34, 34];
const HEADINGS: [&str; 6] = ["work log", "timesheets", "kind", "triplestore", "Kimai", "reason"];

/// How often the spinner moves.
const TICK: Duration = Duration::from_millis(100);

/// Prints to stdout, without terminal control characters. If stdout is closed, nobody wants to read on.
pub(super) fn print(text: &str) {
    let _ = writeln!(io::stdout(), "{}", for_terminal(text));
}

/// Shows the progress of a run on stderr: a bar on a terminal, otherwise one line per phase.
pub(super) struct Meter {
    bar: Option<ProgressBar>,
    phase: String,
}

impl Meter {
    pub(super) fn new() -> Self {
        let bar = io::stderr().is_terminal().then(ProgressBar::new_spinner);
        Self { bar, phase: String::new() }
    }

    /// Shows what is going on until an answer arrives, on a terminal only.
    pub(super) fn waiting(what: String) -> Self {
        let meter = Self::new();
        if let Some(bar) = &meter.bar {
            bar.set_message(what);
            bar.enable_steady_tick(TICK);
        }
        meter
    }

    /// Shows the new state of the run.
    pub(super) fn tell(&mut self, run: &Value) {
        let told = attributes(run);
        let (phase, total) = (phase(run), at(told, "/total").as_u64());
        match &self.bar {
            Some(bar) => {
                let template = match (total, queued(run)) {
                    (Some(_), Some(_)) => "{bar:30} {msg}",
                    (Some(_), None) => "{bar:30} {pos}/{len} {msg}",
                    (None, _) => "{spinner} {msg}",
                };
                if let Ok(style) = ProgressStyle::with_template(template) {
                    bar.set_style(style);
                }
                bar.set_length(total.unwrap_or_default());
                bar.set_position(at(told, "/done").as_u64().unwrap_or_default());
                bar.set_message(queued(run).map_or(phase, Queued::in_words));
                bar.tick();
            }
            None if phase != self.phase => {
                let of = total.map(|total| format!(" ({total})")).unwrap_or_default();
                let _ = writeln!(io::stderr(), "{phase}{of}");
                self.phase = phase;
            }
            None => {}
        }
    }

    pub(super) fn end(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

/// How many of the work logs that a sweep queued are synced, once the comparison is done.
fn queued(run: &Value) -> Option<Queued> {
    let told = attributes(run);
    at(told, "/compared").as_str()?;
    serde_json::from_value(at(told, "/queued").clone()).ok()
}

fn phase(run: &Value) -> String {
    let told = attributes(run);
    let name = format!("{} of {}", text(at(told, "/kind")), text(at(told, "/what")));
    match (text(at(told, "/state")), text(at(told, "/waits-for")), text(at(told, "/phase"))) {
        ("waiting", "", "") => format!("{name}: waiting"),
        ("waiting", "", phase) => format!("{name}: waiting; {phase}"),
        ("waiting", other, _) => format!("{name}: waiting for run {other} to end"),
        (state, _, "") => format!("{name}: {state}"),
        (_, _, phase) => format!("{name}: {phase}"),
    }
}

/// A summary of a run, in lines.
pub(super) fn summary(run: &Value) -> String {
    let told = attributes(run);
    let goes_on = at(told, "/ended").is_null();
    let mut lines = format!(
        "Run {}, {} of {}: {} after {:.1} s.",
        text(at(run, "/id")),
        text(at(told, "/kind")),
        text(at(told, "/what")),
        if goes_on { "compared" } else { text(at(told, "/state")) },
        at(told, "/seconds").as_f64().unwrap_or_default()
    );
    if let Some(message) = at(told, "/message").as_str() {
        let _ = write!(lines, "\n{message}");
    }
    if let Some(queued) = queued(run).filter(|_| goes_on) {
        let _ = write!(lines, "\nSyncing continues: {}. Use --wait to wait for it.", queued.in_words());
    }
    let found = at(told, "/findings").as_u64().unwrap_or_default();
    if found > 0 {
        let _ = write!(lines, "\nFound: {}.", counts(at(told, "/counts")));
    }
    lines.push_str(&rounded(at(told, "/rounded")));
    for fault in at(told, "/faults").as_array().into_iter().flatten() {
        let _ = write!(lines, "\nFailed: {}", text(fault));
    }
    let (shown, all) =
        (at(told, "/faults").as_array().map_or(0, Vec::len), at(told, "/faults-in-all").as_u64());
    let more = all.unwrap_or_default().saturating_sub(shown as u64);
    if more > 0 {
        let _ = write!(lines, "\nand {more} more failures");
    }
    lines
}

/// What Kimai rounded, a line for each month.
pub(super) fn rounded(months: &Value) -> String {
    let months: Vec<RoundedMonth> = serde_json::from_value(months.clone()).unwrap_or_default();
    months.iter().fold(String::new(), |lines, month| format!("{lines}\n{month}"))
}

/// How many findings there are of each kind, without those that have none.
pub(super) fn counts(counts: &Value) -> String {
    let kinds = crate::domain::finding::Kind::ALL.into_iter().map(crate::domain::finding::Kind::word);
    let some = kinds.filter_map(|kind| {
        Some((kind, at(counts, &format!("/{kind}")).as_u64().filter(|count| *count > 0)?))
    });
    let words: Vec<String> = some.map(|(kind, count)| format!("{count} {kind}")).collect();
    if words.is_empty() { "no difference".to_owned() } else { words.join(", ") }
}

/// The header of a plan's table.
pub(super) fn head() -> String {
    row(&HEADINGS.map(str::to_owned))
}

/// One finding as a row of the table, with times in `zone`.
pub(super) fn finding(finding: &Value, zone: &TimeZone) -> String {
    let told = attributes(finding);
    let ids = at(told, "/timesheets").as_array().into_iter().flatten();
    let ids: Vec<String> = ids.map(ToString::to_string).collect();
    let mut reason = text(at(told, "/reason")).to_owned();
    if let Some(held) = at(told, "/held-because").as_str() {
        let _ = write!(reason, " [held back: {held}]");
    }
    row(&[
        text(at(told, "/work-log")).to_owned(),
        ids.join(" "),
        text(at(told, "/kind")).to_owned(),
        side(at(told, "/triplestore"), zone),
        side(at(told, "/kimai"), zone),
        reason,
    ])
}

fn row(cells: &[String; 6]) -> String {
    columns(&cells.each_ref().map(String::as_str), &WIDTHS)
}

/// Cells in columns of these widths; the last one has any width.
pub(super) fn columns(cells: &[&str], widths: &[usize]) -> String {
    let mut line = String::new();
    let Some((last, columns)) = cells.split_last() else { return line };
    for (cell, &width) in columns.iter().zip(widths) {
        let cell = shorten(cell, width);
        let _ = write!(line, "{cell:<width$}  ");
    }
    line.push_str(last);
    line.trim_end().to_owned()
}

/// Prints an error: text on standard error, or with `json` a JSON:API document on standard output.
pub(super) fn error(words: &str, json: bool) {
    if json {
        print(&serde_json::json!({"errors": [{"title": "The command failed", "detail": words}]}).to_string());
    } else {
        eprintln!("kimai-sync: {}", for_terminal(words));
    }
}

/// The elements of a list; empty if `value` is not a list.
pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// An instant formatted in `zone`; any other text as it is.
pub(super) fn moment(value: &Value, zone: &TimeZone) -> String {
    let instant = value.as_str().and_then(|text| text.parse::<Timestamp>().ok());
    instant.map_or_else(|| text(value).to_owned(), |instant| second(instant, zone))
}

/// Cuts text longer than `width` at its front: IRIs differ at their end.
fn shorten(text: &str, width: usize) -> String {
    let surplus = text.chars().count().saturating_sub(width);
    if surplus == 0 {
        text.to_owned()
    } else {
        format!("…{}", text.chars().skip(surplus + 1).collect::<String>())
    }
}

/// Begin, end, and the IDs of project, activity and user.
fn side(side: &Value, zone: &TimeZone) -> String {
    let instant =
        |name: &str| at(side, &format!("/{name}")).as_str().and_then(|text| text.parse::<Timestamp>().ok());
    let Some(begin) = instant("begin") else { return "–".to_owned() };
    let zoned = |instant: Timestamp| instant.to_zoned(zone.clone());
    let (begin, end) = (zoned(begin), instant("end").map(zoned));
    let until = match end {
        None => "…".to_owned(),
        Some(end) if end.date() == begin.date() => end.strftime("%H:%M").to_string(),
        Some(end) => end.strftime("%d. %H:%M").to_string(),
    };
    let id = |name: &str| {
        at(side, &format!("/{name}")).as_u64().map_or_else(|| "–".to_owned(), |id| id.to_string())
    };
    format!(
        "{}-{until} {}/{}/{}",
        begin.strftime("%Y-%m-%d %H:%M"),
        id("project"),
        id("activity"),
        id("user")
    )
}

pub(super) fn attributes(resource: &Value) -> &Value {
    resource.get("attributes").unwrap_or(&Value::Null)
}

/// The value at a JSON pointer, or null.
pub(super) fn at<'a>(value: &'a Value, pointer: &str) -> &'a Value {
    value.pointer(pointer).unwrap_or(&Value::Null)
}

/// The text of a value, or an empty string.
pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_finding_is_a_line_with_both_sides_and_what_holds_it_back() {
        let resource = json!({"attributes": {
            "kind": "changed", "work-log": "http://timekeeper.redpencil.io/work-logs/67BF1C2E9F3B7A0009000001",
            "timesheets": [12, 13], "reason": "the end differs", "held-because": null,
            "triplestore": {"begin": "2024-09-01T22:00:00Z", "end": "2024-09-02T06:00:00Z", "project": 1, "activity": 2, "user": 3},
            "kimai": {"begin": "2024-09-01T22:00:00Z", "end": "2024-09-02T23:30:00Z", "project": null, "activity": 2, "user": 3},
        }});
        let cells = [
            "…logs/67BF1C2E9F3B7A0009000001",
            "12 13       ",
            "changed    ",
            "2024-09-02 00:00-08:00 1/2/3      ",
            "2024-09-02 00:00-03. 01:30 –/2/3",
            "the end differs",
        ];
        let zone = TimeZone::get("Europe/Brussels").unwrap();
        let line = finding(&resource, &zone);
        for cell in cells {
            assert!(line.contains(cell), "{cell:?} is not in {line:?}");
        }
        assert!(head().find("reason").unwrap() < line.chars().count());
        let orphan = json!({"attributes": {"kind": "orphan", "timesheets": [7], "reason": "nobody's", "held-because": "too many"}});
        assert!(finding(&orphan, &zone).ends_with("nobody's [held back: too many]"));
        let months = json!([{"month": "2024-09", "timesheets": 1, "said": 27360, "counted": 27900}]);
        assert_eq!(
            rounded(&months),
            "\n2024-09: Kimai counts 7:45 for 7:36 in 1 timesheet, rounding (+0:09)"
        );
        assert_eq!(rounded(&Value::Null), "");
        assert_eq!(counts(&json!({"orphan": 2, "missing": 0, "work-logs": 9})), "2 orphan");
    }
}

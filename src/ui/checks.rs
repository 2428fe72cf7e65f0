//! The results of the doctor's checks.

use maud::{Markup, html};

use super::icons::Icon;
use super::labels;
use super::time::Moment;
use crate::doctor::{Check, Health, Report};

/// How many checks found that work logs are not synced.
pub(super) fn trouble(report: Option<&Report>) -> usize {
    report.map_or(0, |report| report.count(Health::Trouble))
}

/// The number of failed checks, as text.
pub(super) fn words(trouble: usize) -> String {
    format!("{} failed", labels::count(trouble as u64, "check", "checks"))
}

/// The part `checks`: what needs attention is expanded, the rest is collapsed.
pub(super) fn render(report: Option<&Report>, moment: &Moment) -> Markup {
    html! {
        section id="checks" class="card" aria-labelledby="checks-title" {
            div class="card-head" {
                h2 id="checks-title" { "Checks" }
                form class="inline" action="/do/check" method="post" {
                    input type="hidden" name="back" value="/";
                    button type="submit" id="check" { "Check again" }
                }
            }
            @match report {
                None => p class="empty" { "Not run yet. They check everything that syncing needs." },
                Some(report) => (checks(report, moment)),
            }
        }
    }
}

fn checks(report: &Report, moment: &Moment) -> Markup {
    let (well, other): (Vec<&Check>, Vec<&Check>) =
        report.checks.iter().partition(|check| check.verdict == Health::Well);
    html! {
        @if other.is_empty() { p { (Icon::Good.with("No problems found")) } }
        @else { ul class="plain check-list" { @for check in &other { (line(check)) } } }
        @if !well.is_empty() {
            details {
                summary { (labels::count(well.len() as u64, "check", "checks")) " passed" }
                ul class="plain check-list" { @for check in &well { (line(check)) } }
            }
        }
        p class="note" { "Run " (moment.relative(report.at)) "; connections, queue, sweeps and deltas are current." }
    }
}

fn line(check: &Check) -> Markup {
    let (icon, verdict) = match check.verdict {
        Health::Well => (Icon::Good, "well"),
        Health::Warning => (Icon::Warning, "warning"),
        Health::Trouble => (Icon::Bad, "trouble"),
        Health::Unknown => (Icon::Neutral, "unknown"),
    };
    html! {
        li data-key=(check.id) {
            p { (icon.icon()) " " strong { (check.name) } span class="unseen" { " (" (verdict) ")" } ": " (labels::sentence(&check.says)) }
            @if let Some(help) = &check.help { p class="to-do" { (labels::sentence(help)) } }
        }
    }
}

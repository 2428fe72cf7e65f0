//! A chart of the last 24 hours: what was synced, what failed, and how long it took.

use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};

use super::labels;
use super::time::Moment;
use crate::store::Slot;
use crate::store::queue::SLOT as LENGTH;

/// How long one slot is, in seconds.
const SLOT: i64 = LENGTH.as_secs().cast_signed();
/// The number of slots in the chart.
const SLOTS: i64 = 144;
/// The height of the upper chart, including the failures below the line.
const HEIGHT: f64 = 100.0;
/// The smallest visible bar.
const LEAST: f64 = 3.0;

/// When the first slot of the chart begins.
pub(super) fn first(now: Timestamp) -> Timestamp {
    let current = now.as_second().div_euclid(SLOT) * SLOT;
    Timestamp::from_second(current - (SLOTS - 1) * SLOT).unwrap_or(Timestamp::MIN)
}

/// The sum of several slots.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Sum {
    synced: u64,
    failed: u64,
    seconds: f64,
    slowest: f64,
}

impl Sum {
    fn of<'a>(slots: impl IntoIterator<Item = &'a Slot>) -> Self {
        let mut sum = Self::default();
        for slot in slots {
            sum.synced += slot.synced;
            sum.failed += slot.failed;
            sum.seconds += slot.seconds;
            sum.slowest = sum.slowest.max(slot.slowest);
        }
        sum
    }

    #[expect(clippy::cast_precision_loss, reason = "a mean for people to read")]
    fn mean(&self) -> Option<f64> {
        (self.synced > 0).then(|| self.seconds / self.synced as f64)
    }
}

/// The part `pulse`. `beats` may leave out slots in which nothing happened; it is none if they cannot be read.
pub(super) fn render(slots: Option<&[Slot]>, moment: &Moment) -> Markup {
    let Some(slots) = slots else {
        return html! {
            section id="pulse" class="card" aria-labelledby="pulse-title" {
                h2 id="pulse-title" { "The last 24 hours" }
                p class="empty" { "The queue file cannot be read at the moment." }
            }
        };
    };
    let first = first(moment.now);
    let within: Vec<&Slot> = slots.iter().filter(|slot| slot.from >= first).collect();
    let sum = Sum::of(within.iter().copied());
    html! {
        section id="pulse" class="card" aria-labelledby="pulse-title" {
            h2 id="pulse-title" { "The last 24 hours" }
            p class="figures" {
                span { strong { (labels::number(sum.synced)) } " synced" }
                span { strong { (labels::number(sum.failed)) } @if sum.failed == 1 { " failed attempt" } @else { " failed attempts" } }
                @if let Some(mean) = sum.mean() {
                    span { strong { (labels::seconds(mean)) } " on average" }
                    span { strong { (labels::seconds(sum.slowest)) } " at most" }
                }
            }
            @if sum.synced + sum.failed == 0 {
                p class="empty" { "Nothing was synced in the last 24 hours. The chart appears with the first work log." }
            } @else {
                (figure(&within, first, moment))
            }
            (table(&within, first, moment))
        }
    }
}

fn figure(slots: &[&Slot], first: Timestamp, moment: &Moment) -> Markup {
    let most_synced = slots.iter().map(|slot| slot.synced).max().unwrap_or_default();
    let most_failed = slots.iter().map(|slot| slot.failed).max().unwrap_or_default();
    let slowest = slots.iter().map(|slot| slot.slowest).fold(0.0, f64::max);
    html! {
        // The table below has the same data for screen readers.
        div class="chart" aria-hidden="true" {
            div class="axis" {
                span { (labels::number(most_synced)) }
                @if most_failed > 0 { span { (labels::number(most_failed)) } } @else { span { "0" } }
            }
            (bars(slots, first, most_synced, most_failed))
            div class="axis" { span { (labels::seconds(slowest)) } span { "0 s" } }
            (latencies(slots, first, slowest))
            div {}
            div class="hours" {
                @for hours in [24, 18, 12, 6] {
                    span { (moment.clock(moment.now - SignedDuration::from_hours(hours))) }
                }
                span { "now" }
            }
        }
        p class="legend" aria-hidden="true" {
            span { svg viewBox="0 0 12 12" width="12" height="12" { rect class="synced" width="12" height="12" {} } "Synced per 10 minutes, upwards" }
            span { svg viewBox="0 0 12 12" width="12" height="12" { rect class="failed" width="12" height="12" {} } "Failed attempts, downwards" }
            span { svg viewBox="0 0 12 12" width="12" height="12" { rect class="slowest" width="12" height="12" {} rect class="mean" y="5" width="12" height="3" {} } "Time from change to Kimai: mean and longest" }
        }
    }
}

/// The index of a slot in the chart, from 0.
fn place(at: Timestamp, first: Timestamp) -> i64 {
    (at.duration_since(first).as_secs() / SLOT).clamp(0, SLOTS - 1)
}

#[expect(clippy::cast_precision_loss, reason = "a share of a chart's height")]
fn share(fragment: u64, whole: u64, height: f64) -> f64 {
    if fragment == 0 || whole == 0 { 0.0 } else { (fragment as f64 / whole as f64 * height).max(LEAST) }
}

fn bars(slots: &[&Slot], first: Timestamp, synced: u64, failed: u64) -> Markup {
    // Failures get proportional space, but enough to be visible.
    let below = if failed == 0 { 0.0 } else { share(failed, synced + failed, HEIGHT).clamp(18.0, 82.0) };
    let line = HEIGHT - below;
    html! {
        svg class="bars" viewBox={ "0 0 " (SLOTS) " " (HEIGHT) } preserveAspectRatio="none" focusable="false" {
            line class="grid" x1="0" x2=(SLOTS) y1="0.5" y2="0.5" vector-effect="non-scaling-stroke" {}
            @for slot in slots {
                @let (x, up) = (place(slot.from, first), share(slot.synced, synced, line));
                @let down = share(slot.failed, failed, below);
                @if up > 0.0 { rect class="synced" x=(x) y=(format!("{:.1}", line - up)) width="0.85" height=(format!("{up:.1}")) {} }
                @if down > 0.0 { rect class="failed" x=(x) y=(format!("{line:.1}")) width="0.85" height=(format!("{down:.1}")) {} }
            }
            line class="base" x1="0" x2=(SLOTS) y1=(format!("{line:.1}")) y2=(format!("{line:.1}")) vector-effect="non-scaling-stroke" {}
        }
    }
}

fn latencies(slots: &[&Slot], first: Timestamp, slowest: f64) -> Markup {
    let height = |seconds: f64| if slowest > 0.0 { (seconds / slowest * 40.0).max(1.5) } else { 0.0 };
    html! {
        svg class="latency" viewBox={ "0 0 " (SLOTS) " 40" } preserveAspectRatio="none" focusable="false" {
            @for slot in slots.iter().filter(|slot| slot.synced > 0) {
                @let x = place(slot.from, first);
                @let (most, mean) = (height(slot.slowest), height(Sum::of([*slot]).mean().unwrap_or_default()));
                rect class="slowest" x=(x) y=(format!("{:.1}", 40.0 - most)) width="0.85" height=(format!("{most:.1}")) {}
                rect class="mean" x=(x) y=(format!("{:.1}", (40.0 - mean).min(38.0))) width="0.85" height="2" {}
            }
            line class="base" x1="0" x2=(SLOTS) y1="39.5" y2="39.5" vector-effect="non-scaling-stroke" {}
        }
    }
}

/// The same by hour, latest first, without hours in which nothing happened.
fn table(slots: &[&Slot], first: Timestamp, moment: &Moment) -> Markup {
    let hours = (0..24i64).rev().filter_map(|hour| {
        let from = first + SignedDuration::from_hours(hour);
        let until = from + SignedDuration::from_hours(1);
        let sum = Sum::of(slots.iter().copied().filter(|slot| (from..until).contains(&slot.from)));
        (sum.synced + sum.failed > 0).then_some((from, until, sum))
    });
    html! {
        details {
            summary { "Show as a table" }
            table {
                caption class="unseen" { "Synced and failed per hour, the latest first. Times are in " (moment.zone()) "." }
                thead {
                    tr {
                        th scope="col" { "Hour" } th scope="col" class="number" { "Synced" }
                        th scope="col" class="number" { "Failed" } th scope="col" class="number" { "On average" }
                        th scope="col" class="number" { "At most" }
                    }
                }
                tbody {
                    @for (from, until, sum) in hours {
                        tr {
                            th scope="row" { (moment.clock(from)) " – " (moment.clock(until)) }
                            td class="number" { (labels::number(sum.synced)) }
                            td class="number" { (labels::number(sum.failed)) }
                            td class="number" { (sum.mean().map_or_else(|| "–".to_owned(), labels::seconds)) }
                            td class="number" { @if sum.synced > 0 { (labels::seconds(sum.slowest)) } @else { "–" } }
                        }
                    }
                }
            }
        }
    }
}

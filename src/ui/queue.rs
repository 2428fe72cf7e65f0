//! The queue in numbers.

use maud::{Markup, html};

use super::icons::Icon;
use super::labels;
use super::time::Moment;
use crate::domain::status::Load;
use crate::queue::State;

/// The part `queue`.
pub(super) fn render(load: &Load, moment: &Moment) -> Markup {
    let Load { queued, scheduled, running, parked, oldest_due } = *load;
    let tile = |state: State, name: &str, icon: Icon, number: usize, note: Markup| {
        html! {
            li {
                a class="tile" href={ "/entries?state=" (state.word()) } {
                    span class="tile-name" { @if number > 0 { (icon.icon()) } (name) }
                    strong class="tile-number" { (labels::number(number as u64)) }
                    span class="tile-note" { (note) }
                }
            }
        }
    };
    let oldest = oldest_due
        .map_or_else(|| html! { "The queue is empty" }, |due| html! { "Oldest due " (moment.relative(due)) });
    html! {
        section id="queue" class="card" aria-labelledby="queue-title" {
            h2 id="queue-title" { "Work logs in the queue" }
            ul class="plain tiles" {
                (tile(State::Queued, "Queued", Icon::Waiting, queued, oldest))
                (tile(State::Scheduled, "Scheduled", Icon::Waiting, scheduled, html! { "Due later" }))
                (tile(State::Running, "Running", Icon::Running, running, html! { "Being synced" }))
                (tile(State::Parked, "Parked", Icon::Warning, parked, html! { "Need attention" }))
            }
        }
    }
}

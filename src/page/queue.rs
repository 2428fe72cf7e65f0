//! The queue in numbers.

use jiff::Timestamp;
use maud::{Markup, html};

use super::icon::Sign;
use super::moment::Moment;
use super::words;
use crate::engine::Engine;
use crate::queue::{Counts, QueueFault, State};

/// How much waits, and for how long.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Load {
    /// How many entries stand where.
    pub(super) counts: Counts,
    /// The due time of the one that has been due longest.
    pub(super) oldest_due: Option<Timestamp>,
}

impl Load {
    /// As it is now.
    pub(super) async fn gather(engine: &Engine) -> Result<Self, QueueFault> {
        let now = engine.clock.now();
        let oldest_due = engine.queue.oldest_due().await?.filter(|due| *due <= now);
        Ok(Self { counts: engine.queue.counts().await?, oldest_due })
    }

    /// The state in few words.
    pub(super) fn words(&self) -> String {
        let Counts { running, parked, .. } = self.counts;
        match (parked, self.counts.waiting() + running) {
            (0, 0) => "All synced".to_owned(),
            (0, busy) => format!("{} being synced", words::number(busy as u64)),
            (parked, _) => format!("{} parked", words::number(parked as u64)),
        }
    }

    /// The part `queue`.
    pub(super) fn render(&self, moment: &Moment) -> Markup {
        let Counts { queued, scheduled, running, parked } = self.counts;
        let tile = |state: State, name: &str, sign: Sign, number: usize, note: Markup| {
            html! {
                li {
                    a class="tile" href={ "/entries?state=" (state.word()) } {
                        span class="tile-name" { @if number > 0 { (sign.icon()) } (name) }
                        strong class="tile-number" { (words::number(number as u64)) }
                        span class="tile-note" { (note) }
                    }
                }
            }
        };
        let oldest = self.oldest_due.map_or_else(
            || html! { "The queue is empty" },
            |due| html! { "Oldest due " (moment.relative(due)) },
        );
        html! {
            section id="queue" class="card" aria-labelledby="queue-title" {
                h2 id="queue-title" { "Work logs in the queue" }
                ul class="plain tiles" {
                    (tile(State::Queued, "Queued", Sign::Waiting, queued, oldest))
                    (tile(State::Scheduled, "Scheduled", Sign::Waiting, scheduled, html! { "To be tried later" }))
                    (tile(State::Running, "Running", Sign::Running, running, html! { "On the way to Kimai" }))
                    (tile(State::Parked, "Parked", Sign::Warning, parked, html! { "Need somebody to change something" }))
                }
            }
        }
    }
}

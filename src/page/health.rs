//! Whether the neighbours answer and what waits is kept.

use maud::{Markup, html};

use super::icon::Sign;
use super::words;
use crate::engine::Engine;
use crate::reconcile::breaker::{Down, Neighbour};

/// How those stand on whom the service depends.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Health {
    /// Why the triplestore counts as down.
    pub(super) triplestore: Option<String>,
    /// Why Kimai counts as down.
    pub(super) kimai: Option<String>,
    /// What Kimai has lost.
    pub(super) kimai_lost: Option<String>,
    /// Why nothing can be saved.
    pub(super) queue_file: Option<String>,
}

impl Health {
    /// As it is known now; nobody is asked.
    pub(super) fn gather(engine: &Engine) -> Self {
        let mut health = Self::default();
        for Down { neighbour, why, .. } in engine.workers.outages() {
            match neighbour {
                Neighbour::Triplestore => health.triplestore = Some(why),
                Neighbour::Kimai => health.kimai = Some(why),
            }
        }
        health.kimai_lost = engine.ledger.loss().map(|loss| loss.to_string());
        health.queue_file = engine.storage.trouble().map(|fault| fault.to_string());
        health
    }

    /// What does not work, in few words.
    pub(super) fn trouble(&self) -> Option<&'static str> {
        match (&self.queue_file, &self.triplestore, &self.kimai) {
            (Some(_), _, _) => Some("The queue cannot be saved"),
            (_, Some(_), Some(_)) => Some("Kimai and the triplestore are down"),
            (_, Some(_), None) => Some("The triplestore is down"),
            (_, None, Some(_)) => Some("Kimai is down"),
            (None, None, None) if self.kimai_lost.is_some() => Some("Kimai has lost timesheets"),
            (None, None, None) => None,
        }
    }

    /// The part `health`.
    pub(super) fn render(&self) -> Markup {
        html! {
            section id="health" class="card health" aria-labelledby="health-title" {
                h2 id="health-title" { "Connections" }
                ul class="plain states" {
                    (line("Triplestore", "Answers", self.triplestore.as_deref(), "Does not answer",
                        "Everything waits. It is asked again every 15 seconds, and work goes on by itself once it answers."))
                    (line("Kimai", "Answers", self.kimai.as_deref(), "Does not answer as it should",
                        "Everything waits. It is asked again every 15 seconds, and work goes on by itself once it answers."))
                    @if let Some(lost) = &self.kimai_lost {
                        (line("Kimai’s timesheets", "", Some(lost.as_str()), "Kimai has lost timesheets",
                            "If the restored backup is the wrong one, restore the right one instead."))
                    }
                    (line("Queue file", "Can be saved", self.queue_file.as_deref(), "Cannot be saved",
                        "No change is taken in until it can. Look for a full disk or a folder that may not be written."))
                }
            }
        }
    }
}

fn line(name: &str, well: &str, trouble: Option<&str>, ill: &str, then: &str) -> Markup {
    html! {
        li {
            span class="name" { (name) }
            @match trouble {
                None => (Sign::Good.with(well)),
                Some(why) => {
                    (Sign::Bad.with(ill))
                    p class="why" { (words::sentence(why)) " " (then) }
                }
            }
        }
    }
}

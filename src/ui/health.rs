//! Whether Kimai and the triplestore answer, and whether the queue can be saved.

use maud::{Markup, html};

use super::icons::Icon;
use super::labels;
use super::time::Moment;
use crate::domain::status::{Link, Neighbour, Status};

const ASKED_AGAIN: &str = "It is tried every 15 seconds; syncing resumes automatically once it answers.";

/// The part `health`.
pub(super) fn render(status: &Status, moment: &Moment) -> Markup {
    html! {
        section id="health" class="card health" aria-labelledby="health-title" {
            h2 id="health-title" { "Connections" }
            ul class="plain states" {
                (neighbour("Triplestore", &status.triplestore, moment))
                (neighbour("Kimai", &status.kimai, moment))
                @if let Some(lost) = &status.lost {
                    (line("Kimai’s timesheets", Icon::Bad, "Kimai has lost timesheets", Some(&format!("{} {}",
                        labels::sentence(lost), "If the wrong backup was restored, restore the right one instead."))))
                }
                @match &status.storage {
                    None => (line("Queue file", Icon::Good, "Writable", None)),
                    Some(why) => (line("Queue file", Icon::Bad, "Not writable", Some(&format!("{} {}",
                        labels::sentence(why), "No changes are accepted until it is. Check for a full disk or a \
                            directory without write permission.")))),
                }
            }
        }
    }
}

fn neighbour(name: &str, neighbour: &Neighbour, moment: &Moment) -> Markup {
    let answered = neighbour.contact.answered;
    match &neighbour.link {
        Link::Unknown => line(name, Icon::Neutral, "Not contacted yet", None),
        // The part it answered to would change all the time.
        Link::Answers => {
            let last = answered.map(|heard| format!("Last answered {}.", moment.distance(heard.at)));
            line(name, Icon::Good, "Answers", last.as_deref())
        }
        Link::Paused { until, why } => {
            let why = format!("{} Nothing is sent until {}.", labels::sentence(why), moment.text(*until));
            line(name, Icon::Warning, "Asked for a pause", Some(&why))
        }
        Link::Down(outage) => {
            let last = answered.map_or_else(
                || "It has not answered since the service started.".to_owned(),
                |heard| format!("It last answered {}, to {}.", moment.distance(heard.at), heard.part.noun()),
            );
            let (why, since) = (labels::sentence(&outage.why), moment.text(outage.since));
            let why = format!("{why} Down since {since}. {last} {ASKED_AGAIN}");
            line(name, Icon::Bad, "Unavailable", Some(&why))
        }
    }
}

fn line(name: &str, icon: Icon, state: &str, why: Option<&str>) -> Markup {
    html! {
        li {
            span class="name" { (name) }
            (icon.with(state))
            @if let Some(why) = why { p class=(if icon == Icon::Bad { "why" } else { "note" }) { (why) } }
        }
    }
}

//! The layout of every page: head, navigation, footer.

use actix_web::HttpRequest;
use actix_web::web::Data;
use maud::{DOCTYPE, Markup, html};

use super::assets::{ICON, SCRIPT, STYLE};
use super::fragments::Fragments;
use super::time::Moment;
use crate::http::auth::Guard;

/// The navigation.
const PLACES: [(&str, &str); 4] =
    [("/", "Overview"), ("/entries?state=parked", "Queue"), ("/run", "Runs"), ("/docs", "API")];

/// The frame around the content of a page.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    /// The title, before the name of the service.
    pub(super) title: String,
    /// The path of the navigation entry of this page.
    pub(super) place: &'static str,
    /// The query for `/updates`; none on a page that does not change.
    pub(super) updates: Option<String>,
    /// Whether there is a session to log out of.
    pub(super) signed_in: bool,
    /// The text in the search field.
    pub(super) search: String,
    /// The time zone of all times shown.
    pub(super) zone: String,
    /// When the page was made.
    pub(super) made: String,
    /// The message after a form.
    pub(super) said: Option<&'static str>,
}

/// The beginning of the head of every page.
pub(super) fn head(title: &str) -> Markup {
    html! {
        meta charset="utf-8";
        meta name="viewport" content="width=device-width, initial-scale=1";
        meta name="color-scheme" content="light dark";
        title { (title) " · kimai-sync" }
        link rel="icon" type="image/svg+xml" href=(ICON.address());
        link rel="stylesheet" href=(STYLE.address());
    }
}

impl Layout {
    /// The frame of a page for `request`.
    pub(super) fn new(request: &HttpRequest, place: &'static str, title: &str, moment: &Moment) -> Self {
        let pairs: Vec<(String, String)> =
            serde_urlencoded::from_str(request.query_string()).unwrap_or_default();
        let said = pairs.iter().find(|(name, _)| name == "said").and_then(|(_, word)| said(word));
        Self {
            title: title.to_owned(),
            place,
            updates: None,
            signed_in: request.app_data::<Data<Guard>>().is_some_and(|guard| guard.is_logged_in(request)),
            search: String::new(),
            zone: moment.zone(),
            made: moment.text(moment.now),
            said,
        }
    }

    /// Enables live updates, with `query` for `/updates`.
    #[must_use]
    pub(super) fn live(mut self, fragments: &Fragments, query: &str) -> Self {
        self.updates = (!fragments.settled).then(|| format!("/updates?{query}"));
        self
    }

    /// The whole page.
    pub(super) fn render(&self, content: &Markup) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    (head(&self.title))
                    script src=(SCRIPT.address()) defer {}
                }
                body data-updates=[self.updates.as_ref()] {
                    a class="skip" href="#content" { "Skip to the content" }
                    (self.header())
                    // Empty until live.js has a message.
                    p id="connection" class="connection" role="status" {}
                    main id="content" tabindex="-1" {
                        @if let Some(said) = self.said {
                            p class="said" id="said" role="status" tabindex="-1" {
                                (super::icons::Icon::Good.with(said))
                            }
                        }
                        (content)
                    }
                    footer class="foot" {
                        p { "Times are in " strong { (self.zone) } ". Page loaded at " (self.made) "." span id="live-note" {} }
                    }
                    p id="told" class="unseen" aria-live="polite" {}
                }
            }
        }
    }

    fn header(&self) -> Markup {
        html! {
            header class="top" {
                a class="brand" href="/" {
                    img src=(ICON.address()) alt="" width="24" height="24";
                    span { "kimai-sync" }
                }
                nav aria-label="Pages" {
                    ul {
                        @for (path, name) in PLACES {
                            li { a href=(path) aria-current=[(path == self.place).then_some("page")] { (name) } }
                        }
                    }
                }
                form class="search" role="search" action="/find" method="get" {
                    label class="unseen" for="search" { "Find a work log by its ID, its IRI or its timesheet ID" }
                    input id="search" type="search" name="q" value=(self.search) maxlength="4096" required
                        placeholder="Work log ID, IRI or timesheet ID" autocomplete="off" spellcheck="false";
                    button type="submit" { "Find" }
                }
                @if self.signed_in {
                    form class="logout" action="/logout" method="post" { button type="submit" class="quiet" { "Log out" } }
                }
            }
        }
    }
}

/// The message after a form, by the word in the address. Only these words are accepted, since anybody can make an
/// address.
fn said(word: &str) -> Option<&'static str> {
    Some(match word {
        "retried" => "It is being retried.",
        "overwritten" => "It is being retried; its timesheet is overwritten although it is exported.",
        "overwritten-all" => {
            "All of them are being retried; their timesheets are overwritten although they are exported."
        }
        "retried-all" => "All parked work logs are being retried.",
        "checked" => "All checks were run again.",
        "asked" => "The run was requested. Follow it here.",
        "joined" => "An identical run was requested already and has not started yet. Follow it here.",
        "cancelled" => "It will end at its next step. What is done is not undone.",
        _ => return None,
    })
}

//! The operator page: the state and history of the service, and what needs manual action, for people in an office.
//!
//! # How it is made
//! - Each page is a set of named parts. A page is *gathered* (async, from the services of [`State`]), then *rendered*
//!   by pure functions of the values gathered, one file per part.
//! - It works without JavaScript: links, and forms that POST and are answered with 303. With it, `/updates` streams the
//!   parts that changed, and `live.js` replaces them.
//! - There are no external resources, and no inline styles or scripts: the Content-Security-Policy forbids both. All
//!   texts are escaped by maud.
//!
//! | route | shows |
//! |---|---|
//! | `GET /` | the overview |
//! | `GET /entries?state=parked&after=IRI` | the entries of the queue, 50 per page |
//! | `GET /run`, `GET /run/{number}?kind=&held=&after=` | sweeps, plans, imports and locks; one run |
//! | `GET /find?q=…`, `GET /work-log?id=IRI` | the search; everything known about one work log |
//! | `GET /updates?page=…` | server-sent events: the parts of one of these pages as they change |
//! | `POST /do/…` | form actions: retry, overwrite, plan, sweep, cancel, import, lock, check; 303 to the page with the
//! result |
//! | `GET /assets/…` | style, script and icon |

mod actions;
mod assets;
mod checks;
mod display_names;
mod entries;
mod fault;
mod findings;
mod forms;
mod fragments;
mod health;
mod icons;
mod labels;
mod layout;
mod login;
mod overview;
mod pulse;
mod queue;
mod run;
mod runs;
mod time;
mod updates;
mod work_log;

#[cfg(test)]
mod tests;

use actix_web::http::header::{CACHE_CONTROL, LOCATION};
use actix_web::{HttpRequest, HttpResponse};

use crate::escape::for_page;
use crate::http::endpoint::Endpoint;
use crate::http::{Pages, State};
use fault::Fault;
use layout::Layout;
use layout::head;
use time::Moment;

/// The routes of the page, added to those of [`crate::http`], whose [`State`] they share.
pub const PAGES: Pages = Pages { endpoints, unknown };

/// The login page. `next` is where it leads.
pub fn login(next: &str, fault: Option<&str>) -> maud::Markup {
    login::render(next, fault)
}

fn endpoints() -> Vec<Endpoint> {
    let mut endpoints = vec![
        Endpoint::page("/", "The overview", &["said"], overview::get),
        Endpoint::page(
            "/entries",
            "The entries of the queue, 50 per page",
            &["state", "after", "said"],
            entries::get,
        ),
        Endpoint::page("/run", "Sweeps, plans, imports and locks", &["said"], runs::get),
        Endpoint::page("/run/{id}", "One run", &["kind", "held", "after", "said"], run::get),
        Endpoint::page("/find", "The search for a work log", &["q"], work_log::find),
        Endpoint::page("/work-log", "Everything known about one work log", &["id", "said"], work_log::get),
        Endpoint::stream("/updates", "The parts of a page as they change", &["page"], updates::get),
    ];
    endpoints.extend(actions::endpoints());
    endpoints.extend(assets::endpoints());
    endpoints
}

/// A page, never cached: it shows the current state.
fn html(page_layout: &Layout, content: &maud::Markup) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(for_page(&page_layout.render(content).into_string()).into_owned())
}

/// The page for an address that does not exist (404).
fn unknown(request: &HttpRequest, state: &State) -> HttpResponse {
    let page_layout = Layout::new(request, "", "Not found", &Moment::of(&state.services.clock));
    let content = maud::html! {
        section class="card wide" {
            h1 { "Not found" }
            p { "There is no page " code { (request.path()) } "." }
            p { a href="/" { "Go to the overview" } ", or find a work log with the search above." }
        }
    };
    HttpResponse::NotFound()
        .content_type("text/html; charset=utf-8")
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(for_page(&page_layout.render(&content).into_string()).into_owned())
}

/// 303 to `place` on this service.
fn see(place: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((LOCATION, place)).finish()
}

type Answer = Result<HttpResponse, Fault>;

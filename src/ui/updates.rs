//! `GET /updates`: the parts of a page as server-sent events, whenever they change.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{self, Bytes, Query};
use futures_util::stream;
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep};

use super::display_names::DisplayNames;
use super::fault::Fault;
use super::fragments::Fragments;
use super::{Answer, entries, findings, overview, run, runs, work_log};
use crate::domain::WorkLogUri;
use crate::http::State;

/// The minimum time between two updates.
const BETWEEN: Duration = Duration::from_secs(1);
/// How often an idle stream sends a heartbeat, so that no proxy closes it.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long a stream lasts; then the browser reconnects, with its current session.
const LASTS: Duration = Duration::from_mins(10);

/// The page to watch.
#[derive(Debug, Clone)]
enum Page {
    Home,
    Runs,
    /// With cached names.
    Run(u64, findings::FindingQuery, Option<DisplayNames>),
    Entries(entries::EntryQuery),
    WorkLog(WorkLogUri),
}

impl Page {
    fn read(pairs: &BTreeMap<String, String>) -> Result<Self, Fault> {
        Ok(match pairs.get("page").map(String::as_str) {
            Some("home") => Self::Home,
            Some("runs") => Self::Runs,
            Some("run") => {
                let id = run::number(pairs.get("id").map_or("", String::as_str))?;
                Self::Run(id, findings::FindingQuery::read(pairs)?, None)
            }
            Some("entries") => Self::Entries(entries::EntryQuery::read(pairs)?),
            Some("work-log") => Self::WorkLog(work_log::named(pairs)?),
            _ => return Err(Fault::bad("This page has no live updates")),
        })
    }

    async fn load(&mut self, state: &State) -> Result<Fragments, Fault> {
        match self {
            Self::Home => overview::load(state).await,
            Self::Runs => Ok(runs::load(state)),
            Self::Run(id, query, names) => run::load(state, *id, *query, names).await,
            Self::Entries(query) => entries::load(state, query).await,
            Self::WorkLog(work_log) => Ok(work_log::load(state, work_log).await),
        }
    }
}

/// `GET /updates?page=…`, with the other parameters of that page.
pub(super) async fn get(query: Query<BTreeMap<String, String>>, state: web::Data<State>) -> Answer {
    let page = Page::read(&query)?;
    let full = || Fault::unavailable("Too many pages are open; reload this one to update it");
    let place = std::sync::Arc::clone(&state.listeners).try_acquire_owned().map_err(|_| full())?;
    let began = Instant::now();
    let stream =
        Stream { state, page, shown: Fragments::default(), told: None, began, ended: false, _place: place };
    let events = stream::unfold(stream, |mut stream| async move {
        let text = stream.next().await?;
        Some((Ok::<_, Infallible>(Bytes::from(text)), stream))
    });
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((CACHE_CONTROL, "no-store"))
        // Otherwise nginx would buffer small pieces.
        .insert_header(("x-accel-buffering", "no"))
        .streaming(events))
}

/// The state of one client.
struct Stream {
    state: web::Data<State>,
    page: Page,
    /// The parts it has.
    shown: Fragments,
    /// When it was last sent anything, if ever.
    told: Option<Instant>,
    began: Instant,
    ended: bool,
    _place: OwnedSemaphorePermit,
}

impl Stream {
    /// The next events or heartbeat, or nothing at the end.
    async fn next(&mut self) -> Option<String> {
        let stop = self.state.stop.clone();
        while !self.ended && self.began.elapsed() < LASTS {
            if self.told.is_some() {
                tokio::select! {
                    () = stop.cancelled() => return None,
                    () = sleep(self.shown.pause.max(BETWEEN)) => {}
                }
            }
            // What is not available now may be available the next time.
            if let Ok(fragments) = self.page.load(&self.state).await {
                let news = events(&fragments, &self.shown);
                self.ended = fragments.settled;
                self.shown = fragments;
                if !news.is_empty() || self.ended {
                    self.told = Some(Instant::now());
                    let end = if self.ended { "event: end\ndata: {}\n\n" } else { "" };
                    return Some(format!("{news}{end}"));
                }
            }
            if self.told.is_none_or(|told| told.elapsed() >= HEARTBEAT) {
                self.told = Some(Instant::now());
                return Some(": still here\n\n".to_owned());
            }
        }
        None
    }
}

/// What has changed since `shown`. JSON contains no line breaks, so no text can end an event.
fn events(fragments: &Fragments, shown: &Fragments) -> String {
    let (title, changed) = fragments.since(shown);
    let mut text = String::new();
    for fragment in changed {
        let _ =
            write!(text, "event: part\ndata: {}\n\n", json!({"id": fragment.name, "html": fragment.html}));
    }
    if let Some(title) = title {
        let _ = write!(text, "event: title\ndata: {}\n\n", json!({"title": title}));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changed_is_told_and_no_text_ends_an_event() {
        let mut before = Fragments::new("All synced");
        before.add("queue", maud::html! { p id="queue" { "0" } });
        before.add("runs", maud::html! { p id="runs" { "none" } });
        let mut after = Fragments::new("1 parked");
        after.add("queue", maud::html! { p id="queue" { "a\r\n\rdata: b\n\nevent: x" } });
        after.add("runs", maud::html! { p id="runs" { "none" } });
        assert_eq!(events(&before, &before), "");
        let text = events(&after, &before);
        assert!(!text.contains('\r'));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!((lines.len(), lines[0], lines[3]), (6, "event: part", "event: title"), "{text}");
        assert_eq!(lines[4], r#"data: {"title":"1 parked"}"#);
    }
}

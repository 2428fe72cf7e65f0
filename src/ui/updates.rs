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

/// The least time between two looks.
const BETWEEN: Duration = Duration::from_secs(1);
/// How often a silent stream shows that it is alive, so that no proxy cuts it.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long a stream lasts; the browser asks again, with whatever session it has then.
const LASTS: Duration = Duration::from_mins(10);

/// Which page is listened to.
#[derive(Debug, Clone)]
enum Page {
    Home,
    Runs,
    /// With the names in it, once they are known.
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
            _ => return Err(Fault::bad("There is no such page to listen to")),
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

/// `GET /updates?page=…`, with what else stands in the address of that page.
pub(super) async fn get(query: Query<BTreeMap<String, String>>, state: web::Data<State>) -> Answer {
    let page = Page::read(&query)?;
    let full = || Fault::unavailable("Too many pages are open; reload this one to see what is new");
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
        // nginx would keep back what is small.
        .insert_header(("x-accel-buffering", "no"))
        .streaming(events))
}

/// What one client was sent.
struct Stream {
    state: web::Data<State>,
    page: Page,
    /// The parts it has.
    shown: Fragments,
    /// When it was last sent anything; at first never.
    told: Option<Instant>,
    began: Instant,
    ended: bool,
    _place: OwnedSemaphorePermit,
}

impl Stream {
    /// The next events or sign of life; nothing at the end.
    async fn next(&mut self) -> Option<String> {
        let stop = self.state.stop.clone();
        while !self.ended && self.began.elapsed() < LASTS {
            if self.told.is_some() {
                tokio::select! {
                    () = stop.cancelled() => return None,
                    () = sleep(self.shown.pause.max(BETWEEN)) => {}
                }
            }
            // What cannot be had now may be had the next time.
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

/// What is new since `shown`. JSON holds no line break, so that no text can end an event.
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

//! Proxies that stand before Kimai and spoil its lists.

use serde_json::{Value, json};

use super::Sandbox;
use super::answer::{Answer, Body};
use super::request::Request;
use crate::domain::EntryId;

/// Rows of a full page where the request names no size.
const PAGE: u64 = 50;

/// What a proxy does to a true answer of `GET /timesheets`.
#[derive(Debug, Clone)]
pub enum Proxy {
    /// Takes the `X-` headers away, so that nobody knows how many pages there are.
    StripsHeaders,
    /// That, and shows the last page again for each page past the end.
    RepeatsLastPage,
    /// Takes no notice of the query, as a badly set up cache: always Kimai's first page by default, without headers.
    IgnoresQuery,
    /// Every page is full of rows that no page had before.
    Endless,
    /// One row, again and again, on every page.
    RepeatsOneRow,
    /// Another value of a header, like 10^12 pages.
    Header(&'static str, String),
    /// Puts such a row before the true ones of each page.
    Row(Value),
    /// Puts another value into a field of the row with that id.
    Spoils(EntryId, &'static str, Value),
    /// Drops every second row.
    DropsRows,
    /// What the second makes of what the first lets through; both of those that change rows.
    Both(Box<Self>, Box<Self>),
}

impl Proxy {
    /// The answer that comes through.
    pub(super) fn pass(&self, sandbox: &Sandbox, request: &Request) -> Answer {
        self.spoil(sandbox.answer(request), sandbox, request)
    }

    fn spoil(&self, answer: Answer, sandbox: &Sandbox, request: &Request) -> Answer {
        let page = request.query().number("page").ok().flatten().unwrap_or(1).max(1);
        let size = request.query().number("size").ok().flatten().unwrap_or(PAGE);
        match self {
            Self::RepeatsLastPage if answer.status == 404 && page > 1 => {
                let earlier = |page: u64| {
                    let query = format!("{}&page={page}", request.query);
                    sandbox.answer(&Request { query, ..request.clone() })
                };
                let last = (1..page).rev().map(earlier).find(|answer| answer.status == 200);
                stripped(last.unwrap_or(answer))
            }
            Self::StripsHeaders | Self::RepeatsLastPage => stripped(answer),
            Self::IgnoresQuery => {
                stripped(sandbox.answer(&Request { query: "user=all".to_owned(), ..request.clone() }))
            }
            Self::Endless => {
                let ids = (page - 1) * size + 1..=page * size;
                stripped(Answer::ok(ids.map(row).collect::<Vec<Value>>()))
            }
            Self::RepeatsOneRow => stripped(Answer::ok((0..size).map(|_| row(7)).collect::<Vec<Value>>())),
            Self::Header(name, value) => {
                let mut answer = answer;
                answer.headers.retain(|(other, _)| other != name);
                answer.with(name, value)
            }
            Self::Row(odd) => edited(answer, |rows| rows.insert(0, odd.clone())),
            Self::Spoils(id, field, value) => edited(answer, |rows| {
                for row in rows.iter_mut().filter(|row| row.get("id") == Some(&json!(id))) {
                    if let Some(fields) = row.as_object_mut() {
                        fields.insert((*field).to_owned(), value.clone());
                    }
                }
            }),
            Self::Both(first, second) => {
                second.spoil(first.spoil(answer, sandbox, request), sandbox, request)
            }
            Self::DropsRows => edited(answer, |rows| {
                let mut kept = false;
                rows.retain(|_| {
                    kept = !kept;
                    kept
                });
            }),
        }
    }
}

fn stripped(mut answer: Answer) -> Answer {
    answer.headers.retain(|(name, _)| !name.starts_with("X-"));
    answer
}

fn edited(mut answer: Answer, edit: impl FnOnce(&mut Vec<Value>)) -> Answer {
    if let Body::Json(Value::Array(rows)) = &mut answer.body {
        edit(rows);
    }
    answer
}

/// A timesheet that nobody booked.
fn row(id: u64) -> Value {
    json!({
        "id": id, "activity": 1, "project": 1, "user": 1, "tags": [], "description": null, "rate": 0,
        "internalRate": 0, "exported": false, "billable": true, "metaFields": [], "break": 0, "duration": 3600,
        "begin": "2026-11-21T08:00:00+0100", "end": "2026-11-21T09:00:00+0100",
    })
}

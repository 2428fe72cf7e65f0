//! `/timesheets`: the lists, one record, and what can be done to it.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::answer::Answer;
use super::auth::{Role, Who};
use super::booking::Booking;
use super::filter::{Filter, Page};
use super::request::Query;
use super::rules::Rules;
use super::shapes;
use super::state::{State, StoredTimesheet};
use super::time::{self, at_second};

/// Records in `/timesheets/recent` when nothing is asked.
const RECENT: u64 = 10;

/// `GET /timesheets`.
pub(super) fn list(state: &State, who: &Who, query: &Query) -> Result<Answer, Answer> {
    let rows = Filter::read(state, who, query)?.select(state, who);
    let full = query.flag("full")? == Some(true);
    let page = Page::read(query, rows.len())?;
    let shown: Vec<Value> =
        page.cut(&rows).map(|row| shapes::timesheet(state, row, &row.zone, false, full)).collect();
    Ok(page.mark(Answer::ok(shown)))
}

/// `GET /timesheets/{id}`.
pub(super) fn one(state: &State, who: &Who, id: u64, query: &Query) -> Result<Answer, Answer> {
    let row = find(state, id)?;
    if !who.manages(state, row.user) {
        return Err(Answer::refused(403));
    }
    let full = query.flag("full")? == Some(true);
    Ok(Answer::ok(shapes::timesheet(state, row, &row.zone, true, full)))
}

/// `GET /timesheets/active`: own running records.
pub(super) fn active(state: &State, who: &Who) -> Answer {
    shown_full(state, own(state, who).filter(|row| row.end.is_none()))
}

/// `GET /timesheets/recent`: the newest own record of each project and activity.
pub(super) fn recent(state: &State, who: &Who, query: &Query) -> Result<Answer, Answer> {
    let size = usize::try_from(query.number("size")?.unwrap_or(RECENT)).unwrap_or(usize::MAX);
    let mut rows: Vec<&StoredTimesheet> = own(state, who).filter(|row| row.end.is_some()).collect();
    rows.sort_by_key(|row| std::cmp::Reverse((row.begin, row.id)));
    let mut seen = std::collections::BTreeSet::new();
    Ok(shown_full(state, rows.into_iter().filter(|row| seen.insert((row.project, row.activity))).take(size)))
}

fn own<'a>(state: &'a State, who: &'a Who) -> impl Iterator<Item = &'a StoredTimesheet> {
    state.timesheets.iter().map(|(_, row)| row).filter(|row| row.user == who.id)
}

fn shown_full<'a>(state: &State, rows: impl Iterator<Item = &'a StoredTimesheet>) -> Answer {
    let shown: Vec<Value> = rows.map(|row| shapes::timesheet(state, row, &row.zone, false, true)).collect();
    Answer::ok(shown)
}

/// `POST /timesheets`. The answer is written in the token's zone, later ones in the owner's.
pub(super) fn create(
    state: &mut State,
    who: &Who,
    now: Timestamp,
    input: &Map<String, Value>,
    query: &Query,
) -> Result<Answer, Answer> {
    let full = query.flag("full")? == Some(true);
    let row = Booking { state, who, now, old: None }.read(state.timesheets.next_id(), input)?;
    if row.end.is_none() {
        let rules = state.rules.clone();
        let running =
            state.timesheets.iter_mut().filter(|other| other.user == row.user && other.end.is_none());
        running.for_each(|other| stop_at(other, now, &rules));
    }
    Ok(stored(state, row, &who.zone, full))
}

/// `PATCH /timesheets/{id}`: only what is sent changes.
pub(super) fn update(
    state: &mut State,
    who: &Who,
    now: Timestamp,
    id: u64,
    input: &Map<String, Value>,
) -> Result<Answer, Answer> {
    let old = find(state, id)?;
    who.may_change(state, old)?;
    let shown_in = old.zone.clone();
    let row = Booking { state, who, now, old: Some(old) }.read(id, input)?;
    Ok(replaced(state, row, &shown_in))
}

/// `DELETE /timesheets/{id}`.
pub(super) fn delete(state: &mut State, who: &Who, id: u64) -> Result<Answer, Answer> {
    who.may_change(state, find(state, id)?)?;
    state.timesheets.remove(id);
    Ok(Answer::deleted())
}

/// What `PATCH /timesheets/{id}/…` can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Stop,
    Restart,
    Duplicate,
    Export,
    Meta,
}

/// `PATCH /timesheets/{id}/{action}`.
pub(super) fn act(
    state: &mut State,
    who: &Who,
    now: Timestamp,
    id: u64,
    action: Action,
    input: &Map<String, Value>,
) -> Result<Answer, Answer> {
    let old = find(state, id)?;
    who.may_change(state, old)?;
    let mut row = old.clone();
    row.modified = now;
    let shown_in = row.zone.clone();
    match action {
        Action::Stop => stop_at(&mut row, now, &state.rules),
        Action::Export => {
            who.needs(Role::Teamlead)?;
            row.exported = !row.exported;
            row.calculate(&state.rules, &shown_in);
        }
        Action::Meta => {
            let name = input.get("name").and_then(Value::as_str).unwrap_or_default();
            if !state.rules.meta_fields.iter().any(|known| known == name) {
                return Err(Answer::refused(404));
            }
            let value = input.get("value").and_then(Value::as_str).ok_or_else(|| Answer::refused(400))?;
            row.meta.insert(name.to_owned(), Some(value.to_owned()));
        }
        Action::Duplicate => {
            row.id = state.timesheets.next_id();
            row.exported = false;
            return Ok(stored(state, row, &shown_in, false));
        }
        Action::Restart => {
            row = StoredTimesheet {
                id: state.timesheets.next_id(),
                user: who.id,
                begin: at_second(state.rules.rounding_mode.begin(now.as_second(), state.rules.rounding)),
                end: None,
                duration: 0,
                day: time::day(now, &who.zone),
                zone: who.zone.clone(),
                hourly_rate: None,
                exported: false,
                ..row
            };
            return Ok(stored(state, row, &who.zone, false));
        }
    }
    Ok(replaced(state, row, &shown_in))
}

fn find(state: &State, id: u64) -> Result<&StoredTimesheet, Answer> {
    state.timesheets.get(id).ok_or_else(|| Answer::refused(404))
}

/// Kimai sets the begin anew as it stops a record, and with it the day, in the record's own zone.
fn stop_at(row: &mut StoredTimesheet, end: Timestamp, rules: &Rules) {
    row.end = Some(end.max(row.begin));
    let zone = row.zone.clone();
    row.day = time::day(row.begin, &zone);
    row.calculate(rules, &zone);
    if row.fixed_rate.is_none() {
        row.hourly_rate = row.hourly_rate.or(Some(0.0));
    }
}

fn stored(state: &mut State, row: StoredTimesheet, shown_in: &jiff::tz::TimeZone, full: bool) -> Answer {
    let answer = Answer::ok(shapes::timesheet(state, &row, shown_in, true, full));
    state.timesheets.insert(|_| row);
    answer
}

fn replaced(state: &mut State, row: StoredTimesheet, shown_in: &jiff::tz::TimeZone) -> Answer {
    let answer = Answer::ok(shapes::timesheet(state, &row, shown_in, true, false));
    if let Some(old) = state.timesheets.get_mut(row.id) {
        *old = row;
    }
    answer
}

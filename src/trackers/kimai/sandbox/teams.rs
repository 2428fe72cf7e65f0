//! Teams and tags: as far as they change what users and timesheets may do.

use serde_json::{Map, Value, json};

use super::answer::{Answer, EXTRA_FIELDS, FormErrors};
use super::auth::{Role, Who};
use super::catalogue::Kind;
use super::colours::COLOURS;
use super::request::{Query, scalar, switch};
use super::shapes;
use super::state::{Row, State, flag, text};

/// `POST /teams` with `name` and `members`.
pub(super) fn create(state: &mut State, who: &Who, input: &Map<String, Value>) -> Result<Answer, Answer> {
    who.needs(Role::Admin)?;
    let members = input.get("members").and_then(Value::as_array).cloned().unwrap_or_default();
    let known = |member: &Value| {
        member.get("user").and_then(Value::as_u64).is_some_and(|user| state.users.get(user).is_some())
    };
    let name = input.get("name").and_then(Value::as_str).filter(|name| name.chars().count() >= 2);
    let (Some(name), true) = (name, !members.is_empty() && members.iter().all(known)) else {
        return Err(Answer::refused(400));
    };
    let row = [("name", json!(name)), ("members", json!(members))];
    let id =
        state.teams.insert(|_| row.into_iter().map(|(field, value)| (field.to_owned(), value)).collect());
    show(state, id)
}

/// `POST /teams/{id}/projects/{project}`: the project is for that team from now on.
pub(super) fn keep(state: &mut State, who: &Who, team: u64, kind: Kind, kept: u64) -> Result<Answer, Answer> {
    who.needs(Role::Admin)?;
    kind.table(state).get(kept).ok_or_else(|| Answer::refused(404))?;
    let row = state.teams.get_mut(team).ok_or_else(|| Answer::refused(404))?;
    if let Some(list) = row.entry(kind.path()).or_insert_with(|| json!([])).as_array_mut() {
        list.push(json!(kept));
    }
    show(state, team)
}

/// `DELETE /teams/{id}`.
pub(super) fn delete(state: &mut State, who: &Who, id: u64) -> Result<Answer, Answer> {
    who.needs(Role::Admin)?;
    state.teams.remove(id).map(|_| Answer::deleted()).ok_or_else(|| Answer::refused(404))
}

fn show(state: &State, id: u64) -> Result<Answer, Answer> {
    let row = state.teams.get(id).ok_or_else(|| Answer::refused(500))?;
    Ok(Answer::ok(shapes::team(state, id, row)))
}

const TAG_FIELDS: [&str; 3] = ["name", "color", "visible"];

/// `POST /tags`: names are unique.
pub(super) fn create_tag(state: &mut State, input: &Map<String, Value>) -> Result<Answer, Answer> {
    let mut errors = FormErrors::default();
    let name = input.get("name").and_then(scalar).unwrap_or_default();
    let colour = input.get("color").and_then(scalar).unwrap_or_default();
    if input.keys().any(|key| !TAG_FIELDS.contains(&key.as_str())) {
        errors.form(EXTRA_FIELDS);
    }
    if name.chars().count() < 2 {
        errors.field("name", "This value is too short. It should have 2 characters or more.");
    } else if tag(state, &name).is_some() {
        errors.field("name", "This value is already used.");
    }
    if !colour.is_empty() && !COLOURS.iter().any(|(_, value)| *value == colour) {
        errors.field("color", super::answer::NO_CHOICE);
    }
    errors.verdict(&TAG_FIELDS)?;
    let visible = input.get("visible").is_none_or(switch);
    let colour = Some(colour).filter(|colour| !colour.is_empty());
    let row = [("name", json!(name)), ("color", json!(colour)), ("visible", json!(visible))];
    let row: Row = row.into_iter().map(|(field, value)| (field.to_owned(), value)).collect();
    let id = state.tags.insert(|_| row.clone());
    Ok(Answer::ok(shapes::short(id, &row, &["visible"])))
}

/// `GET /tags`: names only.
pub(super) fn tags(state: &State) -> Answer {
    let mut names: Vec<&str> = state
        .tags
        .iter()
        .map(|(_, tag)| tag)
        .filter(|tag| flag(tag, "visible"))
        .map(|tag| text(tag, "name"))
        .collect();
    names.sort_unstable();
    Answer::ok(json!(names))
}

/// `GET /tags/find?name=`.
pub(super) fn find_tags(state: &State, query: &Query) -> Answer {
    let part = query.get("name").unwrap_or_default().to_lowercase();
    let found = state.tags.iter().filter(|(_, tag)| text(tag, "name").to_lowercase().contains(&part));
    Answer::ok(found.map(|(id, tag)| shapes::short(id, tag, &["visible"])).collect::<Vec<_>>())
}

/// The tag of that name, as it is written.
pub(super) fn tag<'a>(state: &'a State, name: &str) -> Option<&'a str> {
    let mut names = state.tags.iter().map(|(_, tag)| text(tag, "name"));
    names.find(|known| known.to_lowercase() == name.to_lowercase())
}

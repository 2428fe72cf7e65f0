//! The JSON of Kimai's lists, single entities and nested objects: each shows other fields of a row.

use serde_json::{Value, json};

use super::state::{Row, State, StoredTimesheet, holds, number, text};
use super::{catalogue::Kind, colours, time};

/// How much of a row is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// In a list.
    List,
    /// In a list with `full=1`.
    Full,
    /// Alone, or as the answer to a write.
    Entity,
    /// Inside another one.
    Nested,
}

const USER: &[&str] = &[
    "locale",
    "timezone",
    "language",
    "alias",
    "title",
    "avatar",
    "username",
    "email",
    "accountNumber",
    "enabled",
    "systemAccount",
];
const CUSTOMER: &[&str] = &[
    "name", "number", "comment", "visible", "billable", "company", "country", "language", "currency",
    "phone", "fax", "mobile", "homepage", "timezone",
];
const CUSTOMER_FULL: &[&str] = &["vatId", "addressLine1", "addressLine2", "addressLine3", "postCode", "city"];
const CUSTOMER_ENTITY: &[&str] = &["contact", "address", "email", "invoiceEmail", "buyerReference"];
const PROJECT: &[&str] = &[
    "name",
    "number",
    "orderNumber",
    "orderDate",
    "start",
    "end",
    "comment",
    "visible",
    "billable",
    "globalActivities",
];
const ACTIVITY: &[&str] = &["name", "number", "comment", "visible", "billable"];
const BUDGET: &[&str] = &["budget", "timeBudget", "budgetType"];

/// The work contract, which every user has and nobody here looks at.
const PREFERENCES: [(&str, Option<&str>); 12] = [
    ("work_contract_type", Some("none")),
    ("work_monday", Some("0")),
    ("work_tuesday", Some("0")),
    ("work_wednesday", Some("0")),
    ("work_thursday", Some("0")),
    ("work_friday", Some("0")),
    ("work_saturday", Some("0")),
    ("work_sunday", Some("0")),
    ("public_holiday_group", None),
    ("holidays", Some("0")),
    ("work_start_day", None),
    ("work_last_day", None),
];

/// A row of the catalogue.
pub(super) fn catalogue(state: &State, kind: Kind, id: u64, row: &Row, shape: Shape) -> Value {
    let mut shown = match kind {
        Kind::Customers => pick(row, CUSTOMER),
        Kind::Projects => pick(row, PROJECT),
        Kind::Activities => pick(row, ACTIVITY),
    };
    if kind == Kind::Customers && matches!(shape, Shape::Full | Shape::Entity) {
        shown.extend(pick(row, CUSTOMER_FULL));
    }
    if shape == Shape::Entity {
        shown.extend(pick(row, if kind == Kind::Customers { CUSTOMER_ENTITY } else { &[] }));
        shown.extend(pick(row, BUDGET));
    }
    shown.insert("metaFields".to_owned(), json!([]));
    add_identity(&mut shown, id, row, text(row, "name"));
    add_parent(state, kind, row, shape, &mut shown);
    if shape != Shape::Nested {
        let of = state.teams.iter().filter(|(_, team)| holds(team, kind.path(), id));
        let teams: Vec<Value> = of.map(|(id, team)| short(id, team, &[])).collect();
        shown.insert("teams".to_owned(), teams.into());
    }
    Value::Object(shown)
}

/// The customer of a project or the project of an activity: an id and a title, or nested itself.
fn add_parent(state: &State, kind: Kind, row: &Row, shape: Shape, shown: &mut Row) {
    let (field, parent_kind, table) = match kind {
        Kind::Customers => return,
        Kind::Projects => ("customer", Kind::Customers, &state.customers),
        Kind::Activities => ("project", Kind::Projects, &state.projects),
    };
    let parent = number(row, field).and_then(|id| Some((id, table.get(id)?)));
    if shape == Shape::Nested {
        let nested = parent.map(|(id, parent)| catalogue(state, parent_kind, id, parent, Shape::Nested));
        shown.insert(field.to_owned(), json!(nested));
    } else {
        shown.insert(field.to_owned(), json!(parent.map(|(id, _)| id)));
        shown.insert("parentTitle".to_owned(), json!(parent.map(|(_, parent)| text(parent, "name"))));
    }
}

/// A user.
pub(super) fn user(state: &State, id: u64, row: &Row, shape: Shape) -> Value {
    let mut shown = pick(row, USER);
    let title = display_name(row);
    add_identity(&mut shown, id, row, title);
    shown.insert("apiToken".to_owned(), json!(false));
    shown.insert("initials".to_owned(), json!(initials(title)));
    if matches!(shape, Shape::Full | Shape::Entity) {
        shown.extend(pick(row, &["roles", "supervisor"]));
        let preferences = PREFERENCES.map(|(name, value)| json!({"name": name, "value": value}));
        shown.insert("preferences".to_owned(), json!(preferences));
        let teams = state.teams.iter().filter_map(|(team_id, team)| {
            let members = team.get("members")?.as_array()?;
            let member =
                members.iter().find(|member| member.get("user").and_then(Value::as_u64) == Some(id))?;
            let short = short(team_id, team, &[]);
            Some((short.clone(), json!({"team": short, "teamlead": member.get("teamlead")})))
        });
        let (teams, memberships): (Vec<_>, Vec<_>) = teams.unzip();
        shown.insert("teams".to_owned(), json!(teams));
        shown.insert("memberships".to_owned(), json!(memberships));
    }
    Value::Object(shown)
}

/// The alias, or the login name.
pub(super) fn display_name(user: &Row) -> &str {
    let alias = text(user, "alias");
    if alias.is_empty() { text(user, "username") } else { alias }
}

/// The first letters of the first two words, or the first two letters.
fn initials(name: &str) -> String {
    let mut words = name.split_whitespace();
    let letters: String = match (words.next(), words.next()) {
        (Some(first), Some(second)) => first.chars().take(1).chain(second.chars().take(1)).collect(),
        _ => name.chars().take(2).collect(),
    };
    letters.to_uppercase()
}

/// A tag, and the head of a team.
pub(super) fn short(id: u64, row: &Row, more: &[&str]) -> Value {
    let mut shown = pick(row, &["name"]);
    shown.extend(pick(row, more));
    add_identity(&mut shown, id, row, text(row, "name"));
    Value::Object(shown)
}

/// A team with its members and what is kept for it.
pub(super) fn team(state: &State, id: u64, row: &Row) -> Value {
    let mut shown = short(id, row, &[]);
    let list = |field: &str| row.get(field).and_then(Value::as_array).cloned().unwrap_or_default();
    for member in list("members") {
        let id = member.get("user").and_then(Value::as_u64).unwrap_or_default();
        if let (Some(shown), Some(user_row)) = (shown.as_object_mut(), state.users.get(id)) {
            let member =
                json!({"user": user(state, id, user_row, Shape::Nested), "teamlead": member.get("teamlead")});
            if let Some(members) = shown.entry("members").or_insert_with(|| json!([])).as_array_mut() {
                members.push(member);
            }
        }
    }
    for kind in [Kind::Customers, Kind::Projects, Kind::Activities] {
        let held = list(kind.path()).into_iter().filter_map(|id| {
            let id = id.as_u64()?;
            let mut one = catalogue(state, kind, id, kind.table(state).get(id)?, Shape::List);
            let fields = one.as_object_mut()?;
            fields.remove("parentTitle");
            fields.remove("teams");
            Some(one)
        });
        let held: Vec<Value> = held.collect();
        if let Some(shown) = shown.as_object_mut() {
            shown.insert(kind.path().to_owned(), held.into());
        }
    }
    shown
}

/// A timesheet, its times written in `zone`. `full` nests its user, project and activity.
pub(super) fn timesheet(
    state: &State,
    row: &StoredTimesheet,
    zone: &jiff::tz::TimeZone,
    entity: bool,
    full: bool,
) -> Value {
    let meta: Vec<Value> =
        row.meta.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
    let mut shown = json!({
        "id": row.id, "tags": row.tags,
        "begin": time::write(row.begin, zone), "end": row.end.map(|end| time::write(end, zone)),
        "duration": row.duration, "break": row.break_seconds, "description": row.description,
        "rate": row.rate(), "internalRate": row.rate(),
        "exported": row.exported, "billable": row.billable, "metaFields": meta,
    });
    if let Some(shown) = shown.as_object_mut() {
        let nested = |kind: Kind, id: u64| match kind.table(state).get(id) {
            Some(row) if full => catalogue(state, kind, id, row, Shape::Nested),
            _ => json!(id),
        };
        shown.insert("project".to_owned(), nested(Kind::Projects, row.project));
        shown.insert("activity".to_owned(), nested(Kind::Activities, row.activity));
        let owner = state.users.get(row.user).filter(|_| full);
        let owner = owner.map_or(json!(row.user), |owner| user(state, row.user, owner, Shape::Nested));
        shown.insert("user".to_owned(), owner);
        if entity {
            shown.insert("fixedRate".to_owned(), json!(row.fixed_rate));
            shown.insert("hourlyRate".to_owned(), json!(row.hourly_rate));
        }
    }
    shown
}

fn pick(row: &Row, fields: &[&str]) -> Row {
    let value = |field: &&str| row.get(*field).cloned().unwrap_or_default();
    fields.iter().map(|field| ((*field).to_owned(), value(field))).collect()
}

fn add_identity(shown: &mut Row, id: u64, row: &Row, title: &str) {
    let colour = text(row, "color");
    let safe = if colour.is_empty() { colours::for_name(title) } else { colour };
    shown.insert("id".to_owned(), json!(id));
    shown.insert("color".to_owned(), json!(Some(colour).filter(|colour| !colour.is_empty())));
    shown.insert("color-safe".to_owned(), json!(safe));
}

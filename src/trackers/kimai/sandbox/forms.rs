//! Writing the catalogue and users: `POST`, `PATCH`, `DELETE`.

use serde_json::{Map, Value, json};

use super::answer::{Answer, EXTRA_FIELDS, FormErrors, NO_CHOICE, NOT_NULL};
use super::auth::{Role, Who};
use super::catalogue::Kind;
use super::colours::COLOURS;
use super::request::{id, scalar, switch};
use super::shapes::{self, Shape};
use super::state::{Row, State, flag, number, text};
use super::time;

/// How a field is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Input {
    /// Must be there, two characters at least.
    Name,
    /// A name no other row has; what else is said if one has it.
    Unique(&'static str),
    Text,
    Colour,
    /// Yes or no, and what it is when not sent.
    Flag(bool),
    /// `2024-01-01T00:00:00`, kept as `2024-01-01`.
    Date,
    /// `1:30`, kept in seconds.
    Hours,
    Money,
    Roles,
    Password,
    /// The row it belongs to.
    Parent(Kind),
    /// Accepted and forgotten.
    Forgotten,
}

use Input::{Colour, Date, Flag, Forgotten, Hours, Money, Name, Parent, Password, Roles, Text, Unique};

type Fields = &'static [(&'static str, Input)];

const CUSTOMER: Fields = &[
    ("name", Name),
    ("number", Text),
    ("comment", Text),
    ("company", Text),
    ("vatId", Text),
    ("contact", Text),
    ("addressLine1", Text),
    ("addressLine2", Text),
    ("addressLine3", Text),
    ("postCode", Text),
    ("city", Text),
    ("country", Text),
    ("language", Text),
    ("currency", Text),
    ("phone", Text),
    ("fax", Text),
    ("mobile", Text),
    ("email", Text),
    ("homepage", Text),
    ("timezone", Text),
    ("invoiceText", Forgotten),
    ("invoiceTemplate", Forgotten),
    ("invoiceEmail", Text),
    ("buyerReference", Text),
    ("teams", Forgotten),
    ("color", Colour),
    ("budget", Money),
    ("timeBudget", Hours),
    ("budgetType", Text),
    ("visible", Flag(true)),
    ("billable", Flag(true)),
];
const PROJECT: Fields = &[
    ("name", Name),
    ("number", Text),
    ("comment", Text),
    ("invoiceText", Forgotten),
    ("orderNumber", Text),
    ("orderDate", Date),
    ("start", Date),
    ("end", Date),
    ("customer", Parent(Kind::Customers)),
    ("teams", Forgotten),
    ("color", Colour),
    ("budget", Money),
    ("timeBudget", Hours),
    ("budgetType", Text),
    ("globalActivities", Flag(true)),
    ("visible", Flag(true)),
    ("billable", Flag(true)),
];
const ACTIVITY: Fields = &[
    ("name", Name),
    ("number", Text),
    ("comment", Text),
    ("invoiceText", Forgotten),
    ("project", Parent(Kind::Projects)),
    ("teams", Forgotten),
    ("color", Colour),
    ("budget", Money),
    ("timeBudget", Hours),
    ("budgetType", Text),
    ("visible", Flag(true)),
    ("billable", Flag(true)),
];
const USER: Fields = &[
    ("username", Unique("The username is already used.")),
    ("alias", Text),
    ("title", Text),
    ("accountNumber", Text),
    ("color", Colour),
    ("email", Unique("This e-mail address is already in use.")),
    ("language", Text),
    ("locale", Text),
    ("timezone", Text),
    ("supervisor", Text),
    ("roles", Roles),
    ("plainPassword", Password),
    ("plainApiToken", Forgotten),
    ("enabled", Flag(false)),
    ("systemAccount", Flag(false)),
    ("requiresPasswordReset", Forgotten),
];

fn fields(kind: Kind) -> Fields {
    match kind {
        Kind::Customers => CUSTOMER,
        Kind::Projects => PROJECT,
        Kind::Activities => ACTIVITY,
    }
}

/// `POST /{kind}`.
pub(super) fn create(
    state: &mut State,
    who: &Who,
    kind: Kind,
    input: &Map<String, Value>,
) -> Result<Answer, Answer> {
    who.needs(Role::Admin)?;
    let row = Form { state, fields: fields(kind), old: None }.read(input)?;
    let id = insert(state, kind, row);
    let row = kind.table(state).get(id).ok_or_else(|| Answer::refused(500))?;
    Ok(Answer::ok(shapes::catalogue(state, kind, id, row, Shape::Entity)))
}

/// Stores a row, with the number and language Kimai would give it.
pub(super) fn insert(state: &mut State, kind: Kind, mut row: Row) -> u64 {
    let table = kind.table_mut(state);
    if text(&row, "number").is_empty() {
        row.insert("number".to_owned(), json!(format!("{:04}", table.next_id() + 1)));
    }
    if kind == Kind::Customers && text(&row, "language").is_empty() {
        row.insert("language".to_owned(), json!("en"));
    }
    table.insert(|_| row)
}

/// `PATCH /{kind}/{id}`.
pub(super) fn update(
    state: &mut State,
    who: &Who,
    kind: Kind,
    id: u64,
    input: &Map<String, Value>,
) -> Result<Answer, Answer> {
    let old = kind.table(state).get(id).ok_or_else(|| Answer::refused(404))?;
    who.needs(Role::Admin)?;
    let row = Form { state, fields: fields(kind), old: Some(old) }.read(input)?;
    let answer = Answer::ok(shapes::catalogue(state, kind, id, &row, Shape::Entity));
    if let Some(old) = kind.table_mut(state).get_mut(id) {
        *old = row;
    }
    Ok(answer)
}

/// `DELETE /{kind}/{id}`: takes everything below it along, timesheets too.
pub(super) fn delete(state: &mut State, who: &Who, kind: Kind, id: u64) -> Result<Answer, Answer> {
    kind.table(state).get(id).ok_or_else(|| Answer::refused(404))?;
    who.needs(Role::Admin)?;
    remove(state, kind, id);
    Ok(Answer::deleted())
}

/// Removes a row and everything below it.
pub(super) fn remove(state: &mut State, kind: Kind, id: u64) {
    match kind {
        Kind::Customers => {
            let of_customer = |row: &Row| number(row, "customer") == Some(id);
            let projects: Vec<u64> =
                state.projects.iter().filter(|(_, row)| of_customer(row)).map(|(id, _)| id).collect();
            for project in projects {
                state.remove_project(project);
            }
        }
        Kind::Projects => state.remove_project(id),
        Kind::Activities => state.timesheets.retain(|timesheet| timesheet.activity != id),
    }
    kind.table_mut(state).remove(id);
}

/// `POST /users`.
pub(super) fn create_user(
    state: &mut State,
    who: &Who,
    input: &Map<String, Value>,
) -> Result<Answer, Answer> {
    who.needs(Role::SuperAdmin)?;
    let mut row = Form { state, fields: USER, old: None }.read(input)?;
    let default = |row: &mut Row, field: &str, value: &str| {
        if text(row, field).is_empty() {
            row.insert(field.to_owned(), json!(value));
        }
    };
    default(&mut row, "language", "en");
    default(&mut row, "timezone", who.zone.iana_name().unwrap_or("UTC"));
    follow_language(&mut row, input);
    let id = state.users.insert(|_| row);
    let row = state.users.get(id).ok_or_else(|| Answer::refused(500))?;
    Ok(Answer::ok(shapes::user(state, id, row, Shape::Entity)))
}

/// `PATCH /users/{id}`.
pub(super) fn update_user(
    state: &mut State,
    who: &Who,
    id: u64,
    input: &Map<String, Value>,
) -> Result<Answer, Answer> {
    let old = state.users.get(id).ok_or_else(|| Answer::refused(404))?;
    who.needs(Role::SuperAdmin)?;
    let mut row = Form { state, fields: USER, old: Some(old) }.read(input)?;
    follow_language(&mut row, input);
    let answer = Answer::ok(shapes::user(state, id, &row, Shape::Entity));
    if let Some(old) = state.users.get_mut(id) {
        *old = row;
    }
    Ok(answer)
}

/// A language without a locale sets both.
fn follow_language(row: &mut Row, input: &Map<String, Value>) {
    let language = row.get("language").cloned().unwrap_or_default();
    if text(row, "locale").is_empty() || (input.contains_key("language") && !input.contains_key("locale")) {
        row.insert("locale".to_owned(), language);
    }
}

/// One reading of a form: a new row, or changes to an old one.
struct Form<'a> {
    state: &'a State,
    fields: Fields,
    old: Option<&'a Row>,
}

impl Form<'_> {
    fn read(&self, input: &Map<String, Value>) -> Result<Row, Answer> {
        let mut errors = FormErrors::default();
        let mut row = self.old.cloned().unwrap_or_default();
        // Teams are chosen when a row is made, and by their own routes after. A global activity stays one.
        let global = |old: &Row| old.get("project").is_some_and(Value::is_null);
        let known =
            |name: &str| self.old.is_none_or(|old| name != "teams" && !(name == "project" && global(old)));
        let names: Vec<&str> = self.fields.iter().map(|(name, _)| *name).filter(|name| known(name)).collect();
        if input.keys().any(|key| !names.contains(&key.as_str())) {
            errors.form(EXTRA_FIELDS);
        }
        for (name, how) in self.fields.iter().filter(|(name, _)| known(name)) {
            let value = match (input.get(*name), self.old) {
                (None, Some(_)) => continue,
                (None, None) => absent(*how),
                (Some(value), _) => self.value(name, *how, value),
            };
            match value {
                Ok(_) if matches!(how, Forgotten | Password) => {}
                Ok(value) => {
                    row.insert((*name).to_owned(), value);
                }
                Err(messages) => messages.iter().for_each(|message| errors.field(name, *message)),
            }
        }
        errors.verdict(&names)?;
        Ok(row)
    }

    fn value(&self, name: &str, how: Input, value: &Value) -> Result<Value, Vec<&'static str>> {
        let said = scalar(value).unwrap_or_default();
        let empty = said.is_empty();
        match how {
            Name | Unique(_) if empty => Err(vec![NOT_NULL]),
            Name if said.chars().count() < 2 => {
                Err(vec!["This value is too short. It should have 2 characters or more."])
            }
            Name if said.contains(['<', '>', '"', '=']) => {
                Err(vec!["These characters are not allowed: < \" > ="])
            }
            Unique(message) if self.taken(name, &said) => Err(vec![message, "This value is already used."]),
            Password if said.chars().count() < 8 => {
                Err(vec!["This value is too short. It should have 8 characters or more."])
            }
            Colour if !empty && !COLOURS.iter().any(|(_, value)| *value == said) => Err(vec![NO_CHOICE]),
            Flag(_) => Ok(json!(switch(value))),
            Date if !empty => match time::read_date(&said) {
                Some(date) => Ok(json!(date)),
                None => Err(vec!["Please enter a valid date."]),
            },
            Hours => time::read_duration(&said)
                .map(|seconds| json!(seconds))
                .ok_or_else(|| vec!["This value is not valid."]),
            Money => {
                said.parse::<f64>().map(|money| json!(money)).map_err(|_| vec!["This value is not valid."])
            }
            Roles => Ok(value.clone()),
            Parent(kind) => self.parent(kind, name, value),
            _ if empty => Ok(Value::Null),
            _ => Ok(json!(said)),
        }
    }

    /// A project may move to another customer that is shown, an activity to another project of the same customer;
    /// or it becomes a global one.
    fn parent(&self, kind: Kind, name: &str, value: &Value) -> Result<Value, Vec<&'static str>> {
        if value.is_null() {
            return absent(Parent(kind));
        }
        let id = id(value).unwrap_or_default();
        let shown = match kind {
            Kind::Customers => self.state.customers.get(id).is_some_and(|row| flag(row, "visible")),
            _ => self.state.projects.get(id).is_some_and(|row| {
                let customer = self.old.map(|old| self.customer_of_activity(old));
                self.state.project_visible(row)
                    && customer.is_none_or(|customer| customer == number(row, "customer"))
            }),
        };
        let kept = self.old.is_some_and(|old| number(old, name) == Some(id));
        if shown || kept { Ok(json!(id)) } else { Err(vec![NO_CHOICE]) }
    }

    fn customer_of_activity(&self, activity: &Row) -> Option<u64> {
        let project = number(activity, "project").and_then(|project| self.state.projects.get(project));
        project.and_then(|project| number(project, "customer"))
    }

    fn taken(&self, name: &str, said: &str) -> bool {
        let own = self.old.map(|old| text(old, name));
        own != Some(said) && self.state.users.iter().any(|(_, user)| text(user, name) == said)
    }
}

/// What a field is in a new row that does not name it.
fn absent(how: Input) -> Result<Value, Vec<&'static str>> {
    match how {
        Name | Unique(_) | Password | Parent(Kind::Customers) => Err(vec![NOT_NULL]),
        Flag(default) => Ok(json!(default)),
        Hours => Ok(json!(0)),
        Money => Ok(json!(0.0)),
        Roles => Ok(json!([])),
        _ => Ok(Value::Null),
    }
}

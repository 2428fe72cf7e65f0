//! Filling and changing the sandbox without HTTP, as someone would in Kimai's own pages.

use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Date};
use serde_json::{Value, json};

use super::catalogue::Kind;
use super::state::{Row, StoredTimesheet, Token};
use super::{Role, Sandbox, booking, forms, time};
use crate::domain::ids::{ActivityId, CustomerId, EntryId, ProjectId, TrackerId, UserId};

/// Something that can be hidden, renamed or coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entity {
    /// A user; hidden is disabled, and its name is its alias.
    User(UserId),
    /// A customer.
    Customer(CustomerId),
    /// A project.
    Project(ProjectId),
    /// An activity.
    Activity(ActivityId),
}

impl Sandbox {
    /// An enabled user with the zone `Europe/Brussels` or the like and, if given, an API token.
    pub fn add_user(&self, username: &str, zone: &str, role: Role, token: Option<&str>) -> UserId {
        let row = row([
            ("username", json!(username)),
            ("email", json!(format!("{username}@example.com"))),
            ("language", json!("en")),
            ("locale", json!("en")),
            ("timezone", json!(zone)),
            ("roles", json!(role.names())),
            ("enabled", json!(true)),
            ("systemAccount", json!(false)),
        ]);
        let user = UserId::number(self.state().users.insert(|_| row));
        if let Some(token) = token {
            self.add_token(user, token);
        }
        user
    }

    /// One more token of a user, who may be made later.
    pub fn add_token(&self, user: UserId, token: &str) {
        self.state().tokens.push(Token { text: token.to_owned(), user: number(user), expired: false });
    }

    /// Ends a token's life; it stays known.
    pub fn expire_token(&self, token: &str) {
        let mut state = self.state();
        state.tokens.iter_mut().filter(|known| known.text == token).for_each(|known| known.expired = true);
    }

    /// A customer that is shown.
    pub fn add_customer(&self, name: &str) -> CustomerId {
        let more =
            [("country", json!("BE")), ("currency", json!("EUR")), ("timezone", json!("Europe/Brussels"))];
        let row = shown(name, more);
        CustomerId::number(forms::insert(&mut self.state(), Kind::Customers, row))
    }

    /// A project that is shown, has no dates, and allows global activities.
    pub fn add_project(&self, name: &str, customer: CustomerId) -> ProjectId {
        let row = shown(name, [("customer", json!(customer)), ("globalActivities", json!(true))]);
        ProjectId::number(forms::insert(&mut self.state(), Kind::Projects, row))
    }

    /// An activity that is shown; without a project it is a global one.
    pub fn add_activity(&self, name: &str, project: Option<ProjectId>) -> ActivityId {
        let row = shown(name, [("project", json!(project))]);
        ActivityId::number(forms::insert(&mut self.state(), Kind::Activities, row))
    }

    /// Hides an entity, or disables a user.
    pub fn hide(&self, entity: Entity) {
        self.show_or_hide(entity, false);
    }

    /// Shows an entity again, or enables a user.
    pub fn show(&self, entity: Entity) {
        self.show_or_hide(entity, true);
    }

    fn show_or_hide(&self, entity: Entity, shown: bool) {
        let field = if matches!(entity, Entity::User(_)) { "enabled" } else { "visible" };
        self.set(entity, field, json!(shown));
    }

    /// Renames an entity.
    pub fn rename(&self, entity: Entity, name: &str) {
        let field = if matches!(entity, Entity::User(_)) { "alias" } else { "name" };
        self.set(entity, field, json!(name));
    }

    /// Sets or takes away a colour, `#rrggbb`.
    pub fn colour(&self, entity: Entity, colour: Option<&str>) {
        self.set(entity, "color", json!(colour));
    }

    /// Sets the first and the last day of a project.
    pub fn set_project_dates(&self, project: ProjectId, start: Option<Date>, end: Option<Date>) {
        self.set(Entity::Project(project), "start", json!(start));
        self.set(Entity::Project(project), "end", json!(end));
    }

    /// Moves a user to another zone. Records keep theirs until they are saved again.
    pub fn set_zone(&self, user: UserId, zone: &str) {
        self.set(Entity::User(user), "timezone", json!(zone));
    }

    /// Sets a field by the name it has in Kimai's JSON; nothing happens if there is no such entity.
    pub fn set(&self, entity: Entity, field: &str, value: Value) {
        let mut state = self.state();
        let row = match entity {
            Entity::User(id) => state.users.get_mut(number(id)),
            Entity::Customer(id) => state.customers.get_mut(number(id)),
            Entity::Project(id) => state.projects.get_mut(number(id)),
            Entity::Activity(id) => state.activities.get_mut(number(id)),
        };
        if let Some(row) = row {
            row.insert(field.to_owned(), value);
        }
    }

    /// Deletes an entity with all below it, timesheets too. Users cannot be deleted.
    pub fn delete(&self, entity: Entity) {
        let mut state = self.state();
        match entity {
            Entity::User(_) => {}
            Entity::Customer(id) => forms::remove(&mut state, Kind::Customers, number(id)),
            Entity::Project(id) => forms::remove(&mut state, Kind::Projects, number(id)),
            Entity::Activity(id) => forms::remove(&mut state, Kind::Activities, number(id)),
        }
    }

    /// A tag that timesheets can carry.
    pub fn add_tag(&self, name: &str) {
        self.state().tags.insert(|_| row([("name", json!(name)), ("visible", json!(true))]));
    }

    /// A timesheet that its owner made; nothing is checked or rounded.
    pub fn add_timesheet(
        &self,
        user: UserId,
        (project, activity): (ProjectId, ActivityId),
        begin: Timestamp,
        end: Option<Timestamp>,
    ) -> EntryId {
        let modified = self.now();
        let mut state = self.state();
        let zone = state.zone_of(number(user));
        let billable = booking::billable(&state, number(project), number(activity));
        EntryId::number(state.timesheets.insert(|id| StoredTimesheet {
            id,
            user: number(user),
            project: number(project),
            activity: number(activity),
            begin,
            end,
            day: time::day(begin, &zone),
            zone,
            break_seconds: 0,
            duration: end.map_or(0, |end| end.as_second() - begin.as_second()),
            description: None,
            tags: Vec::new(),
            fixed_rate: None,
            hourly_rate: end.map(|_| 0.0),
            exported: false,
            billable,
            modified,
            meta: BTreeMap::new(),
        }))
    }

    /// Changes a timesheet behind the service's back, `modified` too; nothing is checked or rounded. What is counted
    /// follows the times and the break, unless that is changed itself. False if it is not there.
    pub fn edit_timesheet(&self, id: EntryId, change: impl FnOnce(&mut StoredTimesheet)) -> bool {
        let modified = self.now();
        let mut state = self.state();
        let Some(row) = state.timesheets.get_mut(number(id)) else { return false };
        let (was, before) = (row.duration, row.between());
        row.modified = modified;
        change(row);
        if row.duration == was && row.between() != before {
            row.duration = row.between();
        }
        true
    }

    /// Deletes a timesheet behind the service's back. False if it is not there.
    pub fn delete_timesheet(&self, id: EntryId) -> bool {
        self.state().timesheets.remove(number(id)).is_some()
    }

    /// All timesheets, lowest id first.
    pub fn timesheets(&self) -> Vec<StoredTimesheet> {
        self.state().timesheets.iter().map(|(_, row)| row.clone()).collect()
    }
}

/// The row with this id; none has the number 0.
fn number(id: impl Into<TrackerId>) -> u64 {
    id.into().as_number().unwrap_or_default()
}

fn row<const N: usize>(fields: [(&str, Value); N]) -> Row {
    fields.into_iter().map(|(field, value)| (field.to_owned(), value)).collect()
}

/// What every entity of the catalogue has.
fn shown<const N: usize>(name: &str, more: [(&str, Value); N]) -> Row {
    let mut made = row([
        ("name", json!(name)),
        ("visible", json!(true)),
        ("billable", json!(true)),
        ("budget", json!(0.0)),
        ("timeBudget", json!(0)),
    ]);
    made.extend(row(more));
    made
}

//! `GET /customers`, `/projects`, `/activities` and `/users`: lists that are never paged.

use jiff::Timestamp;
use serde_json::Value;

use super::answer::Answer;
use super::auth::{Role, Who};
use super::request::Query;
use super::shapes::{self, Shape};
use super::state::{Row, State, Table, flag, number, text};
use super::time;

/// The three tables of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Customers,
    Projects,
    Activities,
}

impl Kind {
    /// Its name in paths, and in what a team keeps.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Customers => "customers",
            Self::Projects => "projects",
            Self::Activities => "activities",
        }
    }

    pub(super) fn table(self, state: &State) -> &Table<Row> {
        match self {
            Self::Customers => &state.customers,
            Self::Projects => &state.projects,
            Self::Activities => &state.activities,
        }
    }

    pub(super) fn table_mut(self, state: &mut State) -> &mut Table<Row> {
        match self {
            Self::Customers => &mut state.customers,
            Self::Projects => &mut state.projects,
            Self::Activities => &mut state.activities,
        }
    }
}

/// What `visible` asks for: 1 shown (the default), 2 hidden, 3 all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Visible {
    Shown,
    Hidden,
    All,
}

impl Visible {
    fn read(query: &Query) -> Result<Self, Answer> {
        Ok(match query.choice("visible", &["1", "2", "3"])? {
            Some("2") => Self::Hidden,
            Some("3") => Self::All,
            _ => Self::Shown,
        })
    }

    /// What hides with its parent is only in "all".
    fn takes(self, own: bool, parent: bool) -> bool {
        match self {
            Self::Shown => own && parent,
            Self::Hidden => !own && parent,
            Self::All => true,
        }
    }
}

/// `GET /{kind}`.
pub(super) fn list(
    state: &State,
    who: &Who,
    now: Timestamp,
    kind: Kind,
    query: &Query,
) -> Result<Answer, Answer> {
    let visible = Visible::read(query)?;
    let filter = Filter::read(state, kind, query)?;
    let today = time::day(now, &who.zone);
    let dates = kind == Kind::Projects && !filter.ignore_dates;
    let rows = kind.table(state).iter().filter(|(id, row)| {
        let parent = match kind {
            Kind::Customers => true,
            Kind::Projects => state.customer_of(row).is_some_and(|customer| flag(customer, "visible")),
            Kind::Activities => match number(row, "project") {
                Some(project) => {
                    state.projects.get(project).is_some_and(|project| state.project_visible(project))
                }
                None => true,
            },
        };
        visible.takes(flag(row, "visible"), parent)
            && (!dates || State::project_open(row, today))
            && filter.takes(state, kind, row)
            && who.sees(state, kind.path(), *id)
    });
    let order = Order::read(query, &["id", "name", "customer", "project"])?;
    let sorted = order.sort(rows.collect(), |row| text(row, "name"));
    let shape = if query.flag("full")? == Some(true) { Shape::Full } else { Shape::List };
    let shown: Vec<Value> =
        sorted.into_iter().map(|(id, row)| shapes::catalogue(state, kind, id, row, shape)).collect();
    Ok(Answer::ok(shown))
}

/// `GET /{kind}/{id}`: also what is hidden or ended.
pub(super) fn one(state: &State, who: &Who, kind: Kind, id: u64) -> Result<Answer, Answer> {
    let row = kind.table(state).get(id).ok_or_else(|| Answer::refused(404))?;
    if !who.sees(state, kind.path(), id) {
        return Err(Answer::refused(403));
    }
    Ok(Answer::ok(shapes::catalogue(state, kind, id, row, Shape::Entity)))
}

/// `GET /users`: needs `view_user`.
pub(super) fn users(state: &State, who: &Who, query: &Query) -> Result<Answer, Answer> {
    who.needs(Role::SuperAdmin)?;
    let visible = Visible::read(query)?;
    let words = query.words();
    let rows = state.users.iter().filter(|(_, user)| {
        visible.takes(flag(user, "enabled"), true)
            && matches(
                &words,
                &[text(user, "alias"), text(user, "username"), text(user, "email"), text(user, "title")],
            )
    });
    let order = Order::read(query, &["id", "username", "alias", "email"])?;
    let sorted = order.sort(rows.collect(), shapes::display_name);
    let shape = if query.flag("full")? == Some(true) { Shape::Full } else { Shape::List };
    let shown: Vec<Value> =
        sorted.into_iter().map(|(id, user)| shapes::user(state, id, user, shape)).collect();
    Ok(Answer::ok(shown))
}

/// `GET /users/{id}`: the own one, or `view_user`.
pub(super) fn user(state: &State, who: &Who, id: u64) -> Result<Answer, Answer> {
    let user = state.users.get(id).ok_or_else(|| Answer::refused(404))?;
    if id != who.id {
        who.needs(Role::SuperAdmin)?;
    }
    Ok(Answer::ok(shapes::user(state, id, user, Shape::Entity)))
}

/// The parameters that narrow a list. Ids that do not exist are ignored, as if not asked for.
struct Filter {
    words: Vec<String>,
    parents: Vec<u64>,
    globals_only: bool,
    ignore_dates: bool,
}

impl Filter {
    fn read(state: &State, kind: Kind, query: &Query) -> Result<Self, Answer> {
        let mut parents = match kind {
            Kind::Customers => Vec::new(),
            Kind::Projects => query.ids("customer", "customers")?,
            Kind::Activities => query.ids("project", "projects")?,
        };
        let table = if kind == Kind::Projects { &state.customers } else { &state.projects };
        parents.retain(|id| table.get(*id).is_some());
        Ok(Self {
            words: query.words(),
            parents,
            globals_only: query.flag("globals")? == Some(true),
            ignore_dates: query.flag("ignoreDates")? == Some(true),
        })
    }

    fn takes(&self, state: &State, kind: Kind, row: &Row) -> bool {
        let parent = match kind {
            Kind::Customers => None,
            Kind::Projects => number(row, "customer"),
            Kind::Activities => number(row, "project"),
        };
        let global = kind == Kind::Activities && parent.is_none();
        let asked = self.parents.is_empty() || parent.is_some_and(|parent| self.parents.contains(&parent));
        let wanted = if global { self.globals_welcome(state) } else { asked && !self.globals_only };
        wanted && matches(&self.words, &[text(row, "name"), text(row, "comment"), text(row, "number")])
    }

    /// Global activities come with those of a project, unless it forbids them.
    fn globals_welcome(&self, state: &State) -> bool {
        let mut asked = self.parents.iter().filter_map(|id| state.projects.get(*id));
        self.parents.is_empty() || asked.any(|project| flag(project, "globalActivities"))
    }
}

/// Whether each word is somewhere in one of the texts.
fn matches(words: &[String], texts: &[&str]) -> bool {
    words.iter().all(|word| texts.iter().any(|text| text.to_lowercase().contains(word)))
}

/// `orderBy` and `order`; by name if nothing is asked.
struct Order<'a> {
    by: Option<&'a str>,
    descending: bool,
}

impl<'a> Order<'a> {
    fn read(query: &Query, fields: &[&'a str]) -> Result<Self, Answer> {
        let descending = query.choice("order", &["ASC", "DESC"])? == Some("DESC");
        Ok(Self { by: query.choice("orderBy", fields)?, descending })
    }

    fn sort<'r>(&self, mut rows: Vec<(u64, &'r Row)>, title: fn(&Row) -> &str) -> Vec<(u64, &'r Row)> {
        rows.sort_by_cached_key(|(id, row)| match self.by {
            Some("id") => (String::new(), *id),
            Some("username" | "alias" | "email") => {
                (text(row, self.by.unwrap_or_default()).to_lowercase(), *id)
            }
            _ => (title(row).to_lowercase(), *id),
        });
        if self.descending {
            rows.reverse();
        }
        rows
    }
}

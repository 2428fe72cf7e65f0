//! The filters, order and pages of `GET /timesheets`.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::answer::Answer;
use super::auth::{Role, Who};
use super::catalogue::Kind;
use super::request::Query;
use super::state::{State, StoredTimesheet};
use super::teams;

/// Records on a page when nothing is asked, and the most there ever are.
const PAGE: u64 = 50;
const LARGEST_PAGE: u64 = 500;

/// Which timesheets are asked for.
pub(super) struct Filter {
    users: Option<Vec<u64>>,
    begin: Option<Timestamp>,
    end: Option<Timestamp>,
    modified_after: Option<Timestamp>,
    exported: Option<bool>,
    active: Option<bool>,
    billable: Option<bool>,
    customers: Vec<u64>,
    projects: Vec<u64>,
    activities: Vec<u64>,
    tags: Vec<String>,
    terms: Vec<Term>,
    by: &'static str,
    descending: bool,
}

/// One word of `term`.
enum Term {
    Has(String),
    HasNot(String),
    Meta { name: String, value: String },
}

impl Filter {
    /// Reads the query. Bounds are wall clock in the token's zone; unknown projects and the like fall
    /// away, so that a filter on them alone lists everything.
    pub(super) fn read(state: &State, who: &Who, query: &Query) -> Result<Self, Answer> {
        let known = |kind: Kind, one, many| -> Result<Vec<u64>, Answer> {
            let mut ids = query.ids(one, many)?;
            ids.retain(|id| kind.table(state).get(*id).is_some());
            Ok(ids)
        };
        let by = query.choice("orderBy", &["id", "begin", "end", "rate"])?.unwrap_or("begin");
        Ok(Self {
            users: users(state, who, query)?,
            begin: query.time("begin", &who.zone)?,
            end: query.time("end", &who.zone)?,
            modified_after: query.time("modified_after", &TimeZone::UTC)?,
            exported: query.flag("exported")?,
            active: query.flag("active")?,
            billable: query.flag("billable")?,
            customers: known(Kind::Customers, "customer", "customers")?,
            projects: known(Kind::Projects, "project", "projects")?,
            activities: known(Kind::Activities, "activity", "activities")?,
            tags: tags(state, query)?,
            terms: query.words().into_iter().map(Term::read).collect(),
            by,
            descending: query.choice("order", &["ASC", "DESC"])? != Some("ASC"),
        })
    }

    /// The records that fit, in order.
    pub(super) fn select<'a>(&self, state: &'a State, who: &Who) -> Vec<&'a StoredTimesheet> {
        let mut managed = BTreeMap::new();
        let rows = state.timesheets.iter().map(|(_, row)| row).filter(|row| {
            self.takes(state, row) && *managed.entry(row.user).or_insert_with(|| who.manages(state, row.user))
        });
        let mut rows: Vec<&StoredTimesheet> = rows.collect();
        rows.sort_by(|a, b| {
            let order = self.compare(a, b).then(a.id.cmp(&b.id));
            if self.descending { order.reverse() } else { order }
        });
        rows
    }

    fn compare(&self, a: &StoredTimesheet, b: &StoredTimesheet) -> Ordering {
        match self.by {
            "id" => Ordering::Equal,
            "end" => a.end.cmp(&b.end),
            "rate" => a.rate().total_cmp(&b.rate()),
            _ => a.begin.cmp(&b.begin),
        }
    }

    fn takes(&self, state: &State, row: &StoredTimesheet) -> bool {
        let among = |wanted: &[u64], id: u64| wanted.is_empty() || wanted.contains(&id);
        let customer = || {
            let project = state.projects.get(row.project);
            project.and_then(|project| super::state::number(project, "customer")).unwrap_or_default()
        };
        self.users.as_ref().is_none_or(|users| users.contains(&row.user))
            && self.begin.is_none_or(|begin| row.begin >= begin)
            && self.end.is_none_or(|end| row.begin <= end)
            && self.modified_after.is_none_or(|after| row.modified >= after)
            && self.exported.is_none_or(|exported| row.exported == exported)
            && self.active.is_none_or(|active| row.end.is_none() == active)
            && self.billable.is_none_or(|billable| row.billable == billable)
            && among(&self.projects, row.project)
            && among(&self.activities, row.activity)
            && (self.customers.is_empty() || among(&self.customers, customer()))
            && (self.tags.is_empty() || row.tags.iter().any(|tag| self.tags.contains(tag)))
            && self.terms.iter().all(|term| term.takes(row))
    }
}

impl Term {
    /// A colon anywhere makes a word ask for a meta field.
    fn read(word: String) -> Self {
        if let Some((name, value)) = word.split_once(':') {
            return Self::Meta { name: name.to_owned(), value: value.to_owned() };
        }
        match word.strip_prefix('!') {
            Some(unwanted) => Self::HasNot(unwanted.to_owned()),
            None => Self::Has(word),
        }
    }

    fn takes(&self, row: &StoredTimesheet) -> bool {
        let described = |word: &str| {
            row.description.as_ref().is_some_and(|description| description.to_lowercase().contains(word))
        };
        match self {
            Self::Has(word) => described(word),
            Self::HasNot(word) => !described(word),
            Self::Meta { name, value } => {
                let set = row.meta.get(name).and_then(Option::as_ref).filter(|set| !set.is_empty());
                match value.as_str() {
                    "*" => set.is_some(),
                    "~" => set.is_none(),
                    part => set.is_some_and(|set| set.to_lowercase().contains(part)),
                }
            }
        }
    }
}

/// Whose records: the token owner's if the role may not see others', or nobody known is asked for.
/// Someone the role may not see is 403.
fn users(state: &State, who: &Who, query: &Query) -> Result<Option<Vec<u64>>, Answer> {
    let all = query.get("user") == Some("all");
    let asked = if all { Vec::new() } else { query.ids("user", "users")? };
    if who.role == Role::User {
        return Ok(Some(vec![who.id]));
    }
    if all {
        return Ok(None);
    }
    let known: Vec<u64> = asked.into_iter().filter(|user| state.users.get(*user).is_some()).collect();
    if !known.iter().all(|user| who.manages(state, *user)) {
        return Err(Answer::refused(403));
    }
    Ok(Some(if known.is_empty() { vec![who.id] } else { known }))
}

/// The names behind `tags[]`; 400 if none of them exists.
fn tags(state: &State, query: &Query) -> Result<Vec<String>, Answer> {
    let mut asked = query.all("tags").peekable();
    if asked.peek().is_none() {
        return Ok(Vec::new());
    }
    let known: Vec<String> = asked.filter_map(|name| teams::tag(state, name)).map(str::to_owned).collect();
    if known.is_empty() { Err(Answer::refused(400)) } else { Ok(known) }
}

/// One page of a list, and the headers that tell where it is.
pub(super) struct Page {
    number: u64,
    size: u64,
    total: u64,
    pages: u64,
}

impl Page {
    /// `page` and `size`; 404 past the last page, but the first of an empty list is there.
    pub(super) fn read(query: &Query, total: usize) -> Result<Self, Answer> {
        let total = u64::try_from(total).unwrap_or(u64::MAX);
        let size = query.number("size")?.filter(|size| *size > 0).unwrap_or(PAGE).min(LARGEST_PAGE);
        let page = query.number("page")?.unwrap_or(1).max(1);
        let pages = total.div_ceil(size).max(1);
        if page > pages { Err(Answer::refused(404)) } else { Ok(Self { number: page, size, total, pages }) }
    }

    /// The part of the list that is on this page.
    pub(super) fn cut<'a, T>(&self, rows: &'a [T]) -> impl Iterator<Item = &'a T> + use<'a, T> {
        let skipped = usize::try_from((self.number - 1) * self.size).unwrap_or(usize::MAX);
        rows.iter().skip(skipped).take(usize::try_from(self.size).unwrap_or(usize::MAX))
    }

    /// The answer with the `X-` headers.
    pub(super) fn mark(&self, answer: Answer) -> Answer {
        answer
            .with("X-Page", self.number)
            .with("X-Total-Count", self.total)
            .with("X-Total-Pages", self.pages)
            .with("X-Per-Page", self.size)
    }
}

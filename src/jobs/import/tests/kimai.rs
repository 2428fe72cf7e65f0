//! A Kimai that lists what it is told to.

use std::collections::BTreeSet;
use std::sync::Mutex;

use async_trait::async_trait;

use crate::trackers::kimai;
use crate::trackers::kimai::{Activity, Collection, Customer, Listings, Project, Rows, User};
use crate::trackers::{Fault, Lenient, Operation, TrackerFault};

/// What there is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Lists {
    pub(super) customers: Vec<Customer>,
    pub(super) projects: Vec<Project>,
    pub(super) activities: Vec<Activity>,
    pub(super) users: Vec<User>,
}

impl Lists {
    fn shows_customer(&self, id: Option<u64>) -> bool {
        let of = |customer: &&Customer| Some(customer.id) == id;
        self.customers.iter().find(of).is_none_or(|customer| customer.visible)
    }

    fn shows_project(&self, id: Option<u64>) -> bool {
        let of = |project: &&Project| Some(project.id) == id;
        self.projects
            .iter()
            .find(of)
            .is_none_or(|project| project.visible && self.shows_customer(project.customer))
    }

    /// What Kimai lists when nobody asks for what is hidden.
    fn shown(&self) -> Self {
        let today = super::today();
        let mut shown = self.clone();
        shown.customers.retain(|customer| customer.visible);
        shown.projects.retain(|project| {
            let open = project.end.is_none_or(|end| today <= end)
                && project.start.is_none_or(|start| start <= today);
            project.visible && open && self.shows_customer(project.customer)
        });
        shown.activities.retain(|activity| activity.visible && self.shows_project(activity.project));
        shown.users.retain(|user| user.enabled);
        shown
    }
}

/// The Kimai.
#[derive(Default)]
pub(super) struct Listing {
    lists: Mutex<Lists>,
    /// Leaves these ids out of what is shown, and nobody knows why.
    pub(super) loses: Mutex<BTreeSet<u64>>,
    /// The token sees nothing that is not listed.
    pub(super) short_sighted: Mutex<bool>,
    /// Requests beyond those for what is shown.
    pub(super) looks: Mutex<Vec<String>>,
    fault: Mutex<Option<TrackerFault>>,
}

impl Listing {
    pub(super) fn of(lists: Lists) -> Self {
        Self { lists: Mutex::new(lists), ..Self::default() }
    }

    pub(super) fn set(&self, lists: Lists) {
        *self.lists.lock().unwrap() = lists;
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Lists)) {
        change(&mut self.lists.lock().unwrap());
    }

    pub(super) fn answer(&self, fault: Option<TrackerFault>) {
        *self.fault.lock().unwrap() = fault;
    }

    fn list<T: Clone>(
        &self,
        rows: Rows,
        pick: impl FnOnce(&Lists) -> &Vec<T>,
        id: impl Fn(&T) -> u64,
    ) -> Result<Lenient<T>, TrackerFault> {
        if let Some(fault) = self.fault.lock().unwrap().clone() {
            return Err(fault);
        }
        let lists = self.lists.lock().unwrap();
        if rows == Rows::All {
            self.looks.lock().unwrap().push("all".to_owned());
            return Ok(pick(&lists).clone().into());
        }
        let mut shown = pick(&lists.shown()).clone();
        shown.retain(|one| !self.loses.lock().unwrap().contains(&id(one)));
        Ok(shown.into())
    }
}

pub(super) fn customer(id: u64, name: &str, color: Option<&str>) -> Customer {
    let color = color.map(str::to_owned);
    Customer { id, name: name.to_owned(), color, visible: true }
}

pub(super) fn project(id: u64, name: &str, customer: Option<u64>, color: Option<&str>) -> Project {
    let (customer, color) = (customer, color.map(str::to_owned));
    Project { id, name: name.to_owned(), customer, color, visible: true, start: None, end: None }
}

pub(super) fn activity(id: u64, name: &str, project: Option<u64>, color: Option<&str>) -> Activity {
    let (project, color) = (project, color.map(str::to_owned));
    Activity { id, name: name.to_owned(), project, color, visible: true }
}

pub(super) fn user(id: u64, username: &str) -> User {
    User { id, username: username.to_owned(), enabled: true }
}

#[async_trait]
impl Listings for Listing {
    async fn customers(&self, rows: Rows) -> Result<Lenient<Customer>, TrackerFault> {
        self.list(rows, |lists| &lists.customers, |one| one.id)
    }

    async fn projects(&self, rows: Rows) -> Result<Lenient<Project>, TrackerFault> {
        self.list(rows, |lists| &lists.projects, |one| one.id)
    }

    async fn activities(&self, rows: Rows) -> Result<Lenient<Activity>, TrackerFault> {
        self.list(rows, |lists| &lists.activities, |one| one.id)
    }

    async fn users(&self, rows: Rows) -> Result<Lenient<User>, TrackerFault> {
        self.list(rows, |lists| &lists.users, |one| one.id)
    }

    async fn exists(&self, list: Collection, id: u64) -> Result<bool, TrackerFault> {
        self.looks.lock().unwrap().push(format!("{}/{id}", list.path()));
        if *self.short_sighted.lock().unwrap() {
            return Err(TrackerFault::new(kimai::NAME, Operation::Look, Fault::Permanent, "Forbidden (403)"));
        }
        let lists = self.lists.lock().unwrap();
        Ok(match list {
            Collection::Customers => lists.customers.iter().any(|one| one.id == id),
            Collection::Projects => lists.projects.iter().any(|one| one.id == id),
            Collection::Activities => lists.activities.iter().any(|one| one.id == id),
            Collection::Users => lists.users.iter().any(|one| one.id == id),
        })
    }
}

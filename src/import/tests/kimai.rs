//! A Kimai that lists what it is told to.

use std::sync::Mutex;

use async_trait::async_trait;

use crate::domain::ids::{ActivityId, CustomerId, ProjectId, UserId};
use crate::kimai::{Activity, Customer, KimaiFault, Listings, Project, User};

/// What Kimai lists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Lists {
    pub(super) customers: Vec<Customer>,
    pub(super) projects: Vec<Project>,
    pub(super) activities: Vec<Activity>,
    pub(super) users: Vec<User>,
}

/// The Kimai.
#[derive(Default)]
pub(super) struct Listing {
    lists: Mutex<Lists>,
    fault: Mutex<Option<KimaiFault>>,
}

impl Listing {
    pub(super) fn of(lists: Lists) -> Self {
        Self { lists: Mutex::new(lists), fault: Mutex::default() }
    }

    pub(super) fn set(&self, lists: Lists) {
        *self.lists.lock().unwrap() = lists;
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Lists)) {
        change(&mut self.lists.lock().unwrap());
    }

    pub(super) fn answer(&self, fault: Option<KimaiFault>) {
        *self.fault.lock().unwrap() = fault;
    }

    fn list<T: Clone>(&self, pick: impl FnOnce(&Lists) -> &Vec<T>) -> Result<Vec<T>, KimaiFault> {
        match self.fault.lock().unwrap().clone() {
            Some(fault) => Err(fault),
            None => Ok(pick(&self.lists.lock().unwrap()).clone()),
        }
    }
}

pub(super) fn customer(id: u64, name: &str, color: Option<&str>) -> Customer {
    Customer { id: CustomerId(id), name: name.to_owned(), color: color.map(str::to_owned) }
}

pub(super) fn project(id: u64, name: &str, customer: Option<u64>, color: Option<&str>) -> Project {
    let customer = customer.map(CustomerId);
    Project { id: ProjectId(id), name: name.to_owned(), customer, color: color.map(str::to_owned) }
}

pub(super) fn activity(id: u64, name: &str, project: Option<u64>, color: Option<&str>) -> Activity {
    let project = project.map(ProjectId);
    Activity { id: ActivityId(id), name: name.to_owned(), project, color: color.map(str::to_owned) }
}

pub(super) fn user(id: u64, username: &str) -> User {
    User { id: UserId(id), username: username.to_owned() }
}

#[async_trait]
impl Listings for Listing {
    async fn customers(&self) -> Result<Vec<Customer>, KimaiFault> {
        self.list(|lists| &lists.customers)
    }

    async fn projects(&self) -> Result<Vec<Project>, KimaiFault> {
        self.list(|lists| &lists.projects)
    }

    async fn activities(&self) -> Result<Vec<Activity>, KimaiFault> {
        self.list(|lists| &lists.activities)
    }

    async fn users(&self) -> Result<Vec<User>, KimaiFault> {
        self.list(|lists| &lists.users)
    }
}

//! Resources that Kimai no longer lists: deleted, hidden, ended or disabled there, or just not visible to the token.
//!
//! A missing row proves nothing: a token whose user has lost a role sees less, and another Kimai has other data. So the
//! complete list is requested, and each resource that is missing even there.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, stream};
use jiff::civil::Date;
use tracing::warn;

use super::catalogue::Catalogue;
use super::resource_kind::{ResourceKind, Wanted};
use crate::progress::Progress;
use crate::trackers::kimai::{Collection, Customer, Listings, Project, Rows};
use crate::trackers::{Fault, Lenient, TrackerFault};

/// The number of concurrent requests by ID.
const LOOKS_AT_ONCE: usize = 4;

/// The resources that are missing from a list.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Gone {
    /// The IDs that Kimai confirms as deleted, hidden, ended or disabled.
    pub(super) ids: BTreeSet<u64>,
    /// How many more are missing without confirmation.
    pub(super) held: usize,
}

/// Where to request them.
pub(super) struct Search<'a> {
    pub(super) kimai: &'a dyn Listings,
    /// `IMPORT_MAX_GONE`.
    pub(super) max_gone: usize,
    pub(super) today: Date,
    pub(super) progress: &'a Progress,
}

impl Search<'_> {
    /// The resources of `here` that are missing from `listed`. Sends no request to Kimai if all of them are known
    /// already.
    pub(super) async fn gone(&self, kind: &ResourceKind, listed: &Lenient<Wanted>, here: &Catalogue) -> Gone {
        // A row that cannot be read still exists.
        let odd = listed.odd.ids.iter().filter_map(|id| id.as_number());
        let listed: BTreeSet<u64> = listed.rows.iter().map(|item| item.id).chain(odd).collect();
        let imported = here.imported(kind);
        let missing: BTreeSet<u64> = imported
            .iter()
            .filter(|(id, unavailable)| !**unavailable && !listed.contains(id))
            .map(|(id, _)| *id)
            .collect();
        if missing.is_empty() {
            return Gone::default();
        }
        if !imported.keys().any(|id| listed.contains(id)) {
            let why = "Kimai's list has none of those that were imported; check that KIMAI_ENDPOINT is right \
                and that the user of API_TOKEN can see everything";
            return self.hold(kind, missing.len(), why);
        }
        let everything = match self.everything(kind.list).await {
            Ok(everything) => everything,
            Err(fault) => return self.hold(kind, missing.len(), &fault.to_string()),
        };
        let mut gone = Gone::default();
        let mut unlisted = Vec::new();
        for id in missing {
            match everything.get(&id) {
                Some(true) => drop(gone.ids.insert(id)),
                Some(false) => gone.held += 1,
                None => unlisted.push(id),
            }
        }
        if gone.held > 0 {
            self.tell(
                kind,
                gone.held,
                "Kimai's two lists contradict each other; the next import checks again",
            );
        }
        let Gone { ids, held } = self.deleted(kind, unlisted).await;
        gone.ids.extend(ids);
        gone.held += held;
        gone
    }

    /// Those of `unlisted` that do not exist in Kimai.
    async fn deleted(&self, kind: &ResourceKind, unlisted: Vec<u64>) -> Gone {
        if unlisted.len() > self.max_gone {
            let why = format!(
                "more seem to be deleted in Kimai than IMPORT_MAX_GONE ({}). If they really are, raise it for \
                 one import",
                self.max_gone
            );
            return self.hold(kind, unlisted.len(), &why);
        }
        let looks = unlisted.into_iter().map(async |id| (id, self.kimai.exists(kind.list, id).await));
        let mut looks = stream::iter(looks).buffered(LOOKS_AT_ONCE);
        let (mut gone, mut unseen, mut failed) = (Gone::default(), 0, None);
        while let Some((id, exists)) = looks.next().await {
            match exists {
                Ok(false) => drop(gone.ids.insert(id)),
                Ok(true) => unseen += 1,
                Err(fault) if fault.fault == Fault::Permanent => unseen += 1,
                Err(fault) => {
                    gone.held += 1;
                    failed = Some(fault);
                }
            }
        }
        if let Some(fault) = failed {
            self.tell(kind, gone.held, &fault.to_string());
        }
        if unseen > 0 {
            self.tell(kind, unseen, "the user of API_TOKEN cannot see them; check its role and teams");
            gone.held += unseen;
        }
        gone
    }

    fn hold(&self, kind: &ResourceKind, held: usize, why: &str) -> Gone {
        self.tell(kind, held, why);
        Gone { held, ..Gone::default() }
    }

    fn tell(&self, kind: &ResourceKind, held: usize, why: &str) {
        let why = format!(
            "{held} {} are missing from Kimai's list and were not marked as unavailable: {why}",
            kind.name
        );
        warn!("{why}");
        self.progress.fault(why);
    }

    /// Everything in a list of Kimai, with whether imports skip it.
    async fn everything(&self, list: Collection) -> Result<BTreeMap<u64, bool>, TrackerFault> {
        let all = Rows::All;
        let kimai = self.kimai;
        Ok(match list {
            Collection::Customers => hidden_customers(&kimai.customers(all).await?.rows),
            Collection::Projects => {
                let (customers, projects) = tokio::try_join!(kimai.customers(all), kimai.projects(all))?;
                let mut hidden = hidden_projects(&customers.rows, &projects.rows);
                for project in projects.rows {
                    let closed = project.end.is_some_and(|end| end <= self.today)
                        || project.start.is_some_and(|start| start >= self.today);
                    *hidden.entry(project.id).or_default() |= closed;
                }
                hidden
            }
            Collection::Activities => {
                let lists =
                    tokio::try_join!(kimai.customers(all), kimai.projects(all), kimai.activities(all));
                let (customers, projects, activities) = lists?;
                let hidden = hidden_projects(&customers.rows, &projects.rows);
                let activities = activities.rows.into_iter().map(|activity| {
                    let project = activity.project.and_then(|id| hidden.get(&id)).copied();
                    (activity.id, !activity.visible || project.unwrap_or_default())
                });
                activities.collect()
            }
            Collection::Users => {
                kimai.users(all).await?.rows.into_iter().map(|user| (user.id, !user.enabled)).collect()
            }
        })
    }
}

fn hidden_customers(customers: &[Customer]) -> BTreeMap<u64, bool> {
    customers.iter().map(|customer| (customer.id, !customer.visible)).collect()
}

/// Not those that have ended: activities of such projects are listed.
fn hidden_projects(customers: &[Customer], projects: &[Project]) -> BTreeMap<u64, bool> {
    let customers = hidden_customers(customers);
    let projects = projects.iter().map(|project| {
        let customer = project.customer.and_then(|id| customers.get(&id)).copied();
        (project.id, !project.visible || customer.unwrap_or_default())
    });
    projects.collect()
}

//! Kimai's projects: top-level tasks of the workspace, each with a customer.

use super::Resources;
use super::resource_kind::{ResourceKind, Wanted};
use crate::settings::Relations;
use crate::trackers::kimai::{Collection, Listings, Rows};
use crate::trackers::{Lenient, TrackerFault};
use crate::triplestore::vocabulary::{doap, prov, rdfs, skos, wf};

/// How projects are written.
pub(super) fn kind(resources: &Resources) -> ResourceKind {
    ResourceKind {
        name: "projects",
        list: Collection::Projects,
        classes: vec![doap::PROJECT, wf::TASK],
        folder: format!("{}/tasks", resources.base_uri),
        label: rdfs::LABEL,
        fixed: vec![
            (skos::TOP_CONCEPT_OF, resources.workspace.clone()),
            (skos::IN_SCHEME, resources.workspace.clone()),
        ],
        parent: Some(prov::WAS_ATTRIBUTED_TO),
        follows_kimai: true,
        follows_moves: resources.relations == Relations::Follow,
        is_booked_on: false,
        is_own_class: true,
    }
}

/// All projects that Kimai lists.
pub(super) async fn list(kimai: &dyn Listings) -> Result<Lenient<Wanted>, TrackerFault> {
    let projects = kimai.projects(Rows::Imported).await?;
    Ok(projects.map(|project| {
        let customer = project.customer;
        Wanted::new(project.id, project.name, project.color.as_deref(), customer)
    }))
}

//! Kimai's activities: tasks below a project, on which work is booked. A global activity has no project.

use super::Resources;
use super::resource_kind::{ResourceKind, Wanted};
use crate::settings::Relations;
use crate::trackers::kimai::{Collection, Listings, Rows};
use crate::trackers::{Lenient, TrackerFault};
use crate::triplestore::vocabulary::{ext, rdfs, skos, wf};

/// How activities are written.
pub(super) fn kind(resources: &Resources) -> ResourceKind {
    ResourceKind {
        name: "activities",
        list: Collection::Activities,
        classes: vec![ext::KIMAI_ACTIVITY, wf::TASK],
        folder: format!("{}/tasks", resources.base_uri),
        label: rdfs::LABEL,
        fixed: vec![(skos::IN_SCHEME, resources.workspace.clone())],
        parent: Some(skos::BROADER),
        follows_kimai: true,
        follows_moves: resources.relations == Relations::Follow,
        is_booked_on: true,
        is_own_class: true,
    }
}

/// All activities that Kimai lists.
pub(super) async fn list(kimai: &dyn Listings) -> Result<Lenient<Wanted>, TrackerFault> {
    let activities = kimai.activities(Rows::Imported).await?;
    Ok(activities.map(|activity| {
        let project = activity.project;
        Wanted::new(activity.id, activity.name, activity.color.as_deref(), project)
    }))
}

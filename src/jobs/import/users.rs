//! Kimai's users: accounts, which an administrator links to persons. Existing ones are not changed, except for the mark
//! of disabled users.

use super::Resources;
use super::resource_kind::{ResourceKind, Wanted};
use crate::trackers::kimai::{Collection, Listings, Rows};
use crate::trackers::{Lenient, TrackerFault};
use crate::triplestore::vocabulary::foaf;

/// How accounts are written.
pub(super) fn kind(resources: &Resources) -> ResourceKind {
    ResourceKind {
        name: "accounts",
        list: Collection::Users,
        classes: vec![foaf::ONLINE_ACCOUNT],
        folder: format!("{}/accounts", resources.base_uri),
        label: foaf::ACCOUNT_NAME,
        fixed: vec![(foaf::ACCOUNT_SERVICE_HOMEPAGE, resources.account_homepage.clone())],
        parent: None,
        follows_kimai: false,
        follows_moves: false,
        is_booked_on: false,
        is_own_class: false,
    }
}

/// All users that Kimai lists.
pub(super) async fn list(kimai: &dyn Listings) -> Result<Lenient<Wanted>, TrackerFault> {
    let users = kimai.users(Rows::Imported).await?;
    Ok(users.map(|user| Wanted::new(user.id, user.username, None, None)))
}

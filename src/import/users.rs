//! Kimai's users: accounts, which an administrator links to persons. Once there they are left alone.

use super::Resources;
use super::noun::{Noun, Wanted};
use crate::kimai::{KimaiFault, Listings};
use crate::triplestore::vocabulary::foaf;

/// How accounts are written.
pub(super) fn noun(resources: &Resources) -> Noun {
    Noun {
        name: "accounts",
        classes: vec![foaf::ONLINE_ACCOUNT],
        folder: format!("{}/accounts", resources.base_uri),
        label: foaf::ACCOUNT_NAME,
        fixed: vec![(foaf::ACCOUNT_SERVICE_HOMEPAGE, resources.account_homepage.clone())],
        parent: None,
        follows_kimai: false,
    }
}

/// All users that Kimai lists.
pub(super) async fn list(kimai: &dyn Listings) -> Result<Vec<Wanted>, KimaiFault> {
    let users = kimai.users().await?.into_iter();
    Ok(users.map(|user| Wanted::new(user.id.0, user.username, None, None)).collect())
}

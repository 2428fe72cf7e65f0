//! Kimai's customers: `prov:Organization`.

use super::Resources;
use super::resource_kind::{ResourceKind, Wanted};
use crate::trackers::kimai::{Collection, Listings, Rows};
use crate::trackers::{Lenient, TrackerFault};
use crate::triplestore::vocabulary::{prov, rdfs};

/// How customers are written.
pub(super) fn kind(resources: &Resources) -> ResourceKind {
    ResourceKind {
        name: "customers",
        list: Collection::Customers,
        classes: vec![prov::ORGANIZATION],
        folder: format!("{}/customers", resources.base_uri),
        label: rdfs::LABEL,
        fixed: Vec::new(),
        parent: None,
        follows_kimai: true,
        follows_moves: false,
        is_booked_on: false,
        is_own_class: false,
    }
}

/// All customers that Kimai lists.
pub(super) async fn list(kimai: &dyn Listings) -> Result<Lenient<Wanted>, TrackerFault> {
    let customers = kimai.customers(Rows::Imported).await?;
    Ok(customers.map(|customer| Wanted::new(customer.id, customer.name, customer.color.as_deref(), None)))
}

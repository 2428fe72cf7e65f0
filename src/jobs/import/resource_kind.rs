//! What the four kinds of resources have in common, and what tells them apart.

use uuid::Uuid;

use crate::trackers::kimai::Collection;
use crate::triplestore::statement::{Iri, StatementFault};
use crate::triplestore::vocabulary::foaf;

/// How one kind of resource is written.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a property of the kind of its own")]
pub(super) struct ResourceKind {
    /// What people call them, in the plural.
    pub(super) name: &'static str,
    /// Kimai's list of them.
    pub(super) list: Collection,
    /// The classes of a new one. Existing ones are found by the first: ids of projects and activities
    /// collide.
    pub(super) classes: Vec<&'static str>,
    /// The IRI under which new ones are minted, without trailing slash.
    pub(super) folder: String,
    /// The predicate of their name.
    pub(super) label: &'static str,
    /// What each new one points to.
    pub(super) fixed: Vec<(&'static str, Iri)>,
    /// The predicate that leads to what they belong to and inherit their colour from.
    pub(super) parent: Option<&'static str>,
    /// Whether existing ones take over Kimai's name and colour.
    pub(super) follows_kimai: bool,
    /// Whether existing ones take over Kimai's relation to what they belong to (`IMPORT_RELATIONS`).
    pub(super) follows_moves: bool,
    /// Whether work logs are booked on them, so that a move concerns their timesheets.
    pub(super) is_booked_on: bool,
    /// Whether their class alone says that they are Kimai's. Accounts are known by their service homepage,
    /// customers by the folder in which they are minted.
    pub(super) is_own_class: bool,
}

impl ResourceKind {
    /// The class by which existing ones are found.
    pub(super) fn class(&self) -> Iri {
        Iri::known(self.classes.first().copied().unwrap_or_default())
    }

    /// The service that its accounts are of, where it is one of accounts.
    pub(super) fn homepage(&self) -> Option<&Iri> {
        let mut fixed = self.fixed.iter();
        fixed
            .find(|(predicate, _)| *predicate == foaf::ACCOUNT_SERVICE_HOMEPAGE)
            .map(|(_, homepage)| homepage)
    }

    /// Whether `iri` is one that [`Self::mint`] makes.
    pub(super) fn mints(&self, iri: &Iri) -> bool {
        iri.as_str().strip_prefix(&self.folder).is_some_and(|rest| rest.starts_with('/'))
    }

    /// The IRI of a new one.
    pub(super) fn mint(&self, uuid: Uuid) -> Result<Iri, StatementFault> {
        Iri::new(format!("{}/{uuid}", self.folder))
    }
}

/// One item as Kimai lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Kimai's id.
    pub(super) id: u64,
    /// Its name.
    pub(super) name: String,
    /// Its own colour.
    pub(super) colour: Option<String>,
    /// Kimai's id of what it belongs to.
    pub(super) parent: Option<u64>,
}

impl Wanted {
    /// An empty colour is none.
    pub(super) fn new(id: u64, name: String, colour: Option<&str>, parent: Option<u64>) -> Self {
        let colour = colour.filter(|colour| !colour.is_empty()).map(str::to_owned);
        Self { id, name, colour, parent }
    }
}

//! The kinds of trackers that the service is tried with.

use crate::domain::ids::IdSyntax;
use crate::domain::{EntryId, IdOrder};
use crate::failpoint::mutants::{Mutant, mutated};
use crate::trackers::Capabilities;
use crate::trackers::kimai;
use crate::trackers::{Fault, Operation, TrackerFault};

/// What the fake tracker is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Profile {
    /// Ids are numbers that count up, and start again where an older backup is restored.
    #[default]
    Sequence,
    /// Ids are object ids that begin with the second in which they were made, by the clock of one of several servers.
    Clock,
    /// Ids are object ids in no order at all.
    Unordered,
}

impl Profile {
    pub(super) const OPAQUE: [Self; 2] = [Self::Clock, Self::Unordered];

    pub(super) fn capabilities(self) -> Capabilities {
        match self {
            Self::Sequence => kimai::CAPABILITIES,
            Self::Clock => {
                Capabilities { name: kimai::NAME, syntax: IdSyntax::ObjectIds, order: IdOrder::Clock }
            }
            Self::Unordered => {
                Capabilities { name: kimai::NAME, syntax: IdSyntax::ObjectIds, order: IdOrder::Unordered }
            }
        }
    }

    /// The id of the entry that is made as the `number`th, `now` milliseconds after the beginning.
    pub(super) fn id(self, number: u64, now: i64) -> EntryId {
        let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
        let first = match self {
            Self::Sequence => return EntryId::number(number),
            Self::Clock => {
                let server = u32::try_from(number % 3).unwrap_or_default();
                0x6500_0000 + u32::try_from(now / 1_000).unwrap_or_default() + server * 20
            }
            Self::Unordered => u32::try_from(mixed.rotate_left(17) >> 32).unwrap_or_default(),
        };
        EntryId::parse(&format!("{first:08x}{mixed:016x}"), IdSyntax::ObjectIds)
            .expect("24 hexadecimal digits")
    }

    /// What a client makes of the answer that an entry is not there, a 404 or Clockify's 400.
    pub(super) fn gone(operation: Operation) -> TrackerFault {
        let fault = if mutated(Mutant::GoneReadAsPermanent) { Fault::Permanent } else { Fault::Gone };
        TrackerFault::new(kimai::NAME, operation, fault, "there is no such entry")
    }
}

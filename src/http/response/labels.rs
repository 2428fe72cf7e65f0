//! Schemas for our enums: each lists exactly the words of the enum.

use serde::{Serialize, Serializer};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// Defines a type for an enum that is serialised as its word.
macro_rules! shown {
    ($($(#[doc = $doc:literal])* $name:ident of $of:ty;)*) => {$(
        $(#[doc = $doc])*
        #[derive(Debug, Clone, Copy)]
        pub(in crate::http) struct $name(&'static str);

        impl From<$of> for $name {
            fn from(one: $of) -> Self {
                Self(one.word())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.0)
            }
        }

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let words = <$of>::ALL.into_iter().map(<$of>::word);
                ObjectBuilder::new()
                    .schema_type(Type::String)
                    .description(Some(concat!($($doc, "\n"),*).trim()))
                    .enum_values(Some(words))
                    .into()
            }
        }

        impl ToSchema for $name {}
    )*};
}

shown! {
    /// The state of a queue entry: due now, scheduled for its due time, running, or parked until something changes.
    EntryState of crate::queue::State;
    /// Why a work log is in the queue.
    EntryReason of crate::queue::Reason;
    /// The result of a check: it could not run; everything is fine; something will be missing; work logs are not
    /// synced.
    CheckVerdict of crate::doctor::Health;
    /// The kind of a run.
    RunKind of crate::jobs::Kind;
    /// Who requested a run.
    RunAskedBy of crate::jobs::AskedBy;
    /// The state of a run.
    RunState of crate::jobs::State;
    /// What differs between the two sides.
    FindingKind of crate::domain::finding::Kind;
    /// Why a deletion is held back.
    FindingHold of crate::domain::finding::Hold;
    /// What is done about a difference: the work log is queued, or adopts the timesheet, or the timesheet is deleted.
    FindingAction of crate::domain::finding::Action;
}

//! Schemas for the words of our enums: each lists exactly the words that the enum has.

use serde::{Serialize, Serializer};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// Gives an enum of ours a type that is written as its word.
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
    /// Where an entry of the queue stands: to be run at once, at its due time, running, or parked
    /// until something changes.
    EntryState of crate::queue::State;
    /// Why a work log is in the queue.
    EntryReason of crate::queue::Reason;
    /// How something is: it could not be found out; as it should be; something will be missing; work logs do
    /// not get where they belong.
    CheckVerdict of crate::doctor::Health;
    /// What a run does.
    RunKind of crate::jobs::Kind;
    /// Who asked for a run.
    RunAskedBy of crate::jobs::AskedBy;
    /// Where a run stands in its life.
    RunState of crate::jobs::State;
    /// What differs between the two sides.
    FindingKind of crate::domain::finding::Kind;
    /// What holds a deletion back.
    FindingHold of crate::domain::finding::Hold;
    /// What is done about a difference: the work log is queued, takes the timesheet for its own, or the
    /// timesheet is deleted.
    FindingAction of crate::domain::finding::Action;
}

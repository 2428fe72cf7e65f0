//! The effects of requests, once they arrive.

use super::faults::Call;
use crate::domain::EntryId;
use crate::domain::timesheet::DesiredEntry;
use crate::work_logs::Link;

/// What a request does when it takes effect.
#[derive(Debug, Clone)]
pub(super) enum Effect {
    Create(DesiredEntry),
    Update(EntryId, DesiredEntry),
    EndBreak(EntryId),
    Delete(EntryId),
    Link(Vec<Link>),
}

impl Effect {
    pub(super) fn call(&self) -> Call {
        match self {
            Self::Create(_) => Call::Create,
            Self::Update(..) | Self::EndBreak(_) => Call::Update,
            Self::Delete(_) => Call::Delete,
            Self::Link(links) if links.iter().all(|link| link.to.is_none()) => Call::Unlink,
            Self::Link(_) => Call::Link,
        }
    }
}

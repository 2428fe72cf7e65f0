//! Which triples concern a work log: the same ones the delta rules match.

use crate::domain::work_log::VEVENT;

/// `rdf:type`.
pub(super) const TYPE: &str = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type";

/// The properties whose change changes a timesheet. Their subject may be something else (a timesheet
/// has a person too); that is found out, cheaply, when its turn comes.
const PROPERTIES: [&str; 4] = [
    "http://www.w3.org/2002/12/cal/ical#duration",
    "http://www.w3.org/2002/12/cal/ical#dtstart",
    "http://www.w3.org/ns/prov#wasAssociatedWith",
    "http://purl.org/dc/terms/subject",
];

/// Whether a triple says that its subject is, or was, a work log.
pub(super) fn is_work_log_class(predicate: &str, object: &str) -> bool {
    predicate == TYPE && object == VEVENT
}

/// Whether a triple may change what a work log's timesheet should hold.
pub(super) fn is_relevant(predicate: &str, object: &str) -> bool {
    is_work_log_class(predicate, object) || PROPERTIES.contains(&predicate)
}

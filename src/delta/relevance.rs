//! Which triples concern a work log, or something that work logs refer to: the same that the delta rules match.

/// `rdf:type`.
pub(super) const TYPE: &str = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type";

/// The properties whose change affects a timesheet. Their subject may be something else (a timesheet has a person too);
/// a cheap check at its run detects that.
const PROPERTIES: [&str; 4] = [
    "http://www.w3.org/2002/12/cal/ical#duration",
    "http://www.w3.org/2002/12/cal/ical#dtstart",
    "http://www.w3.org/ns/prov#wasAssociatedWith",
    "http://purl.org/dc/terms/subject",
];

/// The note of a work log.
const NOTE: &str = "http://www.w3.org/2002/12/cal/ical#comment";

/// The properties by which tasks, persons and accounts lead to Kimai: their change concerns the work logs that refer
/// to their subject. Customers and work logs have an identifier too; `References` finds out which it is.
const REFERENCES: [&str; 4] = [
    "http://xmlns.com/foaf/0.1/account",
    "http://xmlns.com/foaf/0.1/accountServiceHomepage",
    "http://www.w3.org/2004/02/skos/core#broader",
    "http://purl.org/dc/terms/identifier",
];

/// The relevance of a predicate for work logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Predicate {
    /// It gives the class of its subject.
    Type,
    /// It affects a timesheet.
    Property,
    /// It affects a timesheet if descriptions are synced.
    Note,
    /// It affects the timesheets of all work logs that refer to its subject.
    Reference,
    /// It is irrelevant.
    Other,
}

impl Predicate {
    /// The relevance of a predicate, with `is` to compare its name.
    pub(super) fn of(is: impl Fn(&str) -> bool) -> Self {
        if is(TYPE) {
            Self::Type
        } else if PROPERTIES.into_iter().any(&is) {
            Self::Property
        } else if is(NOTE) {
            Self::Note
        } else if REFERENCES.into_iter().any(&is) {
            Self::Reference
        } else {
            Self::Other
        }
    }
}

/// Whether a triple states that its subject is, or was, a work log.
pub(super) fn is_work_log_class(predicate: Predicate, of_work_logs: bool) -> bool {
    predicate == Predicate::Type && of_work_logs
}

/// Whether a triple may affect the timesheet of a work log; `of_work_logs` if its object is their class.
pub(super) fn is_relevant(predicate: Predicate, of_work_logs: bool) -> bool {
    is_work_log_class(predicate, of_work_logs) || predicate == Predicate::Property
}

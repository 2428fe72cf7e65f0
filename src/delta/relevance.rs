//! Which triples concern a work log, or something that work logs refer to: the same that the delta rules match.

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

/// What a predicate has to do with work logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Predicate {
    /// Says of what class its subject is.
    Type,
    /// Changes a timesheet.
    Property,
    /// Changes a timesheet where descriptions follow notes.
    Note,
    /// Changes the timesheets of all work logs that refer to its subject.
    Reference,
    /// Nothing.
    Other,
}

impl Predicate {
    /// The one that is called so, by whatever compares.
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

/// Whether a triple says that its subject is, or was, a work log.
pub(super) fn is_work_log_class(predicate: Predicate, of_work_logs: bool) -> bool {
    predicate == Predicate::Type && of_work_logs
}

/// Whether a triple may change what a work log's timesheet should hold; `of_work_logs` if its object is their class.
pub(super) fn is_relevant(predicate: Predicate, of_work_logs: bool) -> bool {
    is_work_log_class(predicate, of_work_logs) || predicate == Predicate::Property
}

//! The namespaces and terms of the Timekeeper data, each once.
//!
//! Queries use prefixed terms (`cal:Vevent`) after [`PREFIXES`]; deltas and graphs use the full IRIs of the modules
//! below (`cal::VEVENT`).

/// Declares each namespace with its terms, and [`PREFIXES`] from the same list.
macro_rules! namespaces {
    ($($(#[$doc:meta])* $prefix:ident = $namespace:literal { $($(#[$term_doc:meta])* $term:ident = $name:literal),* $(,)? })*) => {
        /// The header of all our queries and updates. All prefixes are declared, although Virtuoso and sparql-parser
        /// predefine some: a strict endpoint refuses undeclared ones.
        pub const PREFIXES: &str = concat!($("PREFIX ", stringify!($prefix), ": <", $namespace, ">\n"),*);

        $($(#[$doc])* pub mod $prefix {
            $($(#[$term_doc])* #[doc = concat!("`", stringify!($prefix), ":", $name, "`")]
            pub const $term: &str = concat!($namespace, $name);)*
        })*
    };
}

namespaces! {
    /// mu-semtech core.
    mu = "http://mu.semte.ch/vocabularies/core/" {
        /// The ID under which mu-cl-resources serves a resource. Opaque: upper-case hex or a UUID.
        UUID = "uuid",
    }
    /// mu-semtech extensions.
    ext = "http://mu.semte.ch/vocabularies/ext/" {
        /// A task that is a Kimai activity, on which work is booked.
        KIMAI_ACTIVITY = "KimaiActivity",
        /// An additional class of imported resources that Kimai no longer lists: deleted, hidden, ended or disabled
        /// there. It is a class, since tasks may have only the properties of Timekeeper's model.
        UNAVAILABLE_IN_KIMAI = "UnavailableInKimai",
    }
    /// Provenance.
    prov = "http://www.w3.org/ns/prov#" {
        /// A customer.
        ORGANIZATION = "Organization",
        /// Work log or timesheet → its person.
        WAS_ASSOCIATED_WITH = "wasAssociatedWith",
        /// Project → its customer.
        WAS_ATTRIBUTED_TO = "wasAttributedTo",
    }
    /// Dublin Core terms.
    dct = "http://purl.org/dc/terms/" {
        /// Work log → the task it is booked on.
        SUBJECT = "subject",
        /// The Kimai ID of a work log, customer, task or account, as a plain string.
        IDENTIFIER = "identifier",
    }
    /// User interface annotations.
    ui = "http://www.w3.org/ns/ui#" {
        /// A colour as `#rrggbb`.
        COLOR = "color",
    }
    /// RDF.
    rdf = "http://www.w3.org/1999/02/22-rdf-syntax-ns#" {
        /// The class of a resource.
        TYPE = "type",
    }
    /// RDF Schema.
    rdfs = "http://www.w3.org/2000/01/rdf-schema#" {
        /// The name of a customer or task.
        LABEL = "label",
    }
    /// Work flow.
    wf = "http://www.w3.org/2005/01/wf/flow#" {
        /// A Kimai project or activity.
        TASK = "Task",
    }
    /// Simple knowledge organisation.
    skos = "http://www.w3.org/2004/02/skos/core#" {
        /// A timesheet: a month of one person.
        COLLECTION = "Collection",
        /// Timesheet → one of its work logs.
        MEMBER = "member",
        /// Task → workspace.
        IN_SCHEME = "inScheme",
        /// Project → workspace.
        TOP_CONCEPT_OF = "topConceptOf",
        /// Activity → project.
        BROADER = "broader",
    }
    /// People and accounts.
    foaf = "http://xmlns.com/foaf/0.1/" {
        /// A person.
        PERSON = "Person",
        /// A login or Kimai account.
        ONLINE_ACCOUNT = "OnlineAccount",
        /// The name of a person.
        NAME = "name",
        /// Person → account.
        ACCOUNT = "account",
        /// The name of an account.
        ACCOUNT_NAME = "accountName",
        /// The service of an account; distinguishes Kimai accounts from others.
        ACCOUNT_SERVICE_HOMEPAGE = "accountServiceHomepage",
    }
    /// Projects.
    doap = "http://usefulinc.com/ns/doap#" {
        /// A task that is a Kimai project.
        PROJECT = "Project",
    }
    /// Time.
    time = "http://www.w3.org/2006/time#" {
        /// The first day of a timesheet, `xsd:date`.
        HAS_BEGINNING = "hasBeginning",
    }
    /// Asset descriptions.
    adms = "http://www.w3.org/ns/adms#" {
        /// Timesheet → one of the four statuses in [`status`](super::status).
        STATUS = "status",
    }
    /// iCalendar.
    cal = "http://www.w3.org/2002/12/cal/ical#" {
        /// A work log.
        VEVENT = "Vevent",
        /// The time worked: an ISO 8601 duration as a plain string.
        DURATION = "duration",
        /// The day of the work, `xsd:date`.
        DTSTART = "dtstart",
        /// A note, as a plain string.
        COMMENT = "comment",
    }
    /// XML Schema datatypes.
    xsd = "http://www.w3.org/2001/XMLSchema#" {
        /// A day.
        DATE = "date",
        /// A plain string.
        STRING = "string",
    }
}

/// The statuses of a timesheet.
pub mod status {
    /// Being filled in.
    pub const DRAFT: &str = "http://timekeeper.redpencil.io/concepts/f1fa3569-7f98-47a9-b03b-90b42e9f3c52";
    /// Its absences have been submitted.
    pub const ABSENCE_SUBMITTED: &str =
        "http://timekeeper.redpencil.io/concepts/01ddb33a-a15b-49d6-8422-bc78123db966";
    /// Submitted: the month may be locked.
    pub const SUBMITTED: &str =
        "http://timekeeper.redpencil.io/concepts/8ba56847-1713-478c-aa63-6eace21b3adf";
    /// Locked.
    pub const EXPORTED: &str = "http://timekeeper.redpencil.io/concepts/9d50b644-3d61-4a9d-b3a9-0b27f4f1d566";
}

/// The graph for inserts without GRAPH, unless the mu stack's settings name another.
pub const APPLICATION_GRAPH: &str = "http://mu.semte.ch/application";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_header_declares_each_namespace_once() {
        for prefix in ["mu", "prov", "dct", "ui", "rdfs", "rdf", "wf", "skos", "foaf", "doap", "time", "adms"]
        {
            assert_eq!(PREFIXES.matches(&format!("PREFIX {prefix}: <http")).count(), 1, "{prefix}");
        }
        assert!(PREFIXES.contains("PREFIX cal: <http://www.w3.org/2002/12/cal/ical#>\n"), "{PREFIXES}");
        let query =
            format!("{PREFIXES} SELECT * {{ ?log a cal:Vevent ; ext:x ?x ; mu:uuid \"1\"^^xsd:string }}");
        spargebra::SparqlParser::new().parse_query(&query).expect("the header must be valid SPARQL");
    }

    #[test]
    fn what_deltas_are_matched_by_is_spelt_as_the_stack_spells_it() {
        assert_eq!(rdf::TYPE, "http://www.w3.org/1999/02/22-rdf-syntax-ns#type");
        assert_eq!(cal::VEVENT, "http://www.w3.org/2002/12/cal/ical#Vevent");
        assert_eq!(cal::DURATION, "http://www.w3.org/2002/12/cal/ical#duration");
        assert_eq!(cal::DTSTART, "http://www.w3.org/2002/12/cal/ical#dtstart");
        assert_eq!(prov::WAS_ASSOCIATED_WITH, "http://www.w3.org/ns/prov#wasAssociatedWith");
        assert_eq!(dct::SUBJECT, "http://purl.org/dc/terms/subject");
    }
}

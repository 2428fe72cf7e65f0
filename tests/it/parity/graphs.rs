//! The triples that are left behind, against those that the statements of the service this one replaces
//! leave: the whole graph, triple by triple. What is minted is a blank node in the expected graph.

use std::collections::BTreeMap;

use kimai_sync::trackers::kimai::sandbox::{Entity, Role};
use kimai_sync::triplestore::Term;
use kimai_sync::triplestore::vocabulary::PREFIXES;
use serde_json::json;
use sophia::api::prelude::*;
use sophia::inmem::graph::LightGraph;
use sophia::isomorphism::isomorphic_graphs;

use super::requests;
use crate::support::on_each_store;
use crate::support::stack::{BASE, Stack};

on_each_store!(
    a_work_log_gets_its_identifier_and_loses_it_with_its_class,
    an_import_brings_names_relations_and_colours_and_follows_some_of_them,
    a_lock_links_the_months_work_logs_and_exports_what_is_submitted,
    what_is_written_is_found_by_the_constants_that_others_look_for,
);

/// What the import leaves of the catalogue that every stack begins with, and Jane.
const CATALOGUE: &str = r#"
_:acme a prov:Organization ; mu:uuid "minted" ; rdfs:label "ACME" ; dct:identifier "1" .
_:other a wf:Task, doap:Project ; mu:uuid "minted" ; rdfs:label "Other" ; dct:identifier "1" ;
  skos:topConceptOf <workspace> ; skos:inScheme <workspace> ; prov:wasAttributedTo _:acme .
_:website a wf:Task, doap:Project ; mu:uuid "minted" ; rdfs:label "Website" ; dct:identifier "2" ;
  skos:topConceptOf <workspace> ; skos:inScheme <workspace> ; prov:wasAttributedTo _:acme .
_:other_activity a wf:Task, ext:KimaiActivity ; mu:uuid "minted" ; rdfs:label "Other" ; dct:identifier "1" ;
  skos:inScheme <workspace> ; skos:broader _:other .
_:more a wf:Task, ext:KimaiActivity ; mu:uuid "minted" ; rdfs:label "More" ; dct:identifier "2" ;
  skos:inScheme <workspace> ; skos:broader _:other .
_:analysis a wf:Task, ext:KimaiActivity ; mu:uuid "minted" ; rdfs:label "Analysis" ; dct:identifier "3" ;
  skos:inScheme <workspace> ; skos:broader _:website .
_:account_sync a foaf:OnlineAccount ; mu:uuid "minted" ; dct:identifier "1" ; foaf:accountName "sync" ;
  foaf:accountServiceHomepage <http://kimai.redpencil.io> .
_:account_jane a foaf:OnlineAccount ; mu:uuid "minted" ; dct:identifier "2" ; foaf:accountName "jane" ;
  foaf:accountServiceHomepage <http://kimai.redpencil.io> .
<persons/jane> a foaf:Person ; foaf:name "Jane" ; foaf:account _:account_jane .
"#;

/// Where the import mints, by the class of what it mints there.
const FOLDERS: &[(&str, &str)] = &[
    ("http://www.w3.org/ns/prov#Organization", "customers"),
    ("http://www.w3.org/2005/01/wf/flow#Task", "tasks"),
    ("http://xmlns.com/foaf/0.1/OnlineAccount", "accounts"),
];

/// Everything in the store, with minted IRIs as blank nodes and their `mu:uuid`s as `"minted"`; the form of
/// these is checked on the way.
pub(super) async fn whole(stack: &Stack) -> Vec<String> {
    let rows = stack.select("SELECT DISTINCT ?s ?p ?o WHERE { ?s ?p ?o } LIMIT 9000").await;
    let mut minted: BTreeMap<&str, &str> = BTreeMap::new();
    for row in &rows {
        let folder = FOLDERS.iter().find(|(class, _)| *class == row["o"].value());
        if let Some((_, folder)) = folder {
            let iri = row["s"].value();
            let uuid = iri.strip_prefix(&format!("{BASE}/{folder}/")).expect("it is minted in its folder");
            let parsed = uuid::Uuid::parse_str(uuid).expect("its name is a UUID");
            assert_eq!(parsed.to_string(), uuid, "in lower case");
            minted.insert(iri, uuid);
        }
    }
    let write = |term: &Term| match term {
        Term::Iri(iri) => {
            minted.get(iri.as_str()).map_or_else(|| format!("<{iri}>"), |uuid| format!("_:u{uuid}"))
        }
        Term::Literal { value, datatype, language } => {
            let text = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let suffix = match (datatype.as_deref(), language) {
                (_, Some(language)) => format!("@{language}"),
                (None | Some("http://www.w3.org/2001/XMLSchema#string"), None) => String::new(),
                (Some(datatype), None) => format!("^^<{datatype}>"),
            };
            format!("\"{text}\"{suffix}")
        }
        Term::Blank(label) => panic!("the blank node {label}"),
    };
    rows.iter()
        .map(|row| {
            let (subject, predicate) = (&row["s"], row["p"].value());
            let uuid = minted.get(subject.value()).filter(|_| predicate.ends_with("/core/uuid"));
            let object = uuid.map_or_else(
                || write(&row["o"]),
                |uuid| {
                    assert_eq!(row["o"].value(), *uuid, "mu:uuid is the end of the IRI");
                    "\"minted\"".to_owned()
                },
            );
            format!("{} <{predicate}> {object} .", write(subject))
        })
        .collect()
}

fn parse(turtle: &str) -> LightGraph {
    let workspace = format!("{BASE}/workspaces/7530c9c9-4905-4fae-b63f-7a8d29232377");
    let turtle = turtle.replace("<workspace>", &format!("<{workspace}>"));
    let turtle = format!("{PREFIXES}BASE <{BASE}/>\n{turtle}");
    let triples = sophia::turtle::parser::turtle::parse_str(&turtle);
    triples.collect_triples().expect("Turtle")
}

/// The store holds `turtle` and nothing else.
async fn assert_holds(stack: &Stack, turtle: &str, when: &str) {
    let mut found = whole(stack).await;
    let (expected, actual) = (parse(turtle), parse(&found.join("\n")));
    found.sort();
    let same = isomorphic_graphs(&expected, &actual).unwrap();
    assert!(same, "{when}: expected\n{turtle}\nfound\n{}", found.join("\n"));
}

async fn a_work_log_gets_its_identifier_and_loses_it_with_its_class(stack: Stack) {
    assert_holds(&stack, CATALOGUE, "at first").await;
    let uri = stack.register("A", "2024-09-02", "PT8H").await;
    stack.update(&format!("INSERT DATA {{ <{uri}> cal:comment \"Ünïcode \\\"note\\\"\" }}")).await;
    stack.notify(&[&uri]).await;
    let work_log = r#"<work-logs/A> a cal:Vevent ; mu:uuid "A" ; cal:duration "PT8H" ;
        cal:dtstart "2024-09-02"^^xsd:date ; cal:comment "Ünïcode \"note\"" ; dct:subject _:analysis ;
        prov:wasAssociatedWith <persons/jane> ; dct:identifier "1" ."#;
    assert_holds(&stack, &format!("{CATALOGUE}{work_log}"), "created").await;

    stack.change(&uri, "cal:duration", "\"PT1H\"").await;
    stack.notify(&[&uri]).await;
    let changed = work_log.replace("PT8H", "PT1H");
    assert_holds(&stack, &format!("{CATALOGUE}{changed}"), "updated").await;

    stack.take_back(&uri).await;
    assert_holds(&stack, &format!("{CATALOGUE}<work-logs/A> dct:identifier \"1\" ."), "taken back").await;
    stack.notify(&[&uri]).await;
    assert_holds(&stack, CATALOGUE, "deleted").await;
}

async fn import(stack: &Stack) {
    for what in ["customers", "tasks", "accounts"] {
        assert_eq!(stack.post(&format!("/sync-from-kimai/{what}"), None).await.0, 204);
    }
}

/// Adds to a subject of the catalogue.
fn with(catalogue: &str, additions: &[(&str, &str)]) -> String {
    let more = additions.iter().map(|(subject, rest)| format!("{subject} {rest} .\n"));
    format!("{catalogue}{}", more.collect::<String>())
}

async fn an_import_brings_names_relations_and_colours_and_follows_some_of_them(stack: Stack) {
    let kimai = &stack.kimai;
    let (acme, website) = (kimai_sync::domain::ids::CustomerId::number(1), stack.project);
    // Colours are inherited from the customer, by what is there already too.
    kimai.colour(Entity::Customer(acme), Some("#ff0000"));
    let beta = kimai.add_customer("Beta & \"Sons\"");
    let green = kimai.add_project("Grün", beta);
    kimai.colour(Entity::Project(green), Some("#00ff00"));
    let inner = kimai.add_activity("Back\\slash", Some(green));
    kimai.add_activity("Global", None);
    kimai.rename(Entity::Activity(stack.activity), "Analyse");
    let blue = kimai.add_activity("Blue", Some(website));
    kimai.colour(Entity::Activity(blue), Some("#0000ff"));
    kimai.add_user("zoë", "Europe/Brussels", Role::User, None);
    import(&stack).await;
    let more = r##"
_:beta a prov:Organization ; mu:uuid "minted" ; rdfs:label "Beta & \"Sons\"" ; dct:identifier "2" .
_:green a wf:Task, doap:Project ; mu:uuid "minted" ; rdfs:label "Grün" ; dct:identifier "3" ; ui:color "#00ff00" ;
  skos:topConceptOf <workspace> ; skos:inScheme <workspace> ; prov:wasAttributedTo _:beta .
_:inner a wf:Task, ext:KimaiActivity ; mu:uuid "minted" ; rdfs:label "Back\\slash" ; dct:identifier "4" ;
  skos:inScheme <workspace> ; skos:broader _:green ; ui:color "#00ff00" .
_:global a wf:Task, ext:KimaiActivity ; mu:uuid "minted" ; rdfs:label "Global" ; dct:identifier "5" ;
  skos:inScheme <workspace> .
_:blue a wf:Task, ext:KimaiActivity ; mu:uuid "minted" ; rdfs:label "Blue" ; dct:identifier "6" ;
  skos:inScheme <workspace> ; skos:broader _:website ; ui:color "#0000ff" .
_:account_zoe a foaf:OnlineAccount ; mu:uuid "minted" ; dct:identifier "3" ; foaf:accountName "zoë" ;
  foaf:accountServiceHomepage <http://kimai.redpencil.io> .
"##;
    let renamed = format!("{CATALOGUE}{more}").replace("\"Analysis\"", "\"Analyse\"");
    let red = "ui:color \"#ff0000\"";
    let reds = ["_:acme", "_:other", "_:website", "_:other_activity", "_:more", "_:analysis"];
    let all_red = reds.map(|subject| (subject, red));
    assert_holds(&stack, &with(&renamed, &all_red), "new").await;

    // A colour that changes or goes changes with those below. What moved in Kimai moves, what left is marked;
    // accounts stay.
    kimai.colour(Entity::Customer(acme), Some("#111111"));
    kimai.colour(Entity::Project(green), None);
    kimai.colour(Entity::Activity(blue), None);
    kimai.rename(Entity::Project(green), "Green");
    kimai.set(Entity::Activity(inner), "project", json!(website));
    kimai.set(Entity::User(stack.user), "username", json!("jane2"));
    kimai.hide(Entity::Project(kimai_sync::domain::ids::ProjectId::number(1)));
    import(&stack).await;
    let changed = renamed
        .replace("\"Grün\"", "\"Green\"")
        .replace(
            "skos:broader _:green ; ui:color \"#00ff00\"",
            "skos:broader _:website ; ui:color \"#111111\"",
        )
        .replace(" ; ui:color \"#00ff00\"", "")
        .replace("#0000ff", "#111111");
    let dark = "ui:color \"#111111\"";
    // The hidden project and what is below it are not listed any more: they keep what they had, and are marked.
    let hidden = ["_:other", "_:other_activity", "_:more"];
    let marked = format!("a ext:UnavailableInKimai ; {red}");
    let colours =
        reds.map(|subject| (subject, if hidden.contains(&subject) { marked.as_str() } else { dark }));
    assert_holds(&stack, &with(&changed, &colours), "changed").await;
    stack.forget_calls();
    import(&stack).await;
    assert_holds(&stack, &with(&changed, &colours), "again").await;
}

async fn a_lock_links_the_months_work_logs_and_exports_what_is_submitted(stack: Stack) {
    use kimai_sync::triplestore::vocabulary::status::{ABSENCE_SUBMITTED, DRAFT, EXPORTED, SUBMITTED};
    let sheet = |id: &str, person: &str, month: &str, status: &str| {
        format!(
            "<{BASE}/timesheets/{id}> a skos:Collection ; mu:uuid \"{id}\" ; time:hasBeginning \"2024-{month}-01\"^^xsd:date ;
             time:hasEnd \"2024-{month}-30\"^^xsd:date ; adms:status <{status}> ;
             prov:wasAssociatedWith <{BASE}/persons/{person}> .\n"
        )
    };
    let people = ["joe", "ann", "kim"]
        .map(|name| format!("<{BASE}/persons/{name}> a foaf:Person ; foaf:name \"{name}\" .\n"));
    let sheets = |janes: &str| {
        [
            sheet("jane", "jane", "09", janes),
            sheet("august", "jane", "08", SUBMITTED),
            sheet("joe", "joe", "09", DRAFT),
            sheet("ann", "ann", "09", ABSENCE_SUBMITTED),
            sheet("kim", "kim", "09", EXPORTED),
        ]
        .concat()
    };
    for (id, day) in
        [("first", "2024-09-01"), ("last", "2024-09-30"), ("before", "2024-08-31"), ("after", "2024-10-01")]
    {
        stack.register(id, day, "PT8H").await;
    }
    for (id, person) in [("of-joe", "joe"), ("of-kim", "kim")] {
        let uri = stack.register(id, "2024-09-02", "PT8H").await;
        stack.change(&uri, "prov:wasAssociatedWith", &format!("<{BASE}/persons/{person}>")).await;
    }
    let before = whole(&stack).await.join("\n");
    let wrong = format!("<{BASE}/collections/1> skos:member <{BASE}/work-logs/last> .");
    let given = format!("{}{}", people.concat(), sheets(SUBMITTED));
    stack.update(&format!("INSERT DATA {{ {given}{wrong} }}")).await;
    stack.forget_calls();
    for round in ["locked", "locked again"] {
        assert_eq!(stack.post("/timesheets/lock", Some(json!({"month": "9", "year": "2024"}))).await.0, 204);
        let members = "<timesheets/jane> skos:member <work-logs/first>, <work-logs/last> .";
        let expected = format!("{before}\n{}{}{members}", people.concat(), sheets(EXPORTED));
        assert_holds(&stack, &expected, round).await;
    }
    assert_eq!(requests(&stack), [""; 0], "Kimai is not asked");
}

/// Virtuoso tells `"1"` from `"1"^^xsd:string`, though it reports both alike: mu-cl-resources, and the service
/// this one replaces if it were to run again, look for constants.
async fn what_is_written_is_found_by_the_constants_that_others_look_for(stack: Stack) {
    let work_log = stack.register("A", "2024-09-02", "PT8H").await;
    stack.notify(&[&work_log]).await;
    stack.kimai.colour(Entity::Project(stack.project), Some("#00ff00"));
    import(&stack).await;
    let uuid = stack.task(stack.activity).await;
    let uuid = uuid.rsplit('/').next().unwrap();
    for pattern in [
        "?s a cal:Vevent ; dct:identifier \"\"\"1\"\"\"",
        "?s a prov:Organization ; mu:uuid ?uuid ; dct:identifier \"\"\"1\"\"\" ; rdfs:label \"ACME\"",
        "?s a doap:Project ; mu:uuid ?uuid ; dct:identifier \"\"\"2\"\"\" ; ui:color \"#00ff00\"",
        "?s a ext:KimaiActivity ; mu:uuid ?uuid ; dct:identifier \"\"\"3\"\"\" ; ui:color \"#00ff00\"",
        "?s a foaf:OnlineAccount ; mu:uuid ?uuid ; dct:identifier \"\"\"2\"\"\" ; foaf:accountName \"jane\" ;
            foaf:accountServiceHomepage <http://kimai.redpencil.io>",
        &format!("?s a wf:Task ; mu:uuid \"\"\"{uuid}\"\"\""),
    ] {
        assert_eq!(
            stack.select(&format!("SELECT DISTINCT ?s WHERE {{ {pattern} }}")).await.len(),
            1,
            "{pattern}"
        );
    }
}

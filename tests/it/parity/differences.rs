//! Makes each situation of the table of differences, and says what is seen of it.

mod exported;

use std::fmt::Write;

use kimai_sync::domain::EntryId;
use kimai_sync::domain::ids::CustomerId;
use kimai_sync::progress::Progress;
use kimai_sync::reconcile::sweep::Period;
use kimai_sync::trackers::kimai::sandbox::{Entity, Fault, When};
use kimai_sync::triplestore::vocabulary::status;
use serde_json::json;

mod moves;

pub(super) use moves::*;

use super::requests::{date, headers, times};
use crate::support::stack::{BASE, Stack, answer, delta};

pub(super) use exported::{exported_and_changed, exported_and_deleted};

/// Methods and paths of what was asked of Kimai.
fn asked(stack: &Stack) -> String {
    let requests = stack.kimai.requests().0.into_iter();
    let lines: Vec<String> = requests.map(|request| format!("{} {}", request.method, request.path)).collect();
    if lines.is_empty() { "nothing".to_owned() } else { lines.join(", ") }
}

async fn identifier(stack: &Stack, uri: &str) -> String {
    let links = stack.links(uri).await;
    if links.is_empty() {
        "no dct:identifier".to_owned()
    } else {
        format!("dct:identifier {}", links.join(", "))
    }
}

/// A work log that is in sync.
async fn synced(stack: &Stack) -> String {
    let uri = stack.register("A", "2024-09-02", "PT8H").await;
    stack.notify(&[&uri]).await;
    stack.forget_calls();
    uri
}

async fn shortened(stack: &Stack, uri: &str) {
    stack.change(uri, "cal:duration", "\"PT1H\"").await;
    stack.notify(&[uri]).await;
}

async fn sweep(stack: &Stack) {
    let period = Period { first: "2024-09-01".parse().unwrap(), last: "2024-09-30".parse().unwrap() };
    stack.engine.sweeper.sweep(period, None, &Progress::unwatched()).await.unwrap();
    stack.quiet().await;
}

fn seed(stack: &Stack) -> EntryId {
    let begin = "2024-09-02T00:00:00Z".parse().unwrap();
    stack.kimai.add_timesheet(stack.user, (stack.project, stack.activity), begin, Some(begin))
}

async fn put(stack: &Stack, id: &str) {
    answer(stack.http.put(format!("{}/kimai-timesheets/{id}", stack.base))).await;
}

pub(super) async fn catalogue_lists() -> String {
    let stack = Stack::embedded(&[]).await;
    stack.post("/sync-from-kimai/tasks", None).await;
    super::requests(&stack).join(", ")
}

pub(super) async fn timesheet_list() -> String {
    let stack = Stack::embedded(&[]).await;
    sweep(&stack).await;
    super::requests(&stack).join(", ")
}

pub(super) async fn header_of_a_delete() -> String {
    let sent = headers().await;
    let delete = sent.iter().find(|(method, _)| method == "DELETE").unwrap();
    let found = delete.1.iter().find(|header| header.starts_with("content-type"));
    found.cloned().unwrap_or_else(|| "none".to_owned())
}

/// Begin and end of a work log in a zone.
async fn sent(zone: &str, day: &str, duration: &str) -> (String, String) {
    let stack = Stack::embedded(&[("TZ", zone)]).await;
    let nothing = || ("nothing".to_owned(), "nothing".to_owned());
    times(&stack, &date(day), duration).await.unwrap_or_else(nothing)
}

pub(super) async fn day_west_of_utc() -> String {
    sent("America/New_York", "2024-09-02", "PT1H").await.0
}

pub(super) async fn day_with_a_zone() -> String {
    sent("UTC", "2024-09-02+02:00", "PT1H").await.0
}

pub(super) async fn negative_duration() -> String {
    sent("UTC", "2024-09-02", "-PT1H").await.1
}

pub(super) async fn duration_in_years() -> String {
    sent("UTC", "2024-09-02", "P1Y").await.1
}

pub(super) async fn five_deltas() -> String {
    let stack = Stack::embedded(&[]).await;
    let uri = stack.register("A", "2024-09-02", "PT8H").await;
    for _ in 0..5 {
        assert_eq!(stack.post("/delta", Some(delta(&[&uri]))).await.0, 204);
    }
    stack.quiet().await;
    asked(&stack)
}

pub(super) async fn refused_once() -> String {
    let stack = Stack::embedded(&[]).await;
    let uri = synced(&stack).await;
    stack.kimai.fault(When::next("PATCH", "/api/timesheets/*"), Fault::database_down());
    shortened(&stack, &uri).await;
    asked(&stack)
}

pub(super) async fn gone_from_kimai() -> String {
    let stack = Stack::embedded(&[]).await;
    let uri = synced(&stack).await;
    stack.kimai.delete_timesheet(EntryId::number(1));
    shortened(&stack, &uri).await;
    format!("{}; {}", asked(&stack), identifier(&stack, &uri).await)
}

pub(super) async fn rubbish_identifier() -> String {
    let stack = Stack::embedded(&[]).await;
    let uri = stack.register("A", "2024-09-02", "PT8H").await;
    stack.update(&format!("INSERT DATA {{ <{uri}> dct:identifier \"undefined\" }}")).await;
    stack.notify(&[&uri]).await;
    format!("{}; {}", asked(&stack), identifier(&stack, &uri).await)
}

pub(super) async fn two_identifiers() -> String {
    let stack = Stack::embedded(&[]).await;
    for _ in 0..10 {
        seed(&stack);
    }
    let uri = stack.register("A", "2024-09-02", "PT8H").await;
    stack.update(&format!("INSERT DATA {{ <{uri}> dct:identifier \"9\", \"10\" }}")).await;
    stack.notify(&[&uri]).await;
    asked(&stack)
}

pub(super) async fn activity_with_a_subject() -> String {
    let stack = Stack::embedded(&[]).await;
    for _ in 0..stack.activity.as_number().unwrap() {
        seed(&stack);
    }
    let activity = stack.task(stack.activity).await;
    stack.update(&format!("INSERT DATA {{ <{activity}> dct:subject <{BASE}/concepts/1> }}")).await;
    stack.notify(&[&activity]).await;
    asked(&stack)
}

pub(super) async fn path_in_an_id() -> String {
    let stack = Stack::embedded(&[]).await;
    put(&stack, "..%2Fcustomers%2F1").await;
    asked(&stack)
}

pub(super) async fn identifier_of_another_datatype() -> String {
    let stack = Stack::embedded(&[]).await;
    let uri = stack.register("A", "2024-09-02", "PT8H").await;
    let id = seed(&stack);
    stack.update(&format!("INSERT DATA {{ <{uri}> dct:identifier \"{id}\"^^xsd:integer }}")).await;
    put(&stack, &id.to_string()).await;
    asked(&stack)
}

pub(super) async fn shared_identifier() -> String {
    let stack = Stack::embedded(&[]).await;
    let uri = synced(&stack).await;
    let other = stack.register("B", "2024-09-03", "PT8H").await;
    stack.update(&format!("INSERT DATA {{ <{other}> dct:identifier \"1\" }}")).await;
    stack.take_back(&uri).await;
    stack.notify(&[&uri]).await;
    asked(&stack)
}

pub(super) async fn changed_without_a_delta() -> String {
    let stack = Stack::embedded(&[]).await;
    let uri = synced(&stack).await;
    stack.change(&uri, "cal:duration", "\"PT1H\"").await;
    sweep(&stack).await;
    asked(&stack)
}

pub(super) async fn orphan_without_work_logs() -> String {
    let stack = Stack::embedded(&[]).await;
    seed(&stack);
    sweep(&stack).await;
    asked(&stack)
}

pub(super) async fn many_orphans() -> String {
    let stack = Stack::embedded(&[]).await;
    synced(&stack).await;
    for _ in 0..21 {
        seed(&stack);
    }
    sweep(&stack).await;
    asked(&stack)
}

pub(super) async fn uuid_version() -> String {
    let stack = Stack::embedded(&[]).await;
    let task = stack.task(stack.activity).await;
    let uuid = uuid::Uuid::parse_str(task.rsplit('/').next().unwrap()).unwrap();
    uuid.get_version_num().to_string()
}

pub(super) async fn identifier_after_a_404() -> String {
    let stack = Stack::embedded(&[]).await;
    let uri = synced(&stack).await;
    stack.kimai.delete_timesheet(EntryId::number(1));
    stack.take_back(&uri).await;
    stack.notify(&[&uri]).await;
    identifier(&stack, &uri).await
}

pub(super) async fn identifier_after_a_sweep() -> String {
    let stack = Stack::embedded(&[]).await;
    let uri = synced(&stack).await;
    stack.register("B", "2024-09-03", "PT8H").await;
    stack.take_back(&uri).await;
    sweep(&stack).await;
    let deleted = stack.kimai.requests().0.into_iter().find(|request| request.method == "DELETE").unwrap();
    format!("DELETE {}; {}", deleted.path, identifier(&stack, &uri).await)
}

async fn import(stack: &Stack, what: &str) {
    assert_eq!(stack.post(&format!("/sync-from-kimai/{what}"), None).await.0, 204);
}

/// What `?x` is in the answers to a pattern.
async fn values(stack: &Stack, pattern: &str) -> Vec<String> {
    let rows = stack.select(&format!("SELECT DISTINCT ?x WHERE {{ {pattern} }}")).await;
    rows.iter().map(|row| row["x"].value().to_owned()).collect()
}

pub(super) async fn nameless_customer() -> String {
    let stack = Stack::embedded(&[]).await;
    stack.update("DELETE { ?s rdfs:label ?name } WHERE { ?s a prov:Organization ; rdfs:label ?name }").await;
    import(&stack, "customers").await;
    let names = values(&stack, "?s a prov:Organization ; rdfs:label ?x").await;
    if names.is_empty() { "no label".to_owned() } else { names.join(", ") }
}

pub(super) async fn late_customer() -> String {
    let stack = Stack::embedded(&[]).await;
    let customer = stack.kimai.add_customer("Late");
    stack.kimai.add_project("Early", customer);
    for what in ["tasks", "customers", "tasks"] {
        import(&stack, what).await;
    }
    let linked = values(&stack, "?s rdfs:label \"Early\" ; prov:wasAttributedTo ?x").await;
    if linked.is_empty() { "not linked" } else { "linked" }.to_owned()
}

pub(super) async fn foreign_account() -> String {
    let stack = Stack::embedded(&[]).await;
    let homepage = "<http://kimai.redpencil.io>";
    stack
        .update(&format!(
            "DELETE {{ ?s foaf:accountServiceHomepage {homepage} }} INSERT {{ ?s foaf:accountServiceHomepage <http://x/> }}
             WHERE {{ ?s a foaf:OnlineAccount ; dct:identifier \"2\" }}"
        ))
        .await;
    import(&stack, "accounts").await;
    let pattern =
        format!("?x a foaf:OnlineAccount ; dct:identifier \"2\" ; foaf:accountServiceHomepage {homepage}");
    let accounts = values(&stack, &pattern).await.len();
    format!("{accounts} account{} of Kimai", if accounts == 1 { "" } else { "s" })
}

pub(super) async fn typed_customer() -> String {
    let stack = Stack::embedded(&[]).await;
    stack
        .update(
            "DELETE { ?s dct:identifier ?id } INSERT { ?s dct:identifier \"1\"^^xsd:integer }
             WHERE { ?s a prov:Organization ; dct:identifier ?id }",
        )
        .await;
    import(&stack, "customers").await;
    let customers = values(&stack, "?x a prov:Organization").await.len();
    format!("{customers} customer{}", if customers == 1 { "" } else { "s" })
}

pub(super) async fn doubled_customer() -> String {
    let stack = Stack::embedded(&[]).await;
    stack
        .update(&format!(
            "INSERT DATA {{ <{BASE}/customers/twin> a prov:Organization ; mu:uuid \"twin\" ; dct:identifier \"1\" ;
               rdfs:label \"ACME\" }}"
        ))
        .await;
    stack.kimai.rename(Entity::Customer(CustomerId::number(1)), "Acme Ltd");
    import(&stack, "customers").await;
    let renamed = values(&stack, "?x a prov:Organization ; rdfs:label \"Acme Ltd\"").await.len();
    format!("{renamed} of {} renamed", values(&stack, "?x a prov:Organization").await.len())
}

/// Before: one for each customer, two for each project and activity, none for accounts; so 1 + 2 x 2 + 3 x 2 here.
pub(super) async fn nothing_new() -> String {
    let stack = Stack::embedded(&[]).await;
    for what in ["customers", "tasks", "accounts"] {
        import(&stack, what).await;
    }
    format!("{} updates", stack.statements().1)
}

/// Locks Jane's timesheet of September 2024 and says what became of it.
async fn locked(stack: &Stack, begin: &str, statuses: &[&str]) -> String {
    let mut sheet = format!(
        "<{BASE}/timesheets/1> a skos:Collection ; time:hasBeginning {begin} ; prov:wasAssociatedWith <{BASE}/persons/jane>"
    );
    for status in statuses {
        write!(sheet, " ; adms:status <{status}>").unwrap();
    }
    stack.update(&format!("INSERT DATA {{ {sheet} }}")).await;
    let month = json!({"month": 9, "year": 2024});
    assert_eq!(stack.post("/timesheets/lock", Some(month)).await.0, 204);
    let names = [(status::SUBMITTED, "SUBMITTED"), (status::DRAFT, "DRAFT"), (status::EXPORTED, "EXPORTED")];
    let found = values(stack, &format!("<{BASE}/timesheets/1> adms:status ?x")).await;
    let found: Vec<&str> = names
        .iter()
        .filter(|(iri, _)| found.iter().any(|found| found == iri))
        .map(|(_, name)| *name)
        .collect();
    let members = values(stack, &format!("<{BASE}/timesheets/1> skos:member ?x")).await.len();
    format!("{}, {members} work log{}", found.join(" and "), if members == 1 { "" } else { "s" })
}

const FIRST: &str = "\"2024-09-01\"^^xsd:date";

pub(super) async fn lock_of_what_cannot_be_mapped() -> String {
    let stack = Stack::embedded(&[]).await;
    let uri = stack.register("A", "2024-09-02", "PT8H").await;
    stack
        .update(&format!(
            "DELETE WHERE {{ <{uri}> dct:subject ?task }} ; DELETE WHERE {{ <{BASE}/persons/jane> ?p ?o }}"
        ))
        .await;
    locked(&stack, FIRST, &[status::SUBMITTED]).await
}

pub(super) async fn lock_east_of_utc() -> String {
    let stack = Stack::embedded(&[("TZ", "Europe/Brussels")]).await;
    stack.register("A", "2024-09-01", "PT8H").await;
    locked(&stack, FIRST, &[status::SUBMITTED]).await
}

pub(super) async fn lock_of_a_begin_with_a_zone() -> String {
    let stack = Stack::embedded(&[]).await;
    stack.register("A", "2024-09-02", "PT8H").await;
    locked(&stack, "\"2024-09-01Z\"^^xsd:date", &[status::SUBMITTED]).await
}

pub(super) async fn lock_of_two_statuses() -> String {
    let stack = Stack::embedded(&[]).await;
    stack.register("A", "2024-09-02", "PT8H").await;
    locked(&stack, FIRST, &[status::SUBMITTED, status::DRAFT]).await
}

/// Status, kind of body and place of what is answered.
async fn answered(path: &str) -> String {
    let stack = Stack::embedded(&[]).await;
    let body = json!({"start": "2024-09-01", "end": "2024-09-30"}).to_string();
    let answer = stack.http.post(format!("{}{path}", stack.base)).body(body).send().await.unwrap();
    let place = answer.headers().get("location").map(|place| place.to_str().unwrap().to_owned());
    let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
    let body = if text.contains(r#""type":"runs""#) { "a run" } else { "no body" };
    let place = place.map_or("no Location", |place| {
        assert!(place.starts_with("/runs/"), "{place}");
        "Location of the run"
    });
    format!("{status}, {body}, {place}")
}

pub(super) async fn sweep_answer() -> String {
    answered("/sync-to-kimai/work-logs").await
}

pub(super) async fn import_answer() -> String {
    answered("/sync-from-kimai/customers").await
}

pub(super) async fn other_method() -> String {
    let stack = Stack::embedded(&[]).await;
    let request = stack.http.put(format!("{}/sync-from-kimai/customers", stack.base));
    let answer = request.send().await.unwrap();
    format!("{}, Allow: {}", answer.status().as_u16(), answer.headers()["allow"].to_str().unwrap())
}

pub(super) async fn other_letter_case() -> String {
    Stack::embedded(&[]).await.post("/Delta", Some(delta(&[]))).await.0.to_string()
}

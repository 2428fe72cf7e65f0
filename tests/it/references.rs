//! What leads from a work log to Kimai changes: its timesheet follows.

use kimai_sync::triplestore::vocabulary::{dct, foaf, skos};
use serde_json::{Value, json};

use crate::support::on_each_store;
use crate::support::stack::{BASE, Stack};

on_each_store!(
    hours_follow_a_person_that_gets_another_account,
    hours_follow_an_activity_that_is_moved_and_numbers_that_change,
    a_thousand_follow_behind_what_people_do_meanwhile,
);

/// Tells the service that this property of this subject changed, as the delta-notifier does.
async fn notify(stack: &Stack, subject: &str, predicate: &str) {
    let iri = |value: &str| json!({"type": "uri", "value": value});
    let triple: Value = json!({"subject": iri(subject), "predicate": iri(predicate),
        "object": {"type": "literal", "value": "new"}, "graph": iri("http://mu.semte.ch/graphs/kimai")});
    let body = json!([{"inserts": [triple], "deletes": []}]);
    assert_eq!(stack.post("/delta", Some(body)).await.0, 204);
    stack.quiet().await;
}

/// What each timesheet is booked on: project, activity, user.
fn booked(stack: &Stack) -> Vec<(u64, u64, u64)> {
    stack
        .timesheets()
        .into_iter()
        .map(|(_, _, _, project, activity, user)| (project, activity, user))
        .collect()
}

async fn hours_follow_a_person_that_gets_another_account(stack: Stack) {
    let (one, other) =
        (stack.register("A", "2024-09-02", "PT8H").await, stack.register("B", "2023-01-02", "PT8H").await);
    stack.notify(&[&one, &other]).await;
    let jo = stack.kimai.add_user("jo", "UTC", kimai_sync::trackers::kimai::sandbox::Role::User, None);
    assert_eq!(stack.post("/sync-from-kimai/accounts", None).await.0, 204);
    let account = |name: &str| format!("?account foaf:accountName ?name . FILTER (STR(?name) = \"{name}\")");
    let jane = format!("{BASE}/persons/jane");
    stack
        .update(&format!(
            "DELETE {{ <{jane}> foaf:account ?account }} WHERE {{ <{jane}> foaf:account ?account }} ;
             INSERT {{ <{jane}> foaf:account ?account }} WHERE {{ {} }}",
            account("jo")
        ))
        .await;
    notify(&stack, &jane, foaf::ACCOUNT).await;
    let on = (stack.project.as_number().unwrap(), stack.activity.as_number().unwrap());
    assert_eq!(booked(&stack), [(on.0, on.1, jo.as_number().unwrap()); 2], "however long ago");
    // The account itself gets another number.
    let rows = stack.select(&format!("SELECT DISTINCT ?account WHERE {{ {} }}", account("jo"))).await;
    let iri = rows[0]["account"].value().to_owned();
    stack.change(&iri, "dct:identifier", &format!("\"{}\"", stack.user)).await;
    notify(&stack, &iri, dct::IDENTIFIER).await;
    assert_eq!(booked(&stack), [(on.0, on.1, stack.user.as_number().unwrap()); 2]);
}

async fn hours_follow_an_activity_that_is_moved_and_numbers_that_change(stack: Stack) {
    let uri = stack.register("A", "2024-09-02", "PT8H").await;
    stack.notify(&[&uri]).await;
    let task = stack.task(stack.activity).await;
    let shop = stack.kimai.add_project("Shop", kimai_sync::domain::ids::CustomerId::number(1));
    let sales = stack.kimai.add_activity("Sales", Some(shop));
    stack.kimai.set(
        kimai_sync::trackers::kimai::sandbox::Entity::Activity(stack.activity),
        "project",
        json!(shop),
    );
    let project = format!("{BASE}/tasks/shop");
    stack
        .update(&format!(
            "INSERT DATA {{ <{project}> a wf:Task, doap:Project ; rdfs:label \"Shop\" ; dct:identifier \"{shop}\" }}"
        ))
        .await;
    stack.change(&task, "skos:broader", &format!("<{project}>")).await;
    notify(&stack, &task, skos::BROADER).await;
    assert_eq!(
        booked(&stack),
        [(shop.as_number().unwrap(), stack.activity.as_number().unwrap(), stack.user.as_number().unwrap())]
    );
    stack.change(&task, "dct:identifier", &format!("\"{sales}\"")).await;
    notify(&stack, &task, dct::IDENTIFIER).await;
    assert_eq!(
        booked(&stack),
        [(shop.as_number().unwrap(), sales.as_number().unwrap(), stack.user.as_number().unwrap())]
    );
    // The project itself gets another number.
    let other = stack.kimai.add_project("Other shop", kimai_sync::domain::ids::CustomerId::number(1));
    stack.kimai.set(kimai_sync::trackers::kimai::sandbox::Entity::Activity(sales), "project", json!(other));
    stack.change(&project, "dct:identifier", &format!("\"{other}\"")).await;
    notify(&stack, &project, dct::IDENTIFIER).await;
    assert_eq!(
        booked(&stack),
        [(other.as_number().unwrap(), sales.as_number().unwrap(), stack.user.as_number().unwrap())]
    );
    // The link of a work log is our own affair.
    stack.forget_calls();
    notify(&stack, &uri, dct::IDENTIFIER).await;
    assert_eq!((stack.statements(), stack.kimai.requests().0.len()), ((0, 0), 0));
}

async fn a_thousand_follow_behind_what_people_do_meanwhile(stack: Stack) {
    let (count, task) = (1_000, stack.task(stack.activity).await);
    let jane = format!("{BASE}/persons/jane");
    for start in (0..count).step_by(20) {
        let triples = (start..start + 20).map(|number| {
            format!(
                "<{BASE}/work-logs/{number:04}> a cal:Vevent ; cal:duration \"PT1H\" ; cal:dtstart \"2024-09-02\"^^xsd:date ;
                 dct:subject <{task}> ; prov:wasAssociatedWith <{jane}> .\n"
            )
        });
        stack.update(&format!("INSERT DATA {{ {} }}", triples.collect::<String>())).await;
    }
    stack.forget_calls();
    notify(&stack, &task, skos::BROADER).await;
    let created: Vec<u64> = stack.timesheets().into_iter().map(|(id, ..)| id.as_number().unwrap()).collect();
    assert_eq!(created.len(), count, "each once, whoever told of it");
    let (selects, _) = stack.statements();
    assert!(selects < 150, "{selects} queries for {count} work logs");
}

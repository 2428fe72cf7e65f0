//! What became of what was moved, hidden or deleted in Kimai.

use kimai_sync::domain::ids::{CustomerId, ProjectId};
use kimai_sync::trackers::kimai::sandbox::Entity;
use serde_json::json;

use super::{import, synced, values};
use crate::support::stack::Stack;

/// A stack with one more project and customer, imported.
async fn stack() -> (Stack, CustomerId, ProjectId) {
    let stack = Stack::embedded(&[]).await;
    let beta = stack.kimai.add_customer("Beta");
    let shop = stack.kimai.add_project("Shop", CustomerId::number(1));
    for what in ["customers", "tasks"] {
        import(&stack, what).await;
    }
    (stack, beta, shop)
}

async fn related(stack: &Stack, name: &str, relation: &str) -> String {
    let pattern =
        format!("?s a wf:Task ; rdfs:label \"{name}\" ; {relation} ?parent . ?parent rdfs:label ?x");
    let parents = values(stack, &pattern).await;
    if parents.is_empty() { format!("no {relation}") } else { format!("{relation} {}", parents.join(", ")) }
}

pub(in super::super) async fn moved_activity() -> String {
    let (stack, _, shop) = stack().await;
    stack.kimai.set(Entity::Activity(stack.activity), "project", json!(shop));
    import(&stack, "tasks").await;
    related(&stack, "Analysis", "skos:broader").await
}

pub(in super::super) async fn moved_project() -> String {
    let (stack, beta, _) = stack().await;
    stack.kimai.set(Entity::Project(stack.project), "customer", json!(beta));
    import(&stack, "tasks").await;
    related(&stack, "Website", "prov:wasAttributedTo").await
}

pub(in super::super) async fn activity_made_global() -> String {
    let (stack, ..) = stack().await;
    stack.kimai.set(Entity::Activity(stack.activity), "project", json!(null));
    import(&stack, "tasks").await;
    related(&stack, "Analysis", "skos:broader").await
}

pub(in super::super) async fn hours_of_a_moved_activity() -> String {
    let (stack, _, shop) = stack().await;
    synced(&stack).await;
    stack.kimai.set(Entity::Activity(stack.activity), "project", json!(shop));
    import(&stack, "tasks").await;
    stack.quiet().await;
    let on = stack.timesheets()[0].3;
    if on == shop.as_number().unwrap() { "on Shop" } else { "on Website" }.to_owned()
}

pub(in super::super) async fn hidden_in_kimai() -> String {
    let (stack, ..) = stack().await;
    stack.kimai.hide(Entity::Project(ProjectId::number(1)));
    stack.kimai.delete(Entity::Activity(stack.activity));
    // Something of theirs is left in the list.
    stack.kimai.add_activity("Sales", Some(ProjectId::number(3)));
    for _ in 0..2 {
        import(&stack, "tasks").await;
    }
    let rows =
        stack.select("SELECT ?s ?x WHERE { ?s a ext:UnavailableInKimai ; rdfs:label ?x } ORDER BY ?x").await;
    let names: Vec<&str> = rows.iter().map(|row| row["x"].value()).collect();
    if names.is_empty() {
        "nothing".to_owned()
    } else {
        format!("{} a ext:UnavailableInKimai", names.join(", "))
    }
}

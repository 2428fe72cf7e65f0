use std::collections::{BTreeMap, BTreeSet};

use actix_web::http::{Method, header};
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::{App, web};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::explain::Verdict;
use crate::http::{configure, endpoints, sparql, testing};
use crate::store::sqlite::Storage;
use crate::triplestore::embedded::Embedded;
use crate::ui;

/// A service as `app` starts it, with a triplestore inside.
macro_rules! service {
    () => {{
        let store = Embedded::in_memory().unwrap();
        let routes =
            configure(testing::state(Storage::in_memory().unwrap(), &store, &CancellationToken::new()));
        init_service(App::new().configure(move |config| {
            config.app_data(web::Data::new(store)).configure(sparql::configure);
            routes(config);
        }))
        .await
    }};
}

fn document() -> Value {
    super::value(endpoints(ui::PAGES).into_iter().chain(sparql::endpoints()), true)
}

/// The methods of each documented path.
fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let document = document();
    let paths = document["paths"].as_object().unwrap().iter();
    let methods = |item: &Value| item.as_object().unwrap().keys().map(|name| name.to_uppercase()).collect();
    paths.map(|(path, item)| (path.clone(), methods(item))).collect()
}

#[actix_web::test]
async fn every_route_is_documented_and_every_documented_one_is_there() {
    let service = service!();
    let answer = call_service(&service, TestRequest::get().uri("/nope").to_request()).await;
    // All that is registered, by whatever way, stands here; actix tells it in no other form.
    let map = format!("{:?}", answer.request().resource_map());
    let patterns = map.split("patterns: Single(\"").skip(1).filter_map(|rest| rest.split('"').next());
    let registered: BTreeSet<_> = patterns.map(|path| path.replace(":.*", "")).collect();
    let registered: BTreeSet<_> = registered.into_iter().filter(|path| !path.is_empty()).collect();
    assert!(registered.len() > 15, "this test cannot see the routes any more: {map}");
    assert_eq!(registered, documented().into_keys().collect());
}

#[actix_web::test]
async fn each_path_takes_the_documented_methods_and_refuses_all_others() {
    let service = service!();
    for (path, methods) in documented() {
        let path = path.replace("{id}", "1");
        let request = TestRequest::default().method(Method::PATCH).uri(&path).to_request();
        let answer = call_service(&service, request).await;
        assert_eq!(answer.status(), 405, "PATCH {path}");
        let allowed = answer.headers().get(header::ALLOW).unwrap().to_str().unwrap().to_owned();
        assert_eq!(allowed.split(", ").map(str::to_owned).collect::<BTreeSet<_>>(), methods, "{path}");
        let body: Value = serde_json::from_slice(&read_body(answer).await).unwrap();
        assert!(body["errors"][0]["detail"].as_str().unwrap().contains(&allowed.replace(", ", " or ")));
    }
}

#[test]
fn the_document_is_whole() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(document["servers"][0]["url"], "/");
    let text = document.to_string();
    for name in text.split("\"#/components/schemas/").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(document["components"]["schemas"][name].is_object(), "there is no schema {name}");
    }
    let mut ids = BTreeSet::new();
    let tags: Vec<&Value> = document["tags"].as_array().unwrap().iter().map(|tag| &tag["name"]).collect();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let route = format!("{method} {path}");
            assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{route}: id twice");
            assert!(!operation["summary"].as_str().unwrap().ends_with('.'), "{route}: a heading has no stop");
            assert!(tags.contains(&&operation["tags"][0]), "{route}: its tag is not among TAGS");
            let guarded = operation.get("security").is_none() || path == "/login" && method == "post";
            assert_eq!(operation["responses"].get("401").is_some(), guarded, "{route}");
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let named = parameters.filter(|one| one["in"] == "path").count();
            assert_eq!(named, path.matches('{').count(), "{route}: parameters of the path");
        }
    }
}

#[test]
fn examples_have_all_the_members_that_their_schemas_ask_for() {
    let document = document();
    let content = &document["paths"]["/queue/{id}"]["get"]["responses"]["200"]["content"];
    let example = &content["application/vnd.api+json"]["example"]["data"];
    assert_eq!(example["type"], "queue-entries");
    assert_eq!(example["attributes"]["state"], "queued");
    assert_eq!(example["attributes"]["kimai"]["project"], 3);
    let verdict = example["attributes"]["story"]["verdict"].as_str().unwrap();
    assert!(Verdict::from_word(verdict).is_some(), "{verdict} is no verdict");
    let body = &document["paths"]["/timesheets/lock"]["post"]["requestBody"]["content"]["application/json"];
    assert_eq!(body["example"], serde_json::json!({"month": 9, "year": 2024}));
}

#[actix_web::test]
async fn the_page_tells_every_route_and_needs_nothing_from_elsewhere() {
    let service = service!();
    let answer = call_service(&service, TestRequest::get().uri("/docs").to_request()).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers().get(header::CONTENT_TYPE).unwrap(), "text/html; charset=utf-8");
    let page = String::from_utf8(read_body(answer).await.to_vec()).unwrap();
    for (path, methods) in documented() {
        for method in methods {
            let heading = format!("<span class=\"method\">{method}</span> <code>{path}</code>");
            assert_eq!(page.matches(&heading).count(), 2, "{method} {path} stands in the list and below");
        }
    }
    for strange in ["<script", "<style", " style=", "src=", "href=\"http"] {
        assert!(!page.contains(strange), "the page holds {strange}");
    }
    let targets: BTreeSet<_> =
        page.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    for link in page.split("href=\"#").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(targets.contains(link), "nothing is at #{link}");
    }
    let style = call_service(&service, TestRequest::get().uri("/assets/docs.css").to_request()).await;
    assert_eq!(style.headers().get(header::CONTENT_TYPE).unwrap(), "text/css; charset=utf-8");
}

#[actix_web::test]
async fn what_cannot_be_read_is_told_as_json_api() {
    let service = service!();
    let table = [
        ("/queue?filter[stat]=due", "filter[stat]"),
        ("/queue?page[size]=1&page[size]=2", "duplicate field"),
        ("/queue?filter[state]=gone", "not a state of an entry"),
        ("/runs?filter[kind]=%FF", "not a kind of run"),
        ("/runs?x=1", "unknown field"),
    ];
    for (path, words) in table {
        let answer = call_service(&service, TestRequest::get().uri(path).to_request()).await;
        assert_eq!(answer.status(), 400, "{path}");
        assert_eq!(
            answer.headers().get(header::CONTENT_TYPE).unwrap(),
            crate::http::problem::JSON_API,
            "{path}"
        );
        let body: Value = serde_json::from_slice(&read_body(answer).await).unwrap();
        assert!(body["errors"][0]["detail"].as_str().unwrap().contains(words), "{path}: {body}");
    }
}

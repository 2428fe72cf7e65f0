//! What stands between the service and its triples, and how it answers: sparql-parser that refuses what config.lisp
//! does not allow, Virtuoso that stops half way, a proxy that drops rows.

#![expect(clippy::disallowed_methods, reason = "what is spawned ends with the test's runtime")]

use std::sync::{Arc, Mutex};

use actix_web::http::StatusCode;
use actix_web::{App, HttpResponse, HttpServer, web};
use kimai_sync::triplestore::Triplestore;
use kimai_sync::triplestore::embedded::{Answer, Embedded};
use serde_json::{Value, json};

/// How it behaves.
#[derive(Debug, Clone, Default)]
pub(crate) struct Manners {
    /// Prefixes that config.lisp does not bind to a class: without its class nothing under them may be written.
    pub(crate) undeclared: Vec<String>,
    /// Every update fails with this `internal-error`.
    pub(crate) condition: Option<String>,
    /// Status, a header and its value of each answer to a query.
    pub(crate) status: Option<u16>,
    pub(crate) header: Option<(&'static str, &'static str)>,
    /// Only every so many rows of an answer with several come through: the second, the third.
    pub(crate) drops: Option<usize>,
    /// Rows of an answer at most, and only of queries with this text.
    pub(crate) most: Option<(usize, &'static str)>,
    /// Texts in answers that are replaced by what is in them.
    pub(crate) swaps: Vec<(&'static str, &'static str)>,
}

/// It.
#[derive(Clone)]
pub(crate) struct Front {
    pub(crate) store: Embedded,
    pub(crate) endpoint: String,
    manners: Arc<Mutex<Manners>>,
}

impl Front {
    /// One before an empty store.
    pub(crate) fn start() -> Self {
        let store = Embedded::in_memory().expect("a store");
        let manners = Arc::new(Mutex::new(Manners::default()));
        let mut front = Self { store, endpoint: String::new(), manners };
        let data = web::Data::new(front.clone());
        let server = HttpServer::new(move || {
            let limits = web::FormConfig::default().limit(1024 * 1024);
            App::new().app_data(limits).app_data(data.clone()).default_service(web::to(answer))
        })
        .workers(1)
        .disable_signals()
        .bind(("127.0.0.1", 0))
        .expect("a free port");
        front.endpoint = format!("http://{}/sparql", server.addrs()[0]);
        tokio::spawn(server.run());
        front
    }

    pub(crate) fn behaves(&self, manners: Manners) {
        *self.manners.lock().unwrap() = manners;
    }

    /// Whether sparql-parser would find no graph for what `update` writes: its subject has no class to go by.
    async fn is_unwritten(&self, manners: &Manners, update: &str) -> bool {
        for prefix in &manners.undeclared {
            for rest in update.split(&format!("<{prefix}")).skip(1) {
                let name = rest.split('>').next().unwrap_or_default();
                let ask = format!("SELECT ?class WHERE {{ <{prefix}{name}> a ?class }}");
                if !update.contains(" a ") && self.store.select(&ask).await.unwrap().is_empty() {
                    return true;
                }
            }
        }
        false
    }
}

/// As sparql-parser 0.0.15 answers when a condition ends its work.
fn failed(printed: &str) -> HttpResponse {
    HttpResponse::InternalServerError().content_type("application/json").body(
        json!({"status": 500, "message": "Failed to process query.", "mu-call-id": "1", "mu-session-id": null,
            "mu-auth-allowed-groups": "[]", "internal-error": printed, "source-ip": "127.0.0.1"})
        .to_string(),
    )
}

async fn answer(front: web::Data<Front>, form: web::Form<Vec<(String, String)>>) -> HttpResponse {
    let manners = front.manners.lock().unwrap().clone();
    let field = |name: &str| form.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str());
    if let Some(update) = field("update") {
        if let Some(printed) = &manners.condition {
            return failed(printed);
        }
        if front.is_unwritten(&manners, update).await {
            return failed(
                "#<UNWRITTEN-DATA-ERROR \n  DELETE:\n    (SUBJECT #S(MATCH :TERM IRIREF :SUBMATCHES NIL))\n  INSERT:\n\n>",
            );
        }
        front.store.update(update).await.unwrap();
        return HttpResponse::Ok().body("{}");
    }
    let query = field("query").unwrap_or_default();
    let Ok(Answer::Results(body)) = front.store.query(query).await else {
        return HttpResponse::BadRequest().finish();
    };
    let mut body: Value = serde_json::from_str(&String::from_utf8(body).unwrap()).unwrap();
    if let Some(rows) = body.pointer_mut("/results/bindings").and_then(Value::as_array_mut) {
        if let Some(drops) = manners.drops.filter(|_| rows.len() > 1) {
            let mut number = 0;
            rows.retain(|_| {
                number += 1;
                number % drops != 0
            });
        }
        if let Some((most, _)) = manners.most.filter(|(_, text)| query.contains(text)) {
            rows.truncate(most);
        }
    }
    let mut text = body.to_string();
    for (from, to) in &manners.swaps {
        text = text.replace(from, to);
    }
    let status =
        manners.status.and_then(|status| StatusCode::from_u16(status).ok()).unwrap_or(StatusCode::OK);
    let mut answer = HttpResponse::build(status);
    if let Some(header) = manners.header {
        answer.insert_header(header);
    }
    answer.content_type("application/sparql-results+json").body(text)
}

//! SPARQL 1.1 protocol over HTTP with the mu headers: the triplestore of a mu-semtech stack, or any
//! endpoint that speaks the protocol.
//!
//! # Guarantees
//! Every call ends within the time limit and reads at most 32 MiB. Nothing is sent twice, and no redirect is followed.
//! `mu-auth-sudo`, `mu-session-id` and `mu-auth-allowed-groups` are never sent: for sparql-parser, the mere presence of
//! the first means sudo. Each statement has a fresh `mu-call-id`; the call that it belongs to, if known, is in its
//! `mu-call-id-trail`.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use uuid::Uuid;

use super::query_log::QueryLog;
use super::refusal::{Answered, SHOWN, first_subject, shortened};
use super::results::{Answer, Odd};
use super::{Row, Triplestore, TriplestoreFault, results};
use crate::http_client;
use crate::telemetry::call_id;
use crate::unreadable::Unreadable;

/// The maximum size of an answer, in bytes. 10 000 rows, Virtuoso's own limit, take a few MiB.
const ANSWER_LIMIT: usize = 32 * 1024 * 1024;

const RESULTS_JSON: &str = "application/sparql-results+json";

/// How to reach the triplestore.
#[derive(Debug, Clone)]
pub struct RemoteConfig {
    /// The endpoint for queries and updates alike (`MU_SPARQL_ENDPOINT`).
    pub endpoint: String,
    /// The scope in which this service's rights are granted (`DEFAULT_MU_AUTH_SCOPE`). Without it sparql-parser returns
    /// no rows for any query.
    pub scope: Option<String>,
    /// The time limit of a call, from its start to the last byte of the answer.
    pub time_limit: Duration,
    /// Which statements are logged.
    pub log: QueryLog,
}

/// Why a [`Remote`] cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum RemoteFault {
    /// The endpoint or the scope cannot be sent.
    #[error("{0}")]
    Setting(String),
    /// No HTTP client, most likely because root certificates are missing.
    #[error("the HTTP client cannot be set up ({0}); are ca-certificates installed?")]
    Client(String),
}

/// A triplestore behind HTTP. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Remote {
    client: reqwest::Client,
    endpoint: reqwest::Url,
    scope: Option<reqwest::header::HeaderValue>,
    time_limit: Duration,
    log: QueryLog,
    unreadable: Unreadable,
}

impl Remote {
    /// Checks the settings; does not call the endpoint.
    pub fn new(config: RemoteConfig) -> Result<Self, RemoteFault> {
        let RemoteConfig { endpoint, scope, time_limit, log } = config;
        let endpoint = reqwest::Url::parse(&endpoint)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https"))
            .ok_or_else(|| RemoteFault::Setting(format!("'{endpoint}' is not an http or https URL")))?;
        let scope = scope
            .filter(|scope| !scope.is_empty())
            .map(|scope| {
                scope.parse().map_err(|_| {
                    RemoteFault::Setting(format!("the scope {scope:?} is not valid in an HTTP header"))
                })
            })
            .transpose()?;
        let client = http_client::client_builder(time_limit)
            .build()
            .map_err(|error| RemoteFault::Client(http_client::explain(error)))?;
        Ok(Self { client, endpoint, scope, time_limit, log, unreadable: Unreadable::default() })
    }

    /// Sends the form as the old service did: `query=` or `update=`, with the requested format twice, since stores
    /// differ in whether they use Accept or `format`.
    async fn post(&self, field: &str, statement: &str) -> Result<Vec<u8>, TriplestoreFault> {
        let call_id = Uuid::new_v4();
        if field == "update" {
            self.log.update(statement, Some(call_id));
        } else {
            self.log.query(statement, Some(call_id));
        }
        let form = [(field, statement), ("format", RESULTS_JSON), ("content-type", RESULTS_JSON)];
        let mut request = self
            .client
            .post(self.endpoint.clone())
            .header("accept", RESULTS_JSON)
            .header("mu-call-id", call_id.to_string())
            .form(&form);
        if let Some(scope) = &self.scope {
            request = request.header("mu-auth-scope", scope.clone());
        }
        if let Some(call) = call_id::current() {
            request = request.header("mu-call-id-trail", call.trail());
        }
        let mut answer = request.send().await.map_err(|error| self.cut(error))?;
        let status = answer.status();
        let headers = std::mem::take(answer.headers_mut());
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| self.cut(error))? {
            if body.len() + chunk.len() > ANSWER_LIMIT {
                let limit = ANSWER_LIMIT / 1024 / 1024;
                return Err(TriplestoreFault::Unreadable(format!("it is larger than {limit} MiB")));
            }
            body.extend_from_slice(&chunk);
        }
        if status.is_success() {
            return whole(status, &headers).map(|()| body);
        }
        let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        Err(Answered { status: status.as_u16(), content_type, body: &body }.fault(statement))
    }

    fn cut(&self, error: reqwest::Error) -> TriplestoreFault {
        if error.is_timeout() && !error.is_connect() {
            return TriplestoreFault::Transient(format!("no answer within {:?}", self.time_limit));
        }
        TriplestoreFault::Transient(http_client::explain(error))
    }
}

#[async_trait]
impl Triplestore for Remote {
    async fn select(&self, query: &str) -> Result<Vec<Row>, TriplestoreFault> {
        let Answer { rows, odd } = results::parse(&self.post("query", query).await?)?;
        for Odd { subject, name, why } in odd {
            // A query about one subject does not return it in its rows.
            let subject = subject.or_else(|| first_subject(query).map(str::to_owned));
            let of = subject.map_or_else(String::new, |subject| format!(" of <{subject}>"));
            self.unreadable.note(format!("A value{of} in the triplestore cannot be read ({name}): {why}"));
        }
        Ok(rows)
    }

    fn unreadable(&self) -> Unreadable {
        self.unreadable.clone()
    }

    async fn update(&self, update: &str) -> Result<(), TriplestoreFault> {
        // The body of the answer is irrelevant: sparql-parser's is always the same.
        self.post("update", update).await.map(drop)
    }
}

/// Fails if an answer is marked as partial. Virtuoso aborts what takes too long and returns what it has
/// (`X-SQL-State: S1TAT`), newer versions report that they truncated an answer at `ResultSetMaxRows`, and proxies
/// answer 206.
fn whole(status: StatusCode, headers: &HeaderMap) -> Result<(), TriplestoreFault> {
    let text =
        |name: &str| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let why = if let Some(state) = text("x-sql-state").filter(|state| !state.trim().is_empty()) {
        let said = text("x-sql-message").unwrap_or_default();
        format!("it says {} {}", shortened(&state, SHOWN), shortened(&said, SHOWN))
    } else if let Some(rows) = text("x-sparql-maxrows") {
        format!("it was cut at {} rows; raise ResultSetMaxRows of Virtuoso to 10000", shortened(&rows, SHOWN))
    } else if status == StatusCode::PARTIAL_CONTENT {
        "it was only partial (206)".to_owned()
    } else {
        return Ok(());
    };
    Err(TriplestoreFault::Incomplete(why.trim_end().to_owned()))
}

#[cfg(test)]
mod tests;

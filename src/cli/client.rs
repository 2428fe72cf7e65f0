//! The HTTP client for a running service.

use std::fmt::Write as _;
use std::sync::OnceLock;
use std::time::Duration;

use jiff::tz::TimeZone;
use reqwest::{Response, StatusCode, Url};
use serde_json::Value;

use crate::http;
use crate::http_client;
use crate::settings::Settings;

/// The time limit for a run.
const RUN_LIMIT: Duration = Duration::from_hours(24 * 7);
/// The time limit for any other answer. Explaining a work log takes longest: 50 s while neither side answers.
const ANSWER_LIMIT: Duration = Duration::from_mins(1);
/// How long a stream of events may be silent; it sends a heartbeat every 15 s.
const SILENCE: Duration = Duration::from_mins(1);

/// Why the service did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// It could not be reached, or rejected the request as invalid (exit code 2).
    #[error("{0}")]
    NotAsked(String),
    /// It received the request and failed (exit code 1).
    #[error("{0}")]
    Failed(String),
    /// It answered with an error.
    #[error("{words}")]
    Answered {
        /// Its error message.
        words: String,
        /// The JSON:API document it answered with.
        document: Value,
        /// Whether the request was valid (exit code 1) or not (2).
        understood: bool,
    },
}

impl Refusal {
    /// Whether the service received a valid request, so that the exit code is 1.
    pub(super) fn was_asked(&self) -> bool {
        match self {
            Self::NotAsked(_) => false,
            Self::Failed(_) => true,
            Self::Answered { understood, .. } => *understood,
        }
    }

    /// The document that the service answered with, if it did.
    pub(super) fn document(&self) -> Option<&Value> {
        match self {
            Self::Answered { document, .. } => Some(document),
            Self::NotAsked(_) | Self::Failed(_) => None,
        }
    }
}

/// The service at one address.
pub(super) struct Service {
    http: reqwest::Client,
    base: Url,
    has_token: bool,
    /// The time limit for an answer other than a stream of events.
    limit: Duration,
    /// The time zone of the service, once it has answered.
    zone: OnceLock<TimeZone>,
}

impl Service {
    /// At `url`, otherwise on this machine at `PORT`.
    pub(super) fn at(url: Option<&Url>) -> anyhow::Result<Self> {
        let base = match url {
            Some(url) if !url.username().is_empty() || url.password().is_some() => {
                anyhow::bail!("--url must not contain a user name or password: they would appear in messages")
            }
            Some(url) => url.clone(),
            None => Url::parse(&format!("http://127.0.0.1:{}", Settings::port_from_env()?.unwrap_or(80)))?,
        };
        let token = Settings::ops_token_from_env()?;
        let headers = http_client::bearer(token.as_ref())?;
        let http = http_client::client_builder(RUN_LIMIT).connect_timeout(Duration::from_secs(10));
        let http = http.default_headers(headers).build()?;
        Ok(Self { http, base, has_token: token.is_some(), limit: ANSWER_LIMIT, zone: OnceLock::new() })
    }

    /// Its address, without a trailing slash.
    pub(super) fn address(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// The arguments that curl needs besides the address.
    pub(super) fn curl_more(&self) -> &str {
        if self.has_token { " -H \"Authorization: Bearer $OPS_TOKEN\"" } else { "" }
    }

    /// The document at `path`.
    pub(super) async fn get(&self, path: &str) -> Result<Value, Refusal> {
        self.answer(self.http.get(format!("{}{path}", self.address()))).await
    }

    /// POSTs `body` and returns the document of the response, without waiting for a run to end.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value, Refusal> {
        let request = self.http.post(format!("{}{path}", self.address()));
        self.answer(request.header("prefer", "respond-async").json(body)).await
    }

    /// POSTs without a body and returns the document of the response, or null if it has none.
    pub(super) async fn send_off(&self, path: &str) -> Result<Value, Refusal> {
        let request = self.http.post(format!("{}{path}", self.address()));
        let answer = self.send(request.timeout(self.limit)).await?;
        if !answer.status().is_success() {
            return Err(refusal(answer).await);
        }
        let text = answer.bytes().await.map_err(|fault| self.unreachable(fault))?;
        Ok(serde_json::from_slice(&text).unwrap_or_default())
    }

    /// The events of the run with this ID.
    pub(super) async fn events(&self, id: &str) -> Result<Events, Refusal> {
        let request = self.http.get(format!("{}/runs/{id}/events", self.address()));
        let answer = self.send(request).await?;
        if !answer.status().is_success() {
            return Err(refusal(answer).await);
        }
        Ok(Events { answer, text: Vec::new() })
    }

    async fn answer(&self, request: reqwest::RequestBuilder) -> Result<Value, Refusal> {
        let answer = self.send(request.timeout(self.limit)).await?;
        if !answer.status().is_success() {
            return Err(refusal(answer).await);
        }
        let text = answer.bytes().await.map_err(|fault| self.unreachable(fault))?;
        serde_json::from_slice(&text).map_err(|_| {
            let address = self.address();
            Refusal::NotAsked(format!(
                "The server at {address} is not kimai-sync, or has a different version."
            ))
        })
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Response, Refusal> {
        let answer = request.send().await.map_err(|fault| self.unreachable(fault))?;
        let named = answer.headers().get(http::TIME_ZONE).and_then(|name| name.to_str().ok());
        if let Some(zone) = named.and_then(|name| TimeZone::get(name).ok()) {
            self.zone.get_or_init(|| zone);
        }
        Ok(answer)
    }

    /// The time zone for displaying times: that of the service if it has sent one, otherwise `TZ` on this machine.
    pub(super) fn zone(&self) -> TimeZone {
        let told = self.zone.get().cloned();
        told.or_else(|| Settings::zone_from_env().ok()).unwrap_or(TimeZone::UTC)
    }

    fn unreachable(&self, fault: reqwest::Error) -> Refusal {
        let words = http_client::explain(fault);
        let address = self.address();
        Refusal::NotAsked(format!(
            "kimai-sync does not answer at {address} ({words}). Is it running? Give its address with --url."
        ))
    }
}

/// An argument as typed, as one segment of a path.
pub(super) fn path_of(text: &str) -> String {
    let mut segment = String::new();
    for byte in text.trim().bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            segment.push(char::from(byte));
        } else {
            let _ = write!(segment, "%{byte:02X}");
        }
    }
    segment
}

/// The messages of an error document.
async fn refusal(answer: Response) -> Refusal {
    let status = answer.status();
    if status == StatusCode::UNAUTHORIZED {
        let words = "The service requires its token. Set OPS_TOKEN or OPS_TOKEN_FILE to the same value as \
            there; in a stack you can run this in its container: docker compose exec kimai-sync kimai-sync …";
        return Refusal::NotAsked(words.to_owned());
    }
    let document: Value = answer.json().await.unwrap_or_default();
    let errors = document.get("errors").and_then(Value::as_array).into_iter().flatten();
    let details: Vec<&str> = errors.filter_map(|error| error.get("detail")?.as_str()).collect();
    let understood = !status.is_client_error() || status == StatusCode::CONFLICT;
    if !details.is_empty() {
        return Refusal::Answered { words: details.join(" "), understood, document };
    }
    let words = format!("The service answered {status}.");
    if understood { Refusal::Failed(words) } else { Refusal::NotAsked(words) }
}

/// The stream of a run's states.
pub(super) struct Events {
    answer: Response,
    text: Vec<u8>,
}

impl Events {
    /// The run at its next change, or nothing when the stream ends or the connection is lost.
    pub(super) async fn next(&mut self) -> Option<Value> {
        loop {
            while let Some(end) = self.text.windows(2).position(|pair| pair == b"\n\n") {
                let event: Vec<u8> = self.text.drain(..end + 2).collect();
                if let Some(run) = read(&event) {
                    return Some(run);
                }
            }
            let chunk = tokio::time::timeout(SILENCE, self.answer.chunk()).await.ok()?;
            self.text.extend_from_slice(&chunk.ok()??);
        }
    }
}

fn read(event: &[u8]) -> Option<Value> {
    let text = std::str::from_utf8(event).ok()?;
    let data = text.lines().find_map(|line| line.strip_prefix("data: "))?;
    serde_json::from_str(data).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_service_that_takes_a_question_and_never_answers_is_given_up() {
        let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = Url::parse(&format!("http://{}", silent.local_addr().expect("an address"))).expect("a URL");
        let service =
            Service { limit: Duration::from_millis(50), ..Service::at(Some(&url)).expect("settings") };
        let asked = async {
            tokio::join!(service.get("/a"), service.post("/b", &Value::Null), service.send_off("/c"))
        };
        let (a, b, c) =
            tokio::time::timeout(Duration::from_secs(30), asked).await.expect("an end within the limit");
        for answer in [a, b, c] {
            let refusal = answer.expect_err("nobody answered");
            assert!(
                matches!(&refusal, Refusal::NotAsked(why) if why.contains("does not answer at http")),
                "{refusal}"
            );
        }
    }
}

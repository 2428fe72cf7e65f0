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

/// What the longest run may take.
const RUN_LIMIT: Duration = Duration::from_hours(24 * 7);
/// What any other answer may take: the story of a work log takes longest, 50 s while neither side answers.
const ANSWER_LIMIT: Duration = Duration::from_mins(1);
/// A stream of events shows that it is alive every 15 s.
const SILENCE: Duration = Duration::from_mins(1);

/// Why the service did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// It could not be asked, or did not understand (exit code 2).
    #[error("{0}")]
    NotAsked(String),
    /// It was asked, and it did not succeed (exit code 1).
    #[error("{0}")]
    Failed(String),
    /// It answered with an error.
    #[error("{words}")]
    Answered {
        /// What it said, for people.
        words: String,
        /// The JSON:API document that it answered with.
        document: Value,
        /// Whether it understood what was asked (exit code 1), or did not (2).
        understood: bool,
    },
}

impl Refusal {
    /// Whether the service was asked and understood, so that the exit code is 1.
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
    /// What an answer may take, other than a stream of events.
    limit: Duration,
    /// The zone that the service works in, once it answered.
    zone: OnceLock<TimeZone>,
}

impl Service {
    /// At `url`, or else on this machine at `PORT`.
    pub(super) fn at(url: Option<&Url>) -> anyhow::Result<Self> {
        let base = match url {
            Some(url) if !url.username().is_empty() || url.password().is_some() => {
                anyhow::bail!("--url must not hold a name or password: they would end up in messages")
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

    /// Where it is, without trailing slash.
    pub(super) fn address(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// What curl needs besides the address.
    pub(super) fn curl_more(&self) -> &str {
        if self.has_token { " -H \"Authorization: Bearer $OPS_TOKEN\"" } else { "" }
    }

    /// The document at `path`.
    pub(super) async fn get(&self, path: &str) -> Result<Value, Refusal> {
        self.answer(self.http.get(format!("{}{path}", self.address()))).await
    }

    /// The document that answers a POST of `body`, without waiting for a run to end.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value, Refusal> {
        let request = self.http.post(format!("{}{path}", self.address()));
        self.answer(request.header("prefer", "respond-async").json(body)).await
    }

    /// The document that answers a POST without a body; null where the answer has none.
    pub(super) async fn send_off(&self, path: &str) -> Result<Value, Refusal> {
        let request = self.http.post(format!("{}{path}", self.address()));
        let answer = self.send(request.timeout(self.limit)).await?;
        if !answer.status().is_success() {
            return Err(refusal(answer).await);
        }
        let text = answer.bytes().await.map_err(|fault| self.unreachable(fault))?;
        Ok(serde_json::from_slice(&text).unwrap_or_default())
    }

    /// The events of the run with this number.
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
                "What answers at {address} is no kimai-sync, or one of another version."
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

    /// The zone in which people read its times: its own, as far as it told, else that of `TZ` here.
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

/// What somebody typed, as one segment of a path.
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

/// The sentences of a problem document.
async fn refusal(answer: Response) -> Refusal {
    let status = answer.status();
    if status == StatusCode::UNAUTHORIZED {
        let words = "The service wants its token. Set OPS_TOKEN, or OPS_TOKEN_FILE, to what it has itself; in a \
                     stack you can ask it from its container: docker compose exec kimai-sync kimai-sync …";
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

/// What becomes of a run.
pub(super) struct Events {
    answer: Response,
    text: Vec<u8>,
}

impl Events {
    /// The run at its next change; nothing when the stream ends or breaks off.
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

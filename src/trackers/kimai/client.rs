//! Kimai's REST API over HTTP.

mod inspect;
mod pages;

use crate::trackers::kimai::NAME;
use crate::trackers::kimai::fault;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::civil::DateTime;
use reqwest::header::{ACCEPT, HeaderMap, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use reqwest::{Method, RequestBuilder, Url};
use secrecy::SecretString;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;
use tokio::time::Instant;
use tracing::{Instrument, info_span};

use super::choices::{Choices, ChosenProject, ChosenUser};
use super::heard::{self, in_words, whole};
use super::model::{Activity, CurrentUser, Customer, NoBreak, Project, TimesheetForm, TimesheetRow, User};
use super::rows;
use super::{CAPABILITIES, Collection, Listings, Rows};
use crate::contact::Record;
use crate::domain::timesheet::DesiredEntry;
use crate::domain::{Code, EntryId, Watermark};
use crate::failpoint::crash;
use crate::settings::{Description, KimaiSettings, ListLimits};
use crate::telemetry::metrics::Side;
use crate::telemetry::metrics::{self, Metrics};
use crate::trackers::adaptive_concurrency::{AdaptiveLimiter, How, Permit};
use crate::trackers::error::{Fault, Operation, TrackerFault};
use crate::trackers::{Capabilities, EntryFilter, Lenient, Listed, TimeEntry, Tracker};
use crate::unreadable::Unreadable;
use pages::PAGE_SIZE;

/// Rows looked at for the newest id: more than one, since the id of a row may be unreadable.
const NEWEST: &str = "5";
/// The longest rest of a pause that a call waits for: well within the lease of its run.
const KEPT_PAUSE: Duration = Duration::from_secs(5);

/// A client of one Kimai with one token.
///
/// # Guarantees
/// One pool of connections; a time limit on every call; no redirect is followed, so the token goes to
/// no other host; the token is in one header marked sensitive and in no message.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    endpoint: Url,
    /// To keep it out of what Kimai says.
    token: SecretString,
    /// Whether lists of the catalogue show what is hidden too.
    hidden: bool,
    /// How long a list of timesheets may be.
    limits: ListLimits,
    /// Whether descriptions are ours to write.
    describes: bool,
    /// Nothing is sent before then: Kimai or a proxy asked for a pause.
    paused_until: Mutex<Option<Instant>>,
    limiter: Arc<AdaptiveLimiter>,
    metrics: Metrics,
    pub(super) unreadable: Unreadable,
    contact: Record,
}

/// Why no client could be made from the settings.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client for Kimai cannot be made: {0}")]
pub struct ClientFault(String);

struct Answer {
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Client {
    /// A client as the settings say, whose requests count in `metrics`.
    pub fn new(settings: &KimaiSettings, metrics: Metrics) -> Result<Self, ClientFault> {
        let mut headers = crate::http_client::bearer(Some(&settings.token))
            .map_err(|_| ClientFault("API_TOKEN cannot stand in a header".into()))?;
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let http = crate::http_client::client_builder(settings.time_limit)
            .default_headers(headers)
            .build()
            .map_err(|fault| ClientFault(fault.to_string()))?;
        let (endpoint, hidden) = (settings.endpoint.clone(), settings.import_hidden);
        let describes = settings.description == Description::Note;
        let token = settings.token.clone();
        let limiter = Arc::new(AdaptiveLimiter::new(settings.concurrency.clone()));
        let limits = settings.list;
        Ok(Self {
            http,
            endpoint,
            token,
            hidden,
            limits,
            describes,
            paused_until: Mutex::default(),
            limiter,
            metrics,
            unreadable: Unreadable::default(),
            contact: Record::default(),
        })
    }

    /// What `row` says, without what is not ours.
    fn seen(&self, row: TimesheetRow) -> TimeEntry {
        let mut timesheet = TimeEntry::from(row);
        if !self.describes {
            timesheet.note = None;
        }
        timesheet
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let mut url = self.endpoint.clone();
        url.set_path(&format!("{}/{path}", self.endpoint.path().trim_end_matches('/')));
        self.http.request(method, url)
    }

    async fn send(&self, operation: Operation, request: RequestBuilder) -> Result<Answer, TrackerFault> {
        let _permit = self.permit(operation).await?;
        self.keep_pause(operation).await?;
        let (since, mut status) = (Instant::now(), None);
        let waiting = self.contact.wait(Code::KimaiUnavailable);
        let label = metrics::Operation::from(operation);
        let span = info_span!("kimai", operation = label.word());
        let answer = self.exchange(operation, request, &mut status).instrument(span).await;
        let took = since.elapsed();
        self.metrics.kimai_answered(label, status, took);
        self.limiter.ended(operation, How::of(&answer), took);
        heard::note(&self.contact, status, answer.as_ref().map(|answer| answer.body.as_slice()));
        waiting.over();
        answer
    }

    /// Waits for a permit to send a request; a creation not for ever. A list needs
    /// none.
    async fn permit(&self, operation: Operation) -> Result<Option<Permit<'_>>, TrackerFault> {
        if operation == Operation::Read {
            return Ok(None);
        }
        let permit =
            self.limiter.permit(operation).await.ok_or_else(|| TrackerFault::crowded_out(NAME, operation))?;
        Ok(Some(permit))
    }

    /// Sends, and reads the answer. `seen` is its status, once one is there and its body too.
    async fn exchange(
        &self,
        operation: Operation,
        request: RequestBuilder,
        seen: &mut Option<u16>,
    ) -> Result<Answer, TrackerFault> {
        let cut =
            |fault: reqwest::Error| TrackerFault::cut(NAME, operation, !fault.is_connect(), &in_words(fault));
        let mut response = request.send().await.map_err(cut)?;
        if operation == Operation::Create {
            crash::point("post sent");
        }
        let status = response.status();
        let headers = std::mem::take(response.headers_mut());
        let body = whole(operation, response).await?;
        *seen = Some(status.as_u16());
        if status.is_success() {
            return Ok(Answer { headers, body });
        }
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let told = (text(RETRY_AFTER), text(WWW_AUTHENTICATE));
        let fault = fault::answered(operation, status.as_u16(), told, &body);
        if let Fault::Limited(pause) = fault.fault {
            self.pause(pause);
        }
        Err(fault.presentable(&self.token))
    }

    fn read<T: DeserializeOwned>(&self, operation: Operation, answer: &Answer) -> Result<T, TrackerFault> {
        crate::json::from_slice(&answer.body).map_err(|fault| self.not_read(operation, &fault))
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, TrackerFault> {
        self.read(Operation::Read, &self.send(Operation::Read, self.request(Method::GET, path)).await?)
    }

    /// A list of the catalogue. Projects that have ended need a word of their own.
    async fn catalogue<T: DeserializeOwned>(
        &self,
        list: Collection,
        rows: Rows,
    ) -> Result<Lenient<T>, TrackerFault> {
        let request = self.request(Method::GET, list.path());
        let request = match (self.hidden || rows == Rows::All, list) {
            (false, _) => request,
            (true, Collection::Projects) => request.query(&[("visible", "3"), ("ignoreDates", "1")]),
            (true, _) => request.query(&[("visible", "3")]),
        };
        self.rows(&self.send(Operation::Read, request).await?)
    }

    /// The rows of a list, those that cannot be read apart. A text that cannot be read as it is, is read with
    /// U+FFFD in it.
    fn rows<T: DeserializeOwned>(&self, answer: &Answer) -> Result<Lenient<T>, TrackerFault> {
        let read = Lenient::read(&answer.body).or_else(|fault| {
            let repaired = crate::json::repaired(&answer.body).ok_or(fault)?;
            let list = Lenient::read(repaired.as_bytes())?;
            self.note_replaced(&repaired);
            Ok(list)
        });
        read.map_err(|fault: serde_json::Error| self.not_read(Operation::Read, &fault))
    }

    /// Names the rows of a list in which something was replaced.
    fn note_replaced(&self, repaired: &str) {
        let rows: Vec<Value> = serde_json::from_str(repaired).unwrap_or_default();
        for row in rows.iter().filter(|row| row.to_string().contains(crate::json::REPLACEMENT)) {
            let text = |name: &str| row.get(name).map_or_else(|| "none".to_owned(), ToString::to_string);
            let name = if row.get("name").is_some() { text("name") } else { text("username") };
            let what = format!(
                "A text in Kimai cannot be read and was replaced in part: id {}, name {name}",
                text("id")
            );
            let what =
                TrackerFault::new(NAME, Operation::Read, Fault::Transient, what).presentable(&self.token);
            self.metrics.unreadable(Side::Kimai, 1);
            self.unreadable.note(what.message);
        }
    }

    fn not_read(&self, operation: Operation, fault: &serde_json::Error) -> TrackerFault {
        fault::unreadable(operation, &fault.to_string()).presentable(&self.token)
    }

    /// One thing, or none where Kimai answers 404.
    async fn look<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, TrackerFault> {
        match self.send(Operation::Look, self.request(Method::GET, path)).await {
            Ok(answer) => self.read(Operation::Look, &answer).map(Some),
            Err(fault) if fault.fault == Fault::Gone => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    fn pause(&self, pause: Duration) {
        let until = Instant::now() + pause;
        let mut paused = self.paused_until.lock().unwrap_or_else(PoisonError::into_inner);
        *paused = Some(paused.map_or(until, |earlier| earlier.max(until)));
        self.metrics.limited(until);
    }

    /// Waits for the end of a pause that Kimai asked for, if that is near; else nothing may be sent, and
    /// whoever asks comes again. A creation never waits: how old its intent is tells what may still come of it.
    async fn keep_pause(&self, operation: Operation) -> Result<(), TrackerFault> {
        let until = *self.paused_until.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(until) = until else { return Ok(()) };
        let rest = until.saturating_duration_since(Instant::now());
        let longest = if operation == Operation::Create { Duration::ZERO } else { KEPT_PAUSE };
        if rest > longest {
            let why = format!("it asked for a pause, which lasts {} s more", rest.as_secs());
            return Err(TrackerFault::new(NAME, operation, Fault::Limited(rest), why));
        }
        tokio::time::sleep_until(until).await;
        Ok(())
    }
}

#[async_trait]
impl Tracker for Client {
    fn limiter(&self) -> Arc<AdaptiveLimiter> {
        Arc::clone(&self.limiter)
    }

    fn unreadable(&self) -> Unreadable {
        self.unreadable.clone()
    }

    fn contact(&self) -> Record {
        self.contact.clone()
    }

    fn capabilities(&self) -> Capabilities {
        CAPABILITIES
    }

    async fn me(&self) -> Result<CurrentUser, TrackerFault> {
        self.get("users/me").await
    }

    async fn timesheet(&self, id: EntryId) -> Result<Option<TimeEntry>, TrackerFault> {
        let found: Option<TimesheetRow> = self.look(&format!("timesheets/{id}")).await?;
        Ok(found.map(|row| self.seen(row)))
    }

    async fn timesheets(&self, filter: &EntryFilter) -> Result<Listed, TrackerFault> {
        self.list(filter).await
    }

    async fn some_timesheets(
        &self,
        filter: &EntryFilter,
        most: usize,
    ) -> Result<Vec<TimeEntry>, TrackerFault> {
        Ok(self.page(filter, 1, most.clamp(1, PAGE_SIZE)).await?.rows.rows)
    }

    async fn newest(&self) -> Result<Option<Watermark>, TrackerFault> {
        let query = [("user", "all"), ("page", "1"), ("size", NEWEST), ("orderBy", "id"), ("order", "DESC")];
        let answer =
            self.send(Operation::Read, self.request(Method::GET, "timesheets").query(&query)).await?;
        // Only the ids count: a row that is odd otherwise must not keep everybody's hours out of Kimai.
        let ids = rows::ids(&answer.body).map_err(|fault| self.not_read(Operation::Read, &fault))?;
        Ok(ids.into_iter().filter_map(|id| CAPABILITIES.order.position(id)).max())
    }

    async fn choices(&self, wanted: &DesiredEntry) -> Result<Choices, TrackerFault> {
        let project: Option<ChosenProject> = self.look(&format!("projects/{}", wanted.project)).await?;
        let customer = match project.as_ref().and_then(|project| project.customer) {
            Some(customer) => self.look(&format!("customers/{customer}")).await?,
            None => None,
        };
        let activity = self.look(&format!("activities/{}", wanted.activity)).await?;
        let user = match self.look(&format!("users/{}", wanted.user)).await {
            // Only a super administrator may look at users: one that cannot be seen is no reason.
            Err(fault) if fault.fault == Fault::Permanent => Some(ChosenUser::unseen(wanted.user)),
            seen => seen?,
        };
        Ok(Choices { project, customer, activity, user })
    }

    async fn create(
        &self,
        wanted: &DesiredEntry,
        description: Option<&str>,
    ) -> Result<TimeEntry, TrackerFault> {
        let form = TimesheetForm::of(wanted, description);
        let request = self.request(Method::POST, "timesheets").json(&form);
        self.read(Operation::Create, &self.send(Operation::Create, request).await?).map(|row| self.seen(row))
    }

    async fn update(
        &self,
        id: EntryId,
        wanted: &DesiredEntry,
        description: Option<&str>,
    ) -> Result<TimeEntry, TrackerFault> {
        let form = TimesheetForm::of(wanted, description);
        let request = self.request(Method::PATCH, &format!("timesheets/{id}")).json(&form);
        self.read(Operation::Update, &self.send(Operation::Update, request).await?).map(|row| self.seen(row))
    }

    async fn end_break(&self, id: EntryId) -> Result<TimeEntry, TrackerFault> {
        let request = self.request(Method::PATCH, &format!("timesheets/{id}")).json(&NoBreak::FORM);
        self.read(Operation::Update, &self.send(Operation::Update, request).await?).map(|row| self.seen(row))
    }

    async fn delete(&self, id: EntryId) -> Result<(), TrackerFault> {
        let request = self.request(Method::DELETE, &format!("timesheets/{id}"));
        let answer = self.send(Operation::Delete, request).await?;
        if answer.body.is_empty() {
            return Ok(());
        }
        // Kimai has nothing to say here: this was a proxy's page.
        Err(fault::unreadable(Operation::Delete, "it has a body, Kimai's has none"))
    }
}

#[async_trait]
impl Listings for Client {
    async fn customers(&self, rows: Rows) -> Result<Lenient<Customer>, TrackerFault> {
        self.catalogue(Collection::Customers, rows).await
    }

    async fn projects(&self, rows: Rows) -> Result<Lenient<Project>, TrackerFault> {
        self.catalogue(Collection::Projects, rows).await
    }

    async fn activities(&self, rows: Rows) -> Result<Lenient<Activity>, TrackerFault> {
        self.catalogue(Collection::Activities, rows).await
    }

    async fn users(&self, rows: Rows) -> Result<Lenient<User>, TrackerFault> {
        self.catalogue(Collection::Users, rows).await
    }

    async fn exists(&self, list: Collection, id: u64) -> Result<bool, TrackerFault> {
        let found: Option<IgnoredAny> = self.look(&format!("{}/{id}", list.path())).await?;
        Ok(found.is_some())
    }
}

/// The only form in which Kimai takes a bound: no zone, no fraction.
fn wall_clock(bound: DateTime) -> String {
    bound.strftime("%Y-%m-%dT%H:%M:%S").to_string()
}

#[cfg(test)]
mod tests;

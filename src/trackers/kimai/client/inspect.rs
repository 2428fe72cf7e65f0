//! Requests about Kimai itself: version, user, settings.

use crate::trackers::kimai::NAME;
use crate::trackers::kimai::fault;
use async_trait::async_trait;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::{Client, in_words, whole};
use crate::domain::Code;
use crate::domain::ids::UserId;
use crate::trackers::TimeEntry;
use crate::trackers::error::{Operation, TrackerFault};
use crate::trackers::kimai::diagnostics::{Diagnostics, Person, Right, Rights, TimesheetRules, Version};

/// Timesheets looked through for one that is somebody else's.
const LOOKED_THROUGH: &str = "100";
/// No time in any format that Kimai reads.
const NO_TIME: &str = "kimai-sync doctor: never a time";

/// Whether changing it takes no more than the right to change others': what is exported, or in a locked period, takes
/// more. Which periods are locked Kimai does not tell; it locks months that are over.
fn is_open(timesheet: &TimeEntry, now: Timestamp) -> bool {
    let month = |instant: Timestamp| TimeZone::UTC.to_datetime(instant).date().first_of_month();
    !timesheet.exported && month(timesheet.begin) >= month(now)
}

#[async_trait]
impl Diagnostics for Client {
    async fn version(&self) -> Result<Version, TrackerFault> {
        self.get("version").await
    }

    async fn rules(&self) -> Result<TimesheetRules, TrackerFault> {
        self.get("config/timesheet").await
    }

    async fn people(&self) -> Result<Vec<Person>, TrackerFault> {
        // A row that cannot be read says nothing of the zones of the others.
        Ok(self.rows(&self.send(Operation::Read, self.request(Method::GET, "users")).await?)?.rows)
    }

    async fn rights(&self, me: UserId, tried: Option<Timestamp>) -> Result<Rights, TrackerFault> {
        let users = self.get::<Vec<Value>>("users").await;
        let view_user = match users {
            Ok(_) => Right::Given,
            Err(fault) if fault.code == Code::KimaiForbidden => Right::Missing,
            Err(fault) => return Err(fault),
        };
        let create_other = if tried.is_some() { self.create_other().await? } else { Right::NotTried };
        let others = self.somebody_elses(me).await?;
        let (view_other, edit_other) = match (others.is_empty(), tried) {
            (true, _) => {
                let why = "Kimai shows no timesheet of anybody else, which may be for want of one";
                (Right::Untold(why.to_owned()), Right::Untold(why.to_owned()))
            }
            (false, None) => (Right::Given, Right::NotTried),
            (false, Some(now)) => {
                let edit_other = if let Some(open) = others.iter().find(|other| is_open(other, now)) {
                    self.edit_other(open).await?
                } else {
                    let why = "the newest timesheets of others are exported or of earlier months, which may be locked";
                    Right::Untold(why.to_owned())
                };
                (Right::Given, edit_other)
            }
        };
        Ok(Rights { view_user, view_other, create_other, edit_other })
    }
}

impl Client {
    /// A new timesheet without project is refused, with a list of the fields it might have: `user` is one of
    /// them where hours may be entered for others.
    async fn create_other(&self) -> Result<Right, TrackerFault> {
        let form = json!({"begin": NO_TIME, "end": NO_TIME, "project": null, "activity": null});
        let (status, body) = self.probe(self.request(Method::POST, "timesheets").json(&form)).await?;
        match (status, body.pointer("/errors/children").and_then(Value::as_object)) {
            (400, Some(fields)) if fields.contains_key("user") => Ok(Right::Given),
            (400, Some(_)) | (403, _) => Ok(Right::Missing),
            (200..300, _) => {
                let made = body.pointer("/id").and_then(Value::as_u64);
                Ok(Right::Taken(made.map_or_else(
                    || "a timesheet without project may have been made".to_owned(),
                    |id| format!("timesheet {id} was made"),
                )))
            }
            _ => Err(self.other(status, &body)),
        }
    }

    /// A change to a time that is none is refused for that, or before that for want of the right.
    async fn edit_other(&self, other: &TimeEntry) -> Result<Right, TrackerFault> {
        let path = format!("timesheets/{}", other.id);
        let request = self.request(Method::PATCH, &path).json(&json!({"begin": NO_TIME}));
        match self.probe(request).await? {
            (400, _) => Ok(Right::Given),
            (403, _) => Ok(Right::Missing),
            (404, _) => Ok(Right::Untold(format!("timesheet {} was deleted a moment ago", other.id))),
            (200..300, _) => {
                Ok(Right::Taken(format!("the begin of timesheet {} may have been changed", other.id)))
            }
            (status, body) => Err(self.other(status, &body)),
        }
    }

    /// The newest timesheets that are not ours, those that begin last first; without the right to see others' Kimai
    /// shows our own only.
    async fn somebody_elses(&self, me: UserId) -> Result<Vec<TimeEntry>, TrackerFault> {
        let query = [("user", "all"), ("size", LOOKED_THROUGH), ("orderBy", "id"), ("order", "DESC")];
        let request = self.request(Method::GET, "timesheets").query(&query);
        let listed = self.rows(&self.send(Operation::Read, request).await?)?.map(|row| self.seen(row)).rows;
        let others = listed.into_iter().filter(|timesheet| timesheet.user.is_some_and(|user| user != me));
        let mut others: Vec<TimeEntry> = others.collect();
        others.sort_by_key(|timesheet| std::cmp::Reverse(timesheet.begin));
        Ok(others)
    }

    /// Status and body of what is sent to be refused.
    async fn probe(&self, request: RequestBuilder) -> Result<(u16, Value), TrackerFault> {
        self.keep_pause(Operation::Look).await?;
        let cut = |fault: reqwest::Error| TrackerFault::cut(NAME, Operation::Look, true, &in_words(fault));
        let answer = request.send().await.map_err(cut)?;
        let status = answer.status().as_u16();
        let body = whole(Operation::Look, answer).await?;
        Ok((status, serde_json::from_slice(&body).unwrap_or_default()))
    }

    /// The fault of an answer that says nothing of rights.
    fn other(&self, status: u16, body: &Value) -> TrackerFault {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        fault::of_answer(Operation::Look, status, None, &body).presentable(&self.token)
    }
}

//! The checks that change from moment to moment: derived from the current status instead of the last report.

use super::check::{Check, Health};
use super::kimai::{KIMAI, TOKEN, WHERE_KIMAI_IS, of_version};
use super::service::{of_file, of_queue};
use super::store::{TRIPLESTORE, of_silence};
use super::{Doctor, Report};
use crate::domain::status::{Link, Neighbour, Outage, Status};
use crate::explain::for_code;
use crate::settings::Relations;
use crate::text::sentence;

impl Doctor {
    /// The latest report of a running service; none before the first round has ended. Connections (from `status`) and
    /// the checks of the service itself are current. The rest is from the last round.
    pub async fn report(&self, status: &Status) -> Option<Report> {
        let mut report = self.latest()?;
        if self.serving.get().is_some() {
            for check in &mut report.checks {
                if let Some(now) = self.now(check, status).await {
                    *check = now;
                }
            }
        }
        Some(report)
    }

    /// The current result of `check`; none if that of the last round counts.
    async fn now(&self, check: &Check, status: &Status) -> Option<Check> {
        Some(match check.id.as_str() {
            "triplestore" => self.of_triplestore(&status.triplestore)?,
            "kimai" => self.of_kimai(&status.kimai)?,
            "token" => of_token(&status.kimai, check)?,
            "queue-file" => of_file(status.storage.as_deref(), &self.target.storage),
            "queue" => of_queue(status.load, status.at),
            "values" => self.values(),
            "held-back" => self.held_back().await,
            "schedule" => self.schedule(),
            "deltas" => self.deltas().await,
            _ => return None,
        })
    }

    fn of_triplestore(&self, triplestore: &Neighbour) -> Option<Check> {
        match &triplestore.link {
            Link::Unknown => None,
            Link::Answers | Link::Paused { .. } => Some(TRIPLESTORE.well("It answers.")),
            Link::Down(outage) => Some(of_silence(&outage.why, self.target.probe.is_of_a_stack())),
        }
    }

    fn of_kimai(&self, kimai: &Neighbour) -> Option<Check> {
        match &kimai.link {
            Link::Unknown => None,
            Link::Answers => Some(match self.version() {
                None => KIMAI.well("It answers."),
                Some(version) => of_version(Ok(version)),
            }),
            Link::Paused { why, .. } => {
                Some(KIMAI.warning(
                    sentence(why),
                    "Nothing, if this is temporary. Otherwise lower KIMAI_CONCURRENCY.",
                ))
            }
            Link::Down(outage) => {
                Some(KIMAI.trouble(sentence(&outage.why), help(kimai, outage).unwrap_or(WHERE_KIMAI_IS)))
            }
        }
    }
}

/// Whether the token is accepted; none if the `last` report counts.
fn of_token(kimai: &Neighbour, last: &Check) -> Option<Check> {
    match &kimai.link {
        Link::Down(outage) => Some(TOKEN.trouble(sentence(&outage.why), help(kimai, outage)?)),
        Link::Answers if last.verdict == Health::Trouble => {
            Some(TOKEN.unknown(
                "Kimai accepts the token again; its user has not been checked since.",
                "Check again.",
            ))
        }
        _ => None,
    }
}

/// The fix if Kimai, or a proxy in front of it, refuses access.
fn help(kimai: &Neighbour, outage: &Outage) -> Option<&'static str> {
    kimai.refuses().then(|| for_code(outage.code, Relations::Follow)).flatten()
}

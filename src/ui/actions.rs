//! The actions of forms. Each is answered with 303 to the page that shows the result.
//!
//! The forms need no CSRF token: requests from other sites are refused earlier.

use std::collections::BTreeMap;

use actix_web::web::{self, Bytes};
use jiff::civil::Date;

use super::fault::Fault;
use super::{Answer, forms, labels, run, see};
use crate::domain::WorkLogUri;
use crate::http::State;
use crate::http::endpoint::Endpoint;
use crate::jobs::import::What;
use crate::jobs::lock::Month;
use crate::jobs::{Asked, AskedBy, Order, Task};
use crate::queue::Reason;
use crate::reconcile::sweep::Period;

/// The forms, under `/do`.
pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::form("/do/retry", "Retries one work log", &["id", "back"], retry),
        Endpoint::form("/do/retry-parked", "Retries all parked work logs", &["back"], retry_parked),
        Endpoint::form(
            "/do/overwrite",
            "Overwrites the exported timesheet of one work log",
            &["id", "back"],
            overwrite,
        ),
        Endpoint::form(
            "/do/overwrite-exported",
            "Overwrites the exported timesheets of all work logs parked for that reason",
            &["sure", "back"],
            overwrite_exported,
        ),
        Endpoint::form("/do/plan", "Shows what a sweep would do", &["preset", "start", "end"], plan),
        Endpoint::form("/do/sweep", "Sweeps a period", &["start", "end", "confirm"], sweep),
        Endpoint::form("/do/cancel", "Cancels a run", &["run"], cancel),
        Endpoint::form("/do/import", "Imports one of Kimai's lists", &["what"], import),
        Endpoint::form(
            "/do/lock",
            "Sets a month's submitted timesheets to exported",
            &["month", "sure"],
            lock,
        ),
        Endpoint::form("/do/check", "Runs all checks, within 40 seconds", &["back"], check),
    ]
}

/// The fields of a form.
struct Fields(BTreeMap<String, String>);

impl Fields {
    fn read(body: &Bytes) -> Result<Self, Fault> {
        let pairs: Vec<(String, String)> = serde_urlencoded::from_bytes(body)
            .map_err(|_| Fault::bad("The form is invalid; go back and send it again"))?;
        Ok(Self(pairs.into_iter().collect()))
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|text| text.trim()).filter(|text| !text.is_empty())
    }

    fn work_log(&self) -> Result<WorkLogUri, Fault> {
        let id = self.get("id").ok_or_else(|| Fault::bad("The work log is missing"))?;
        WorkLogUri::parse(id).map_err(|fault| Fault::bad(fault.to_string()))
    }

    fn day(&self, name: &str, which: &str) -> Result<Date, Fault> {
        let text = self.get(name).ok_or_else(|| Fault::bad(format!("The {which} day is missing")))?;
        let short: String = text.chars().take(40).collect();
        let faulty = || Fault::bad(format!("“{short}” is not a day like 2024-09-02"));
        text.parse().map_err(|_| faulty())
    }

    fn period(&self) -> Result<Period, Fault> {
        let (first, last) = (self.day("start", "first")?, self.day("end", "last")?);
        if first > last {
            return Err(Fault::bad(format!("The period ends on {last}, before it begins on {first}")));
        }
        Ok(Period { first, last })
    }

    /// The page of the form, with the message to show there.
    fn back(&self, said: &str) -> String {
        let back = self.get("back").filter(|path| is_ours(path)).unwrap_or("/");
        let (path, query) = back.split_once('?').unwrap_or((back, ""));
        let mut pairs: Vec<(String, String)> = serde_urlencoded::from_str(query).unwrap_or_default();
        pairs.retain(|(name, _)| name != "said");
        pairs.push(("said".to_owned(), said.to_owned()));
        format!("{path}?{}#said", serde_urlencoded::to_string(pairs).unwrap_or_default())
    }
}

/// Whether a path leads to this service: browsers treat `//x` and `/\x` as another host.
pub(super) fn is_ours(path: &str) -> bool {
    let plain = path.bytes().all(|byte| matches!(byte, b'!'..=b'~') && byte != b'\\' && byte != b'#');
    plain && path.starts_with('/') && !path.starts_with("//")
}

/// `POST /do/retry`: retries one work log.
async fn retry(body: Bytes, state: web::Data<State>) -> Answer {
    let fields = Fields::read(&body)?;
    let work_log = fields.work_log()?;
    state
        .services
        .requests
        .try_again(work_log)
        .await
        .map_err(|failure| Fault::unavailable(failure.to_string()))?;
    Ok(see(&fields.back("retried")))
}

/// `POST /do/retry-parked`: retries all parked work logs.
async fn retry_parked(body: Bytes, state: web::Data<State>) -> Answer {
    let fields = Fields::read(&body)?;
    state.services.queue.wake_parked(Reason::Request).await?;
    Ok(see(&fields.back("retried-all")))
}

/// `POST /do/overwrite`: overwrites the exported timesheet of one work log.
async fn overwrite(body: Bytes, state: web::Data<State>) -> Answer {
    let fields = Fields::read(&body)?;
    let work_log = fields.work_log()?;
    let asked = state.services.requests.overwrite(&work_log).await;
    asked.map_err(|failure| Fault::unavailable(failure.to_string()))?;
    Ok(see(&fields.back("overwritten")))
}

/// `POST /do/overwrite-exported`: the same for all work logs parked for that reason.
async fn overwrite_exported(body: Bytes, state: web::Data<State>) -> Answer {
    let fields = Fields::read(&body)?;
    if fields.get("sure") != Some("yes") {
        return Err(Fault::bad(
            "This would change timesheets that are on an invoice; go back, and confirm that none of them is",
        ));
    }
    let asked = state.services.requests.overwrite_exported().await;
    asked.map_err(|failure| Fault::unavailable(failure.to_string()))?;
    Ok(see(&fields.back("overwritten-all")))
}

/// `POST /do/plan`: shows what a sweep of a period would do.
async fn plan(body: Bytes, state: web::Data<State>) -> Answer {
    let fields = Fields::read(&body)?;
    let today = state.services.clock.today();
    let period = match fields.get("preset") {
        Some("this-month") => forms::month(today),
        Some("last-month") => forms::month_before(today),
        Some(_) => return Err(Fault::bad("This period does not exist")),
        None => fields.period()?,
    };
    ask(&state, Task::Plan(period)).await
}

/// `POST /do/sweep`: sweeps a period; with `confirm` also deletes what was held back.
async fn sweep(body: Bytes, state: web::Data<State>) -> Answer {
    let fields = Fields::read(&body)?;
    let period = fields.period()?;
    match fields.get("confirm") {
        None => ask(&state, Task::Sweep(period)).await,
        Some(key) => Ok(follow(&state.runs.ask_confirmed(period, key).await?)),
    }
}

/// `POST /do/cancel`: cancels a run.
async fn cancel(body: Bytes, state: web::Data<State>) -> Answer {
    let id = run::number(Fields::read(&body)?.get("run").unwrap_or_default())?;
    state.runs.cancel(id).await?;
    Ok(see(&format!("/run/{id}?said=cancelled#said")))
}

/// `POST /do/import`: imports one of Kimai's lists.
async fn import(body: Bytes, state: web::Data<State>) -> Answer {
    let fields = Fields::read(&body)?;
    let what = What::ALL.into_iter().find(|one| fields.get("what") == Some(one.to_string().as_str()));
    ask(&state, Task::Import(what.ok_or_else(|| Fault::bad("This import does not exist"))?)).await
}

/// `POST /do/lock`: sets a month's submitted timesheets to exported.
async fn lock(body: Bytes, state: web::Data<State>) -> Answer {
    let fields = Fields::read(&body)?;
    let text = fields.get("month").unwrap_or_default();
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let month = text.split_once('-').filter(|(year, month)| digits(year) && digits(month));
    let month = month.and_then(|(year, month)| Month::parse(month, year).ok());
    let shown: String = text.chars().take(40).collect();
    let faulty = || Fault::bad(format!("“{shown}” is not a month like 2024-09"));
    let month = month.ok_or_else(faulty)?;
    // This cannot be undone here, so it requires a confirmation.
    if fields.get("sure") != Some("yes") {
        return Err(Fault::bad(format!(
            "Locking {month} cannot be undone here; go back, and confirm that the month is complete"
        )));
    }
    ask(&state, Task::Lock(month)).await
}

/// `POST /do/check`: runs all checks, which may take 40 seconds.
async fn check(body: Bytes, state: web::Data<State>) -> Answer {
    let fields = Fields::read(&body)?;
    state.services.doctor.examine().await;
    Ok(see(&fields.back("checked")))
}

async fn ask(state: &State, task: Task) -> Answer {
    Ok(follow(&state.runs.ask(Order::new(task, AskedBy::Request)).await?))
}

fn follow(asked: &Asked) -> actix_web::HttpResponse {
    let said = if asked.joined { "joined" } else { "asked" };
    see(&format!("/run/{}?{}#said", asked.run.id, labels::query(&[("said", said)])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_leads_back_to_this_service_only() {
        let back = |path: &str| Fields([("back".to_owned(), path.to_owned())].into()).back("retried");
        assert_eq!(back("/"), "/?said=retried#said");
        assert_eq!(back("/entries?state=parked&said=x"), "/entries?state=parked&said=retried#said");
        let foreign =
            ["https://evil.example/", "//evil.example", "/\\evil.example", "/\r\nx: y", "", "evil", "/a#b"];
        for path in foreign {
            assert_eq!(back(path), "/?said=retried#said", "{path:?}");
        }
    }
}

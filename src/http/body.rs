//! The small bodies of the sync and lock routes: JSON with any content type, or a form.

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::Bytes;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde_json::{Map, Number, Value};

use super::problem::Problem;
use crate::reconcile::sweep::Period;

/// The largest body of these routes, in bytes.
pub(super) const MOST_BYTES: usize = 1024 * 1024;

/// A body, or why it could not be read.
pub(super) type Body = Result<Bytes, actix_web::Error>;

/// The members of a body, by name.
pub(super) struct Members(Map<String, Value>);

impl Members {
    /// Reads a body. The old service accepted `application/vnd.api+json` and urlencoded forms. Plain `application/json`
    /// and a missing content type are treated as JSON too, and so is a form that looks like JSON: `curl -d` sends
    /// everything as a form.
    pub(super) fn read(request: &HttpRequest, body: Body) -> Result<Self, Problem> {
        if let Some(problem) = super::coding::refused(request.headers()) {
            return Err(problem);
        }
        let body = body.map_err(|fault| match fault.as_response_error().status_code() {
            StatusCode::PAYLOAD_TOO_LARGE => Problem::too_large(MOST_BYTES),
            _ => Problem::bad_request(format!("The body could not be read: {fault}.")),
        })?;
        let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let form = content_type.is_some_and(|text| text.starts_with("application/x-www-form-urlencoded"));
        if form && !body.trim_ascii_start().starts_with(b"{") {
            let pairs: Vec<(String, String)> = serde_urlencoded::from_bytes(&body)
                .map_err(|fault| Problem::bad_request(format!("The form is invalid: {fault}.")))?;
            return Ok(Self(pairs.into_iter().map(|(name, text)| (name, text.into())).collect()));
        }
        match serde_json::from_slice(&body) {
            Ok(Value::Object(members)) => Ok(Self(members)),
            Ok(_) => Err(Problem::bad_request("The body must be a JSON object.")),
            Err(fault) => Err(Problem::bad_request(format!("The body is not JSON: {fault}."))),
        }
    }

    /// A member as text; numbers are converted.
    pub(super) fn text(&self, name: &str, example: &str) -> Result<String, Problem> {
        match self.0.get(name) {
            Some(Value::String(text)) => Ok(text.clone()),
            Some(Value::Number(number)) => Ok(number_as_text(number)),
            Some(_) => {
                Err(Problem::bad_request(format!("'{name}' must be a string or a number, like {example}."))
                    .at(name))
            }
            None => Err(Problem::bad_request(format!("'{name}' is missing; set it to {example}.")).at(name)),
        }
    }

    /// A member as text, if it is present and not null.
    pub(super) fn optional(&self, name: &str, example: &str) -> Result<Option<String>, Problem> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(_) => self.text(name, example).map(Some),
        }
    }

    /// The members `start` and `end`: days, or date-times, of which the day in `zone` is used.
    pub(super) fn period(&self, zone: &TimeZone) -> Result<Period, Problem> {
        let day = |name: &str| {
            let text = self.text(name, "a day like 2024-09-02")?;
            day_of(text.trim(), zone).ok_or_else(|| {
                Problem::bad_request(format!("'{name}' is '{text}'; expected a day like 2024-09-02."))
                    .at(name)
            })
        };
        let (first, last) = (day("start")?, day("end")?);
        if first > last {
            return Err(Problem::bad_request(format!(
                "The period ends ({last}) before it starts ({first})."
            ))
            .at("end"));
        }
        Ok(Period { first, last })
    }
}

/// A number as usually written: in JSON Schema `9.0` is the integer 9.
fn number_as_text(number: &Number) -> String {
    match number.as_f64().filter(|value| number.is_f64() && value.fract() == 0.0) {
        Some(whole) => format!("{whole:.0}"),
        None => number.to_string(),
    }
}

/// The day of `2024-09-02`, of an instant (its day in `zone`) or of a local date-time.
fn day_of(text: &str, zone: &TimeZone) -> Option<Date> {
    let instant = || text.parse::<Timestamp>().ok().map(|instant| instant.to_zoned(zone.clone()).date());
    let zoned = || text.parse::<Zoned>().ok().map(|zoned| zoned.with_time_zone(zone.clone()).date());
    let local = || text.parse::<DateTime>().ok().map(DateTime::date);
    instant().or_else(zoned).or_else(local)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_date_times_are_read_in_our_zone() {
        let brussels = TimeZone::get("Europe/Brussels").unwrap();
        let table = [
            ("2024-09-02", Some("2024-09-02")),
            ("2024-09-02T10:00:00", Some("2024-09-02")),
            ("2024-09-01T22:00:00.000Z", Some("2024-09-02")),
            ("2024-09-01T23:00:00+02:00", Some("2024-09-01")),
            ("2024-13-01", None),
            ("undefined", None),
            ("", None),
        ];
        for (text, day) in table {
            assert_eq!(day_of(text, &brussels), day.map(|day| day.parse().unwrap()), "{text:?}");
        }
    }
    #[test]
    fn a_number_is_as_whole_as_it_is_for_json_schema() {
        for (json, text) in
            [("9", "9"), ("9.0", "9"), ("4.859e3", "4859"), ("9.5", "9.5"), ("-0.0", "-0"), ("-3", "-3")]
        {
            assert_eq!(number_as_text(&json.parse().unwrap()), text, "{json}");
        }
    }
}

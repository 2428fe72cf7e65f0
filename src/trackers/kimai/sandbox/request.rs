//! A request, free of any web framework.

use std::borrow::Cow;

use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Map, Value};

use super::answer::Answer;
use super::time;

/// What came in.
#[derive(Debug, Clone, Default)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) host: String,
    pub(super) origin: Option<String>,
    pub(super) authorization: Option<String>,
    /// Whether the deprecated `X-AUTH-USER` was sent.
    pub(super) legacy_login: bool,
    pub(super) content_type: Option<String>,
    pub(super) body: Vec<u8>,
}

/// The query parameters. Kimai ignores those it does not know.
#[derive(Debug)]
pub(super) struct Query(Vec<(String, String)>);

impl Request {
    pub(super) fn query(&self) -> Query {
        Query(serde_urlencoded::from_str(&self.query).unwrap_or_default())
    }

    /// Whether the body can be read at all; Kimai finds that out before it looks at the token.
    pub(super) fn readable(&self) -> bool {
        !self.is_json() || self.body.is_empty() || {
            serde_json::from_slice::<Value>(&self.body).is_ok_and(|body| body.is_object() || body.is_array())
        }
    }

    /// The fields of the body. A list counts as fields named 0, 1, …; an unknown content type as none.
    pub(super) fn form(&self) -> Map<String, Value> {
        if self.is_json() {
            return match serde_json::from_slice(&self.body) {
                Ok(Value::Object(fields)) => fields,
                Ok(Value::Array(items)) => {
                    items.into_iter().enumerate().map(|(at, item)| (at.to_string(), item)).collect()
                }
                _ => Map::new(),
            };
        }
        if self
            .content_type
            .as_deref()
            .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"))
        {
            let fields: Vec<(String, String)> = serde_urlencoded::from_bytes(&self.body).unwrap_or_default();
            return fields.into_iter().map(|(name, value)| (name, Value::String(value))).collect();
        }
        Map::new()
    }

    /// Without a content type Kimai takes the body for JSON.
    fn is_json(&self) -> bool {
        self.content_type.as_deref().is_none_or(|kind| kind.contains("json"))
    }
}

impl Query {
    /// The last value of a parameter; an empty one counts as absent.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().rev().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// All values of `name[]`.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(key, _)| {
                key.strip_suffix("[]").or_else(|| key.split_once('[').map(|x| x.0)) == Some(name)
            })
            .map(|(_, value)| value.as_str())
    }

    /// A parameter that must be one of these.
    pub(super) fn choice<'a>(&self, name: &str, choices: &[&'a str]) -> Result<Option<&'a str>, Answer> {
        let Some(value) = self.get(name) else { return Ok(None) };
        choices.iter().find(|choice| **choice == value).map(|choice| Some(*choice)).ok_or_else(bad)
    }

    /// A parameter that must be a number.
    pub(super) fn number(&self, name: &str) -> Result<Option<u64>, Answer> {
        self.get(name).map(|value| value.parse().map_err(|_| bad())).transpose()
    }

    /// The ids of a parameter: `project=1` and `projects[]=1`.
    pub(super) fn ids(&self, one: &str, many: &str) -> Result<Vec<u64>, Answer> {
        self.get(one)
            .into_iter()
            .chain(self.all(many))
            .map(|value| value.parse().map_err(|_| bad()))
            .collect()
    }

    /// A yes-or-no parameter.
    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, Answer> {
        let value = self.choice(name, &["0", "1", "true", "false"])?;
        Ok(value.map(|value| matches!(value, "1" | "true")))
    }

    /// A time, wall clock in `zone`.
    pub(super) fn time(&self, name: &str, zone: &TimeZone) -> Result<Option<Timestamp>, Answer> {
        self.get(name).map(|value| time::read_query(value, zone).ok_or_else(bad)).transpose()
    }

    /// The words of `term`, in lower case.
    pub(super) fn words(&self) -> Vec<String> {
        self.get("term").unwrap_or_default().split_whitespace().map(str::to_lowercase).collect()
    }
}

/// A bad query parameter: no details.
fn bad() -> Answer {
    Answer::refused(400)
}

/// An id as a form gives it: a number, or digits in a text. `None` is what no row can have.
pub(super) fn id(value: &Value) -> Option<u64> {
    match value {
        Value::String(text) => text.parse().ok(),
        value => value.as_u64(),
    }
}

/// A scalar of a form as text.
pub(super) fn scalar(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(text.into()),
        Value::Number(number) => Some(number.to_string().into()),
        Value::Bool(on) => Some(if *on { "1" } else { "" }.into()),
        _ => None,
    }
}

/// A yes-or-no field of a form.
pub(super) fn switch(value: &Value) -> bool {
    !matches!(value, Value::Null | Value::Bool(false))
        && !matches!(scalar(value).as_deref(), Some("" | "0" | "false"))
}

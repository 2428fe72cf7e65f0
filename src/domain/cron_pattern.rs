//! Cron patterns with the semantics of npm's `cron` package.
//!
//! # Caveats
//! If both the day of month and the weekday are restricted, matching either is enough. The scheduler of this service
//! requires both, so such a pattern is split in two. A field counts as restricted if it leaves something out: `1-31` is
//! as unrestricted as `*`.

use chrono::{DateTime, TimeDelta, Utc};
use croner::Cron;
use croner::parser::{CronParser, Seconds};
use jiff::Timestamp;

/// The fields of a pattern with seconds.
const FIELDS: usize = 6;
const DAY_OF_MONTH: usize = 3;
const WEEKDAY: usize = 5;
/// Days of a month that has each day of month and each weekday.
const MONTH: i64 = 31;

/// A schedule, in UTC.
#[derive(Debug, Clone)]
pub struct CronPattern {
    parts: Vec<(String, Cron)>,
}

impl CronPattern {
    /// Reads five fields (minute, hour, day of month, month, weekday) or six with seconds first.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut fields: Vec<&str> = text.split_whitespace().collect();
        if fields.len() + 1 == FIELDS {
            fields.insert(0, "0");
        }
        let whole = fields.join(" ");
        let cron = read(&whole)?;
        let without = |field: usize| {
            let fields = fields.iter().enumerate().map(|(at, text)| if at == field { "*" } else { *text });
            fields.collect::<Vec<_>>().join(" ")
        };
        if restricts(&fields, DAY_OF_MONTH) && restricts(&fields, WEEKDAY) {
            let parts =
                [without(WEEKDAY), without(DAY_OF_MONTH)].map(|text| read(&text).map(|cron| (text, cron)));
            return Ok(Self { parts: parts.into_iter().collect::<Result<_, _>>()? });
        }
        Ok(Self { parts: vec![(whole, cron)] })
    }

    /// One or two patterns with seconds; due whenever one of them matches.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().map(|(text, _)| text.as_str())
    }

    /// The first time after `instant`, in whole seconds; none when it is never due again.
    pub fn next_after(&self, instant: Timestamp) -> Option<Timestamp> {
        let instant = DateTime::from_timestamp(instant.as_second(), 0)?;
        let next = |cron: &Cron| cron.find_next_occurrence(&instant, false).ok();
        let first = self.parts.iter().filter_map(|(_, cron)| next(cron)).min()?;
        Timestamp::from_second(first.timestamp()).ok()
    }
}

fn read(text: &str) -> Result<Cron, String> {
    // Both have to match: a pattern where either is enough was split before.
    let parser = CronParser::builder().seconds(Seconds::Required).dom_and_dow(true).build();
    parser.parse(text).map_err(|error| error.to_string())
}

/// Whether the day field at `place` leaves out any day.
fn restricts(fields: &[&str], place: usize) -> bool {
    let Some(field) = fields.get(place) else { return false };
    let (day, weekday) = if place == DAY_OF_MONTH { (*field, "*") } else { ("*", *field) };
    let first: Option<DateTime<Utc>> = DateTime::from_timestamp(1_767_225_600, 0); // 2026-01-01
    let (Ok(cron), Some(first)) = (read(&format!("0 0 0 {day} * {weekday}")), first) else { return false };
    (0..MONTH).any(|day| !cron.is_time_matching(&(first + TimeDelta::days(day))).unwrap_or(false))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    /// A pattern and when it is due after 2026-11-27T20:00:00Z, by the `cron` package 3.5 of npm.
    #[derive(Deserialize)]
    struct Sample {
        pattern: String,
        next: Vec<Timestamp>,
    }

    #[test]
    fn a_pattern_means_what_it_means_to_npm() {
        let samples = include_str!("../../tests/fixtures/cron/npm-cron-3.5.jsonl").lines();
        let samples: Vec<Sample> = samples.map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(samples.len() >= 40);
        for Sample { pattern, next } in samples {
            let cron = CronPattern::parse(&pattern).unwrap();
            let mut now: Timestamp = "2026-11-27T20:00:00Z".parse().unwrap();
            for wanted in next {
                now = cron.next_after(now).unwrap();
                assert_eq!(now, wanted, "{pattern}");
            }
        }
    }

    #[test]
    fn only_a_pattern_that_restricts_both_days_is_split() {
        let parts = |text: &str| -> Vec<String> {
            CronPattern::parse(text).unwrap().parts().map(str::to_owned).collect()
        };
        assert_eq!(parts("0 0 4 1 * 1"), ["0 0 4 1 * *", "0 0 4 * * 1"]);
        assert_eq!(parts("0 4 1 * *"), ["0 0 4 1 * *"]);
        assert_eq!(parts("0 0 4 1-31 * 1"), ["0 0 4 1-31 * 1"]);
        assert_eq!(parts("0 0 4 1 * 0-6"), ["0 0 4 1 * 0-6"]);
    }

    #[test]
    fn what_is_no_pattern_is_refused_and_what_never_comes_is_known() {
        for text in ["", "soon", "* * * *", "0 0 25 * * *", "0 0 0 0 0 0 0 0", "é * * * * *"] {
            assert!(CronPattern::parse(text).is_err(), "{text:?}");
        }
        let never = CronPattern::parse("0 0 0 30 2 *").unwrap();
        assert_eq!(never.next_after("2026-11-27T20:00:00Z".parse().unwrap()), None);
    }
}

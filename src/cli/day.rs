//! Days as people type them: `2024-09-01`, `today`, `yesterday`, `-7d`, or a month, `2024-09`.

use std::str::FromStr;

use jiff::ToSpan;
use jiff::civil::Date;

/// The furthest that a relative day may be from today; a century is a typing error.
const MOST_DAYS: i32 = 36_500;

/// A day or month as typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Day {
    /// That day.
    On(Date),
    /// This many days after today, or before it if negative.
    FromToday(i32),
    /// A month, by its first day.
    Month(Date),
}

impl FromStr for Day {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        match text {
            "today" => return Ok(Self::FromToday(0)),
            "yesterday" => return Ok(Self::FromToday(-1)),
            "tomorrow" => return Ok(Self::FromToday(1)),
            _ => {}
        }
        if let Some(days) = text.strip_suffix('d').filter(|days| days.starts_with(['-', '+'])) {
            let days = days.parse().ok().filter(|days: &i32| days.abs() <= MOST_DAYS);
            return days
                .map(Self::FromToday)
                .ok_or_else(|| format!("expected at most {MOST_DAYS} days, like -7d"));
        }
        let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        match shape.as_str() {
            "0000-00" => {
                let first = format!("{text}-01").parse();
                first.map(Self::Month).map_err(|_| format!("there is no month {text}"))
            }
            "0000-00-00" => text.parse().map(Self::On).map_err(|_| format!("there is no day {text}")),
            _ => {
                Err("expected a day like 2024-09-01, today, yesterday or -7d, or a month like 2024-09"
                    .to_owned())
            }
        }
    }
}

impl Day {
    /// The first day of it, counted from `today`.
    pub(super) fn first(self, today: Date) -> Result<Date, jiff::Error> {
        match self {
            Self::On(day) | Self::Month(day) => Ok(day),
            Self::FromToday(days) => today.checked_add(days.days()),
        }
    }

    /// The last day of it, counted from `today`.
    pub(super) fn last(self, today: Date) -> Result<Date, jiff::Error> {
        match self {
            Self::Month(first) => Ok(first.last_of_month()),
            other => other.first(today),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_as_people_type_them() {
        let today: Date = "2024-03-01".parse().unwrap();
        for (text, first, last) in [
            ("2024-09-01", "2024-09-01", "2024-09-01"),
            ("today", "2024-03-01", "2024-03-01"),
            ("yesterday", "2024-02-29", "2024-02-29"),
            ("-7d", "2024-02-23", "2024-02-23"),
            ("+1d", "2024-03-02", "2024-03-02"),
            ("2024-02", "2024-02-01", "2024-02-29"),
        ] {
            let day: Day = text.parse().unwrap();
            let days = (day.first(today).unwrap(), day.last(today).unwrap());
            assert_eq!(days, (first.parse().unwrap(), last.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn what_is_no_day_is_refused_with_a_reason() {
        for (text, why) in [
            ("2024-02-30", "there is no day 2024-02-30"),
            ("2024-13", "there is no month 2024-13"),
            ("soon", "expected a day like"),
            ("", "expected a day like"),
            ("7d", "expected a day like"),
            ("-99999999999d", "at most"),
            ("2024-9-1", "expected a day like"),
        ] {
            let refused = text.parse::<Day>().unwrap_err();
            assert!(refused.contains(why), "{text}: {refused}");
        }
    }
}

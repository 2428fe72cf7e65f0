//! The month to lock, as people and scripts write it.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// A calendar month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Month {
    year: u16,
    month: u8,
}

/// Why a month cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MonthFault {
    /// It is not a number from 1 to 12.
    #[error("'{0}' is not a month; give a number from 1 to 12")]
    Month(String),
    /// It is not a number of four digits.
    #[error("'{0}' is not a year; give all four digits, like 2025")]
    Year(String),
}

impl Month {
    /// A month from 1 to 12 of a year of four digits.
    pub fn new(year: u16, month: u8) -> Result<Self, MonthFault> {
        if !(1..=12).contains(&month) {
            return Err(MonthFault::Month(month.to_string()));
        }
        if !(1000..=9999).contains(&year) {
            return Err(MonthFault::Year(year.to_string()));
        }
        Ok(Self { year, month })
    }

    /// Reads digits only, `9` or `09` and `2025`: a lock is not undone, so what merely begins with a number
    /// is refused.
    pub fn parse(month: &str, year: &str) -> Result<Self, MonthFault> {
        let wrong_month = || MonthFault::Month(shorten(month));
        let wrong_year = || MonthFault::Year(shorten(year));
        let number: u8 = digits(month, 1..=2).ok_or_else(wrong_month)?;
        let year_number: u16 = digits(year, 4..=4).ok_or_else(wrong_year)?;
        Self::new(year_number, number).map_err(|fault| match fault {
            MonthFault::Month(_) => wrong_month(),
            MonthFault::Year(_) => wrong_year(),
        })
    }

    /// The texts between which each of its days lies: a day is compared as it is written, since a
    /// typed comparison takes a date with a zone for an instant. The second is no day itself.
    pub(super) fn bounds(self) -> (String, String) {
        (format!("{self}-01"), format!("{self}-32"))
    }

    /// The texts between which its first day lies, whatever zone or time follows.
    pub(super) fn first_day(self) -> (String, String) {
        (format!("{self}-01"), format!("{self}-02"))
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

/// `text` as a number, if it is just so many ASCII digits.
fn digits<T: FromStr>(text: &str, length: RangeInclusive<usize>) -> Option<T> {
    let plain = length.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

fn shorten(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_written_in_digits() {
        let september = Month::new(2025, 9).unwrap();
        for text in ["9", "09"] {
            assert_eq!(Month::parse(text, "2025"), Ok(september), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_month_is_refused_in_words() {
        for bad in [
            "",
            "abc",
            "NaN",
            "0",
            "13",
            "-1",
            "99999999999999999999",
            "260",
            "٩",
            "null",
            "x9",
            "9abc",
            " 9",
            "+9",
            "9.7",
            "9.0",
            "9,",
            "009",
            "9; DROP",
            "[9]",
            "9e0",
        ] {
            let words = Month::parse(bad, "2025").unwrap_err().to_string();
            assert_eq!(words, format!("'{bad}' is not a month; give a number from 1 to 12"));
        }
        for bad in [
            "", "24", "999", "0999", "10000", "70000", "-2025", "next", " 2025", "2025-09", "2025.5",
            "02025", "2024-old",
        ] {
            let words = Month::parse("9", bad).unwrap_err().to_string();
            assert_eq!(words, format!("'{bad}' is not a year; give all four digits, like 2025"));
        }
        assert!(Month::parse(&"é".repeat(5000), "2025").unwrap_err().to_string().len() < 200);
    }

    #[test]
    fn every_day_of_the_month_and_no_other_lies_within() {
        for (month, days, next) in [(2, 28, "2025-03-01"), (9, 30, "2025-10-01"), (12, 31, "2026-01-01")] {
            let (first, beyond) = Month::new(2025, month).unwrap().bounds();
            let within = |day: &str| day >= first.as_str() && day < beyond.as_str();
            for day in 1..=days {
                for zone in ["", "Z", "+02:00", "T23:59:59-11:00"] {
                    assert!(within(&format!("2025-{month:02}-{day:02}{zone}")));
                }
            }
            assert!(!within(next) && !within("2024-12-31") && !within(&format!("2025-{:02}-30", month - 1)));
        }
    }
}

//! The month to lock, as people and scripts write it.

use std::fmt;

/// A calendar month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Month {
    year: u16,
    month: u8,
}

/// Why a month cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MonthFault {
    /// It does not begin with a number from 1 to 12.
    #[error("'{0}' is not a month; give a number from 1 to 12")]
    Month(String),
    /// It does not begin with a number of four digits.
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

    /// Reads both as JavaScript's `parseInt` does, on which callers may rely: white space before the
    /// number and anything after it are left out, so `"9"`, `"09"`, `" 9"`, `"9abc"` and `"9.7"` are
    /// September.
    pub fn parse(month: &str, year: &str) -> Result<Self, MonthFault> {
        let number = parse_int(month).and_then(|number| u8::try_from(number).ok());
        let number = number.ok_or_else(|| MonthFault::Month(shorten(month)))?;
        let digits = parse_int(year).and_then(|year| u16::try_from(year).ok());
        let digits = digits.ok_or_else(|| MonthFault::Year(shorten(year)))?;
        Self::new(digits, number).map_err(|fault| match fault {
            MonthFault::Month(_) => MonthFault::Month(shorten(month)),
            MonthFault::Year(_) => MonthFault::Year(shorten(year)),
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

fn parse_int(text: &str) -> Option<u32> {
    let text = text.trim_start();
    let text = text.strip_prefix('+').unwrap_or(text);
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.get(..end)?.parse().ok()
}

fn shorten(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_read_as_parse_int_reads_it() {
        let september = Month::new(2025, 9).unwrap();
        for text in ["9", "09", "9abc", " 9", "\t\n9", "+9", "9.7", "9,", "0009"] {
            assert_eq!(Month::parse(text, "2025"), Ok(september), "{text:?}");
        }
        for year in ["2025", " 2025", "2025-09", "2025.5", "02025"] {
            assert_eq!(Month::parse("9", year), Ok(september), "{year:?}");
        }
    }

    #[test]
    fn what_is_no_month_is_refused_in_words() {
        for bad in ["", "abc", "NaN", "0", "13", "-1", "99999999999999999999", "260", "٩", "null", "x9"] {
            let words = Month::parse(bad, "2025").unwrap_err().to_string();
            assert_eq!(words, format!("'{bad}' is not a month; give a number from 1 to 12"));
        }
        for bad in ["", "24", "999", "10000", "70000", "-2025", "next"] {
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

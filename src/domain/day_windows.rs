//! Splits a period into windows of days that can be read one at a time.

use std::collections::BTreeMap;

use jiff::civil::Date;

/// About how many work logs a window has: their rows fit in one page of a triplestore's response, and in some 10 MB of
/// memory.
const MOST: usize = 4_000;

/// A day as it is written in the triplestore.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Written {
    /// Usually `2024-09-02`; readable or not.
    pub text: String,
    /// The datatype's IRI, if it has one.
    pub datatype: Option<String>,
}

impl Written {
    /// Where it stands among the days of a period: its first ten characters.
    fn day(&self) -> &str {
        let end = self.text.char_indices().nth(10);
        end.and_then(|(end, _)| self.text.get(..end)).unwrap_or(&self.text)
    }
}

/// How many work logs there are of each day.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Days {
    /// A work log with several days counts for each.
    pub counts: BTreeMap<Written, usize>,
    /// Whether each day is in the usual form. Otherwise some may be missing, or truncated.
    pub exact: bool,
}

/// Neighbouring days that are read at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// The first day.
    pub first: Date,
    /// The last day, included.
    pub last: Date,
    /// The same, as they are written; empty if that is not known.
    pub written: BTreeMap<Written, usize>,
    /// How many work logs were counted on these days, one with several days for each.
    pub count: usize,
}

/// Windows of neighbouring days that make up the days from `first` to `last` without gap or overlap. Each holds
/// at most about 4 000 of the work logs that `days` counts, or is a single day.
///
/// Whatever `days` lacks or makes up, no day is left out. Nor is a day that nobody can read: as text it stands
/// between two that one can.
pub fn windows(first: Date, last: Date, days: Days) -> Vec<Window> {
    let mut by_day: BTreeMap<String, Vec<(Written, usize)>> = BTreeMap::new();
    for (written, count) in days.counts {
        by_day.entry(written.day().to_owned()).or_default().push((written, count));
    }
    let (mut windows, mut held) = (Vec::new(), 0_usize);
    let mut window = Window { first, last, written: BTreeMap::new(), count: 0 };
    for (text, written) in by_day {
        let count = written.iter().fold(0_usize, |sum, (_, count)| sum.saturating_add(*count));
        let day = text.parse::<Date>().ok().filter(|day| day.to_string() == text);
        if let Some(day) = day.filter(|day| window.first < *day && *day <= last)
            && held > 0
            && held.saturating_add(count) > MOST
            && let Ok(before) = day.yesterday()
        {
            let next = Window { first: day, last, written: BTreeMap::new(), count: 0 };
            windows.push(Window { last: before, ..std::mem::replace(&mut window, next) });
            held = 0;
        }
        held = held.saturating_add(count);
        window.count = held;
        if days.exact {
            window.written.extend(written);
        }
    }
    windows.push(window);
    windows
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan;
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    fn written(text: &str) -> Written {
        Written { text: text.to_owned(), datatype: None }
    }

    fn counted(days: &[(&str, usize)]) -> Days {
        Days { counts: days.iter().map(|(day, count)| (written(day), *count)).collect(), exact: true }
    }

    /// The windows, each with its days as they are written.
    fn cut(first: Date, last: Date, days: &[(&str, usize)]) -> Vec<(Date, Date, Vec<String>)> {
        let windows = windows(first, last, counted(days)).into_iter();
        let texts = |written: BTreeMap<Written, usize>| written.into_keys().map(|day| day.text).collect();
        windows.map(|window| (window.first, window.last, texts(window.written))).collect()
    }

    #[test]
    fn days_are_taken_together_until_the_window_is_full() {
        let (first, last) = (date(2024, 9, 1), date(2024, 9, 30));
        assert_eq!(cut(first, last, &[]), [(first, last, vec![])]);
        let days = [("2024-09-02", 2_000), ("2024-09-03", 2_000), ("2024-09-20", 1), ("2024-09-21", 9_000)];
        let texts = |days: &[&str]| days.iter().map(|day| (*day).to_owned()).collect::<Vec<_>>();
        let wanted = [
            (first, date(2024, 9, 19), texts(&["2024-09-02", "2024-09-03"])),
            (date(2024, 9, 20), date(2024, 9, 20), texts(&["2024-09-20"])),
            (date(2024, 9, 21), last, texts(&["2024-09-21"])),
        ];
        assert_eq!(cut(first, last, &days), wanted);
        let unsure = windows(first, last, Days { exact: false, ..counted(&days) });
        assert_eq!((unsure.len(), unsure.iter().all(|window| window.written.is_empty())), (3, true));
    }

    #[test]
    fn a_day_that_nobody_can_read_is_in_the_window_where_its_text_stands() {
        let (first, last) = (date(2024, 9, 1), date(2024, 9, 30));
        // "2024-09-3" stands before the 30th; "20240905" after all days of the year.
        let days = [("2024-09-05", 3_000), ("2024-09-3", 1_000), ("2024-09-30", 3_000), ("20240905", 1_000)];
        let texts = |days: [&str; 2]| days.map(str::to_owned).to_vec();
        let wanted = [
            (first, date(2024, 9, 29), texts(["2024-09-05", "2024-09-3"])),
            (last, last, texts(["2024-09-30", "20240905"])),
        ];
        assert_eq!(cut(first, last, &days), wanted);
    }

    #[test]
    fn a_day_stays_together_however_it_is_written() {
        let (first, last) = (date(2024, 9, 1), date(2024, 9, 30));
        let days =
            [("2024-09-02", 3_000), ("2024-09-03", 500), ("2024-09-03T08:00:00Z", 3_000), ("2024-09-04", 1)];
        let windows = cut(first, last, &days);
        assert_eq!(windows[1].0, date(2024, 9, 3));
        assert_eq!(windows[1].2, ["2024-09-03", "2024-09-03T08:00:00Z", "2024-09-04"]);
    }

    proptest! {
        #[test]
        fn no_day_is_left_out_or_read_twice(
            length in 0..400i32,
            days in prop::collection::btree_map(
                prop_oneof![(-20..420i32).prop_map(|n| (date(2024, 1, 1) + n.days()).to_string()), "[0-9é-]{0,12}"],
                0..9_000usize,
                0..60,
            ),
        ) {
            let days: Vec<(&str, usize)> = days.iter().map(|(day, count)| (day.as_str(), *count)).collect();
            let (first, last) = (date(2024, 1, 1), date(2024, 1, 1) + length.days());
            let windows = cut(first, last, &days);
            prop_assert_eq!((windows[0].0, windows[windows.len() - 1].1), (first, last));
            for (start, end, _) in &windows {
                prop_assert!(start <= end);
            }
            for pair in windows.windows(2) {
                prop_assert_eq!(pair[0].1.tomorrow().unwrap(), pair[1].0);
            }
            let written = windows.into_iter().flat_map(|(_, _, written)| written);
            prop_assert_eq!(written.collect::<Vec<_>>(), days.iter().map(|(day, _)| *day).collect::<Vec<_>>());
        }
    }
}

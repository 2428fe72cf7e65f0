//! A period, cut into windows of days that can be read one at a time.

use std::collections::BTreeMap;

use jiff::civil::Date;

/// About how many work logs a window holds. Each window costs a look at every work log there is, so they are
/// few; but their rows fit in one page of a triplestore's answer, and in some 10 MB of memory.
const MOST: usize = 4_000;

/// Windows of neighbouring days, first and last included, that make up the days from `first` to `last`
/// without gap or overlap. Each holds at most about 4 000 of the work logs that `days` counts by their day as
/// written, or is a single day.
///
/// `days` only balances: whatever it lacks or makes up, no day is left out. Nor is a day that nobody can
/// read: as text it stands between two that one can.
pub fn windows(first: Date, last: Date, days: &BTreeMap<String, usize>) -> Vec<(Date, Date)> {
    let (mut windows, mut start, mut held) = (Vec::new(), first, 0_usize);
    for (text, count) in days {
        let day = text.parse::<Date>().ok().filter(|day| day.to_string() == *text);
        if let Some(day) = day.filter(|day| start < *day && *day <= last)
            && held > 0
            && held.saturating_add(*count) > MOST
            && let Ok(before) = day.yesterday()
        {
            windows.push((start, before));
            (start, held) = (day, 0);
        }
        held = held.saturating_add(*count);
    }
    windows.push((start, last));
    windows
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan;
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    fn counted(days: &[(&str, usize)]) -> BTreeMap<String, usize> {
        days.iter().map(|(day, count)| ((*day).to_owned(), *count)).collect()
    }

    #[test]
    fn days_are_taken_together_until_the_window_is_full() {
        let (first, last) = (date(2024, 9, 1), date(2024, 9, 30));
        assert_eq!(windows(first, last, &counted(&[])), [(first, last)]);
        let days = [("2024-09-02", 2_000), ("2024-09-03", 2_000), ("2024-09-20", 1), ("2024-09-21", 9_000)];
        let wanted =
            [(first, date(2024, 9, 19)), (date(2024, 9, 20), date(2024, 9, 20)), (date(2024, 9, 21), last)];
        assert_eq!(windows(first, last, &counted(&days)), wanted);
    }

    #[test]
    fn a_day_that_nobody_can_read_is_in_the_window_where_its_text_stands() {
        let (first, last) = (date(2024, 9, 1), date(2024, 9, 30));
        // "2024-09-3" stands before the 30th; "20240905" after all days of the year.
        let days = [("2024-09-05", 3_000), ("2024-09-3", 1_000), ("2024-09-30", 3_000), ("20240905", 1_000)];
        assert_eq!(windows(first, last, &counted(&days)), [(first, date(2024, 9, 29)), (last, last)]);
    }

    proptest! {
        #[test]
        fn no_day_is_left_out_or_read_twice(
            length in 0..400i32,
            days in prop::collection::btree_map(
                prop_oneof![(-20..420i32).prop_map(|n| (date(2024, 1, 1) + n.days()).to_string()), "[0-9-]{0,10}"],
                0..9_000usize,
                0..60,
            ),
        ) {
            let (first, last) = (date(2024, 1, 1), date(2024, 1, 1) + length.days());
            let windows = windows(first, last, &days);
            prop_assert_eq!((windows[0].0, windows[windows.len() - 1].1), (first, last));
            for (start, end) in &windows {
                prop_assert!(start <= end);
            }
            for pair in windows.windows(2) {
                prop_assert_eq!(pair[0].1.tomorrow().unwrap(), pair[1].0);
            }
        }
    }
}

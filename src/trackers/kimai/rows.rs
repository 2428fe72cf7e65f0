//! Parses Kimai's lists leniently: row by row if some rows are invalid.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::domain::EntryId;
use crate::domain::ids::IdSyntax;
use crate::trackers::listing::{Lenient, OddRow};

/// The longest reason kept of one row, in characters.
const MOST_LETTERS: usize = 200;

impl<T: DeserializeOwned> Lenient<T> {
    /// Reads a JSON list. Fails only if it is none.
    pub(super) fn read(body: &[u8]) -> Result<Self, serde_json::Error> {
        // Nearly always all rows are as they should be, which is quicker to read.
        if let Ok(rows) = serde_json::from_slice::<Vec<T>>(body) {
            return Ok(rows.into());
        }
        let mut list = Self::from(Vec::new());
        for value in serde_json::from_slice::<Vec<Value>>(body)? {
            match T::deserialize(&value) {
                Ok(row) => list.rows.push(row),
                Err(fault) => list.odd.push(odd(&value, &fault)),
            }
        }
        Ok(list)
    }
}

/// The ids of a JSON list of rows, as far as they can be read.
pub(super) fn ids(body: &[u8]) -> Result<Vec<EntryId>, serde_json::Error> {
    let rows: Vec<Value> = serde_json::from_slice(body)?;
    Ok(rows.iter().filter_map(id_of).collect())
}

fn odd(row: &Value, fault: &serde_json::Error) -> OddRow {
    let written = row.get("id").map_or_else(|| "without id".to_owned(), |id| format!("with id {id}"));
    let why: String = format!("row {written}: {fault}").chars().take(MOST_LETTERS).collect();
    OddRow { id: id_of(row), why }
}

/// The id of a row, also where it is written as text or with a fraction of zero.
fn id_of(row: &Value) -> Option<EntryId> {
    match row.get("id")? {
        Value::String(text) => EntryId::parse(text, IdSyntax::Numbers).ok(),
        Value::Number(number) => {
            EntryId::parse(number.to_string().trim_end_matches(".0"), IdSyntax::Numbers).ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::trackers::kimai::model::TimesheetRow;

    #[test]
    fn no_list_makes_it_panic() {
        crate::fuzz::play("kimai", |input| {
            let list = Lenient::<TimesheetRow>::read(input);
            let ids = ids(input);
            assert!(ids.is_ok() || list.is_err());
            let _ = serde_json::from_slice::<TimesheetRow>(input);
        });
    }

    fn row(id: &Value) -> Value {
        let (begin, end) = ("2024-09-02T00:00:00+0200", "2024-09-02T08:00:00+0200");
        json!({"id": id, "activity": 1, "project": 2, "user": 3, "begin": begin, "end": end})
    }

    fn read(rows: &[Value]) -> Lenient<TimesheetRow> {
        Lenient::read(json!(rows).to_string().as_bytes()).unwrap()
    }

    #[test]
    fn a_row_that_is_wrong_costs_itself_and_keeps_its_id_where_that_can_be_read() {
        let with = |name: &str, value: Value| {
            let mut row = row(&json!(7));
            row[name] = value;
            row
        };
        let seven = Some(EntryId::number(7));
        let table = [
            (row(&json!(-7)), None),
            (row(&json!(0)), None),
            (row(&json!(null)), None),
            (row(&json!(u64::MAX)), None),
            (row(&json!(1_u64 << 63)), None),
            (row(&json!([7])), None),
            (row(&json!("7")), seven),
            (row(&json!(7.0)), seven),
            (row(&json!(7.5)), None),
            (row(&json!("x".repeat(1_000))), None),
            (with("end", json!("9999-12-31T23:59:59+0000")), seven),
            (with("begin", json!("0000-00-00T00:00:00+0000")), seven),
            (with("begin", json!(null)), seven),
            (with("project", json!("none")), seven),
            (with("user", json!(0)), seven),
            (with("exported", json!("yes")), seven),
            (json!("a text"), None),
            (json!(null), None),
        ];
        for (odd, id) in table {
            let list = read(&[row(&json!(1)), odd.clone(), row(&json!(9))]);
            assert_eq!(
                list.rows.iter().filter_map(|row| row.id.as_number()).collect::<Vec<_>>(),
                [1, 9],
                "{odd}"
            );
            assert_eq!((list.odd.count, list.odd.named[0].id), (1, id), "{odd}");
            assert!(list.odd.named[0].why.chars().count() <= MOST_LETTERS, "{odd}");
        }
        assert_eq!(
            ids(json!([row(&json!(-7)), row(&json!("7"))]).to_string().as_bytes()).unwrap(),
            [EntryId::number(7)]
        );
        for none in ["{}", "<html>", "", "7"] {
            assert!(Lenient::<TimesheetRow>::read(none.as_bytes()).is_err(), "{none}");
        }
    }

    #[test]
    fn an_odd_row_that_may_be_new_is_told_from_one_that_was_there_before() {
        let list = read(&[row(&json!("7"))]);
        for (before, newer) in [(None, true), (Some(6), true), (Some(7), false), (Some(8), false)] {
            let may_be = |id: EntryId| Some(id) > before.map(EntryId::number);
            assert_eq!(list.odd.which(may_be).is_some(), newer, "{before:?}");
        }
        assert!(read(&[row(&json!(-7))]).odd.which(|_| false).is_some(), "who knows");
    }

    #[test]
    fn many_odd_rows_take_little_memory() {
        let rows: Vec<Value> = (1..=500).map(|id| row(&json!(format!("{id}")))).collect();
        let odd = read(&rows).odd;
        assert_eq!((odd.count, odd.ids.len(), odd.named.len()), (500, 500, 100));
    }
}

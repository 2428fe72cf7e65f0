//! What tests of other modules do to a file.

use rusqlite::Connection;

use super::Storage;

impl Storage {
    /// Runs `statement`.
    pub(crate) fn sql(&self, statement: &str) {
        let statement = statement.to_owned();
        self.write_now(move |connection| connection.execute_batch(&statement)).expect("valid SQL");
    }

    /// How many rows `table` has.
    pub(crate) fn count(&self, table: &str) -> usize {
        let select = format!("SELECT count(*) FROM {table}");
        let count =
            move |connection: &Connection| connection.query_row(&select, [], |row| row.get::<_, i64>(0));
        usize::try_from(self.write_now(count).expect("a table")).expect("few rows")
    }
}

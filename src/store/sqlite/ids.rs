//! Ids of entries in columns: those that are numbers as integers, others as text.

use rusqlite::ToSql;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};

use crate::domain::EntryId;
use crate::domain::ids::IdSyntax;

impl ToSql for EntryId {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self.as_number() {
            Some(number) => number.cast_signed().into(),
            None => self.to_string().into(),
        })
    }
}

impl FromSql for EntryId {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value {
            ValueRef::Integer(number) => Ok(Self::number(number.cast_unsigned())),
            ValueRef::Text(_) => Self::parse(value.as_str()?, IdSyntax::ObjectIds)
                .map_err(|fault| FromSqlError::Other(fault.into())),
            _ => Err(FromSqlError::InvalidType),
        }
    }
}

//! The values that cross the border to a database, and rows of them.

use std::error::Error as StdError;

use bytes::BytesMut;
use marquetry_model::{SortKey, Timestamp};
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

use crate::{Error, Result};

/// A value of either database.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    I64(i64),
    Text(String),
    Blob(Vec<u8>),
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::I64(value)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::I64(i64::from(value))
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<Vec<u8>> for Value {
    fn from(value: Vec<u8>) -> Self {
        Self::Blob(value)
    }
}

impl From<Timestamp> for Value {
    fn from(value: Timestamp) -> Self {
        Self::I64(value.as_millis())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

macro_rules! from_ids {
    ($($id:ident),+) => {
        $(impl From<marquetry_model::$id> for Value {
            fn from(id: marquetry_model::$id) -> Self {
                Self::I64(id.get())
            }
        })+
    };
}

from_ids!(
    ApiKeyId,
    BuildId,
    ConnectionId,
    IntegrationId,
    NodeId,
    OutputId,
    ReleaseId,
    RunId,
    TenantId,
    TriggerId
);

/// `values![a, b, c]`: parameters `$1`, `$2`, `$3`.
macro_rules! values {
    ($($value:expr),* $(,)?) => {
        [$($crate::value::Value::from($value)),*]
    };
}
pub(crate) use values;

impl ToSql for Value {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> std::result::Result<IsNull, Box<dyn StdError + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::I64(value) if *ty == Type::INT4 => i32::try_from(*value)?.to_sql(ty, out),
            Self::I64(value) => value.to_sql(ty, out),
            Self::Text(value) => value.as_str().to_sql(ty, out),
            Self::Blob(value) => value.as_slice().to_sql(ty, out),
        }
    }

    fn accepts(_ty: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// One row of an answer that outlives its statement, read from left to right.
#[derive(Debug)]
pub(crate) enum Row {
    /// SQLite's cells are gone with the next step, so they are copied.
    Sqlite(Vec<Value>),
    /// PostgreSQL's row is the message that it came in.
    Postgres(tokio_postgres::Row),
}

impl Row {
    /// A reader that begins at the first column.
    pub(crate) fn reader(&self) -> Reader<'_> {
        Reader::new(match self {
            Self::Sqlite(values) => Cells::Copied(values),
            Self::Postgres(row) => Cells::Postgres(row),
        })
    }
}

/// A cell where the driver has it.
pub(crate) enum Cell<'a> {
    Null,
    I64(i64),
    Text(&'a str),
    Blob(&'a [u8]),
}

impl<'a> From<&'a Value> for Cell<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::I64(value) => Self::I64(*value),
            Value::Text(text) => Self::Text(text),
            Value::Blob(bytes) => Self::Blob(bytes),
        }
    }
}

impl From<Cell<'_>> for Value {
    fn from(cell: Cell<'_>) -> Self {
        match cell {
            Cell::Null => Self::Null,
            Cell::I64(value) => Self::I64(value),
            Cell::Text(text) => Self::Text(text.to_owned()),
            Cell::Blob(bytes) => Self::Blob(bytes.to_owned()),
        }
    }
}

/// Where a reader finds its cells.
pub(crate) enum Cells<'a> {
    Copied(&'a [Value]),
    Sqlite(&'a rusqlite::Row<'a>),
    Postgres(&'a tokio_postgres::Row),
}

/// Reads a row's columns in the order of the statement.
pub(crate) struct Reader<'a> {
    cells: Cells<'a>,
    column: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(cells: Cells<'a>) -> Self {
        Self { cells, column: 0 }
    }

    fn next(&mut self) -> Result<Cell<'a>> {
        let column = self.column;
        self.column += 1;
        match self.cells {
            Cells::Copied(values) => values
                .get(column)
                .map(Cell::from)
                .ok_or(Error::BadRow { column }),
            Cells::Sqlite(row) => crate::sqlite::cell(row, column),
            Cells::Postgres(row) => crate::postgres::cell(row, column),
        }
    }

    /// The number in the next column, which stays the next.
    pub(crate) fn peek_i64(&mut self) -> Result<i64> {
        let number = self.i64();
        self.column -= 1;
        number
    }

    /// Passes over columns that are known already.
    pub(crate) fn skip(&mut self, columns: usize) {
        self.column += columns;
    }

    /// A value that fits nowhere.
    pub(crate) fn bad<T>(&self) -> Result<T> {
        Err(Error::BadRow {
            column: self.column - 1,
        })
    }

    pub(crate) fn i64(&mut self) -> Result<i64> {
        match self.next()? {
            Cell::I64(value) => Ok(value),
            Cell::Null | Cell::Text(_) | Cell::Blob(_) => self.bad(),
        }
    }

    pub(crate) fn opt_i64(&mut self) -> Result<Option<i64>> {
        match self.next()? {
            Cell::I64(value) => Ok(Some(value)),
            Cell::Null => Ok(None),
            Cell::Text(_) | Cell::Blob(_) => self.bad(),
        }
    }

    pub(crate) fn bool(&mut self) -> Result<bool> {
        Ok(self.i64()? != 0)
    }

    fn str(&mut self) -> Result<&'a str> {
        match self.next()? {
            Cell::Text(value) => Ok(value),
            Cell::Null | Cell::I64(_) | Cell::Blob(_) => self.bad(),
        }
    }

    fn opt_str(&mut self) -> Result<Option<&'a str>> {
        match self.next()? {
            Cell::Text(value) => Ok(Some(value)),
            Cell::Null => Ok(None),
            Cell::I64(_) | Cell::Blob(_) => self.bad(),
        }
    }

    pub(crate) fn text(&mut self) -> Result<String> {
        self.str().map(str::to_owned)
    }

    pub(crate) fn opt_text(&mut self) -> Result<Option<String>> {
        Ok(self.opt_str()?.map(str::to_owned))
    }

    pub(crate) fn blob(&mut self) -> Result<Vec<u8>> {
        match self.next()? {
            Cell::Blob(value) => Ok(value.to_vec()),
            Cell::Null | Cell::I64(_) | Cell::Text(_) => self.bad(),
        }
    }

    pub(crate) fn opt_blob(&mut self) -> Result<Option<Vec<u8>>> {
        match self.next()? {
            Cell::Blob(value) => Ok(Some(value.to_vec())),
            Cell::Null => Ok(None),
            Cell::I64(_) | Cell::Text(_) => self.bad(),
        }
    }

    pub(crate) fn time(&mut self) -> Result<Timestamp> {
        self.i64().map(Timestamp::from_millis)
    }

    pub(crate) fn opt_time(&mut self) -> Result<Option<Timestamp>> {
        Ok(self.opt_i64()?.map(Timestamp::from_millis))
    }

    /// A word of one of the model's enums.
    pub(crate) fn word<T: std::str::FromStr>(&mut self) -> Result<T> {
        match self.str()?.parse() {
            Ok(value) => Ok(value),
            Err(_) => self.bad(),
        }
    }

    pub(crate) fn opt_word<T: std::str::FromStr>(&mut self) -> Result<Option<T>> {
        match self.opt_str()?.map(str::parse) {
            None => Ok(None),
            Some(Ok(value)) => Ok(Some(value)),
            Some(Err(_)) => self.bad(),
        }
    }

    /// Whatever a list is sorted by.
    pub(crate) fn sort_key(&mut self) -> Result<SortKey> {
        match self.next()? {
            Cell::Null => Ok(SortKey::Null),
            Cell::I64(value) => Ok(SortKey::Number(value)),
            Cell::Text(value) => Ok(SortKey::Text(value.to_owned())),
            Cell::Blob(_) => self.bad(),
        }
    }

    /// A column of JSON text.
    pub(crate) fn json<T: serde::de::DeserializeOwned>(&mut self) -> Result<T> {
        let text = self.str()?;
        serde_json::from_str(text).or_else(|_| self.bad())
    }

    pub(crate) fn opt_json<T: serde::de::DeserializeOwned>(&mut self) -> Result<Option<T>> {
        match self.opt_str()? {
            None => Ok(None),
            Some(text) => serde_json::from_str(text).map(Some).or_else(|_| self.bad()),
        }
    }
}

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
    IntegrationId,
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

/// One row of an answer, read from left to right.
#[derive(Debug)]
pub(crate) struct Row(pub(crate) Vec<Value>);

impl Row {
    /// A reader that begins at the first column.
    pub(crate) fn reader(self) -> Reader {
        Reader {
            values: self.0.into_iter(),
            column: 0,
        }
    }
}

/// Reads a row's columns in the order of the statement.
pub(crate) struct Reader {
    values: std::vec::IntoIter<Value>,
    column: usize,
}

impl Reader {
    fn next(&mut self) -> Result<Value> {
        self.column += 1;
        self.values.next().ok_or(Error::BadRow {
            column: self.column - 1,
        })
    }

    /// A value that fits nowhere.
    pub(crate) fn bad<T>(&self) -> Result<T> {
        Err(Error::BadRow {
            column: self.column - 1,
        })
    }

    pub(crate) fn i64(&mut self) -> Result<i64> {
        match self.next()? {
            Value::I64(value) => Ok(value),
            Value::Null | Value::Text(_) | Value::Blob(_) => self.bad(),
        }
    }

    pub(crate) fn opt_i64(&mut self) -> Result<Option<i64>> {
        match self.next()? {
            Value::I64(value) => Ok(Some(value)),
            Value::Null => Ok(None),
            Value::Text(_) | Value::Blob(_) => self.bad(),
        }
    }

    pub(crate) fn bool(&mut self) -> Result<bool> {
        Ok(self.i64()? != 0)
    }

    pub(crate) fn text(&mut self) -> Result<String> {
        match self.next()? {
            Value::Text(value) => Ok(value),
            Value::Null | Value::I64(_) | Value::Blob(_) => self.bad(),
        }
    }

    pub(crate) fn opt_text(&mut self) -> Result<Option<String>> {
        match self.next()? {
            Value::Text(value) => Ok(Some(value)),
            Value::Null => Ok(None),
            Value::I64(_) | Value::Blob(_) => self.bad(),
        }
    }

    pub(crate) fn blob(&mut self) -> Result<Vec<u8>> {
        match self.next()? {
            Value::Blob(value) => Ok(value),
            Value::Null | Value::I64(_) | Value::Text(_) => self.bad(),
        }
    }

    pub(crate) fn opt_blob(&mut self) -> Result<Option<Vec<u8>>> {
        match self.next()? {
            Value::Blob(value) => Ok(Some(value)),
            Value::Null => Ok(None),
            Value::I64(_) | Value::Text(_) => self.bad(),
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
        match self.text()?.parse() {
            Ok(value) => Ok(value),
            Err(_) => self.bad(),
        }
    }

    pub(crate) fn opt_word<T: std::str::FromStr>(&mut self) -> Result<Option<T>> {
        match self.opt_text()?.map(|text| text.parse()) {
            None => Ok(None),
            Some(Ok(value)) => Ok(Some(value)),
            Some(Err(_)) => self.bad(),
        }
    }

    /// Whatever a list is sorted by.
    pub(crate) fn sort_key(&mut self) -> Result<SortKey> {
        match self.next()? {
            Value::Null => Ok(SortKey::Null),
            Value::I64(value) => Ok(SortKey::Number(value)),
            Value::Text(value) => Ok(SortKey::Text(value)),
            Value::Blob(_) => self.bad(),
        }
    }

    /// A column of JSON text.
    pub(crate) fn json<T: serde::de::DeserializeOwned>(&mut self) -> Result<T> {
        let text = self.text()?;
        serde_json::from_str(&text).or_else(|_| self.bad())
    }

    pub(crate) fn opt_json<T: serde::de::DeserializeOwned>(&mut self) -> Result<Option<T>> {
        match self.opt_text()? {
            None => Ok(None),
            Some(text) => serde_json::from_str(&text)
                .map(Some)
                .or_else(|_| self.bad()),
        }
    }
}

//! Running one statement on one connection.

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, Statement, ToSql};

use crate::value::{Cell, Cells, Reader, Row, Value};
use crate::{Error, Result};

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::I64(value) => ValueRef::Integer(*value),
            Self::Text(value) => ValueRef::Text(value.as_bytes()),
            Self::Blob(value) => ValueRef::Blob(value),
        }))
    }
}

pub(crate) fn rows(connection: &Connection, sql: &str, values: &[Value]) -> Result<Vec<Row>> {
    let mut statement = connection.prepare_cached(sql)?;
    bind(&mut statement, values)?;
    let columns = statement.column_count();
    let mut found = Vec::new();
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next()? {
        let values = (0..columns)
            .map(|column| cell(row, column).map(Value::from))
            .collect::<Result<_>>()?;
        found.push(Row::Sqlite(values));
    }
    Ok(found)
}

/// Reads every row where it is, without a copy of its cells.
pub(crate) fn read_rows<T>(
    connection: &Connection,
    sql: &str,
    values: &[Value],
    mut read: impl FnMut(&mut Reader<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let mut statement = connection.prepare_cached(sql)?;
    bind(&mut statement, values)?;
    let mut found = Vec::new();
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next()? {
        found.push(read(&mut Reader::new(Cells::Sqlite(row)))?);
    }
    Ok(found)
}

pub(crate) fn execute(connection: &Connection, sql: &str, values: &[Value]) -> Result<u64> {
    let mut statement = connection.prepare_cached(sql)?;
    bind(&mut statement, values)?;
    Ok(statement.raw_execute()? as u64)
}

pub(crate) fn script(connection: &Connection, sql: &str) -> Result<()> {
    Ok(connection.execute_batch(sql)?)
}

/// The first row of each answer to several sets of values, for a statement that is prepared once.
pub(crate) fn read_each<T, const N: usize>(
    connection: &Connection,
    sql: &str,
    sets: &[[Value; N]],
    mut read: impl FnMut(&mut Reader<'_>) -> Result<T>,
) -> Result<Vec<Option<T>>> {
    let mut statement = connection.prepare_cached(sql)?;
    let places = places(&statement)?;
    let mut found = Vec::with_capacity(sets.len());
    for values in sets {
        bind_at(&mut statement, &places, values)?;
        let mut rows = statement.raw_query();
        let first = rows.next()?;
        let first = first.map(|row| read(&mut Reader::new(Cells::Sqlite(row))));
        found.push(first.transpose()?);
        // A change is made when its statement is at its end.
        while rows.next()?.is_some() {}
    }
    Ok(found)
}

/// How many rows a statement that is prepared once changed with each set of values.
pub(crate) fn execute_each<const N: usize>(
    connection: &Connection,
    sql: &str,
    sets: &[[Value; N]],
) -> Result<Vec<u64>> {
    let mut statement = connection.prepare_cached(sql)?;
    let places = places(&statement)?;
    let mut changed = Vec::with_capacity(sets.len());
    for values in sets {
        bind_at(&mut statement, &places, values)?;
        changed.push(statement.raw_execute()? as u64);
    }
    Ok(changed)
}

fn bind(statement: &mut Statement<'_>, values: &[Value]) -> Result<()> {
    let places = places(statement)?;
    bind_at(statement, &places, values)
}

/// The number of the value that belongs at each place. SQLite numbers `$n` by first appearance, so
/// the place of a parameter says nothing about its number: `select $2, $1` bound by place would swap
/// the values. The name says it.
fn places(statement: &Statement<'_>) -> Result<Vec<usize>> {
    let number_at = |place| {
        let name = statement.parameter_name(place)?.strip_prefix('$')?;
        name.parse::<usize>().ok()?.checked_sub(1)
    };
    (1..=statement.parameter_count())
        .map(|place| {
            let bad = || rusqlite::Error::InvalidParameterCount(0, place).into();
            number_at(place).ok_or_else(bad)
        })
        .collect()
}

fn bind_at(statement: &mut Statement<'_>, places: &[usize], values: &[Value]) -> Result<()> {
    for (place, number) in (1..).zip(places) {
        let value = values.get(*number);
        let value = value.ok_or(rusqlite::Error::InvalidParameterCount(values.len(), place))?;
        if let Value::Text(text) = value {
            check_text(text)?;
        }
        statement.raw_bind_parameter(place, value)?;
    }
    Ok(())
}

/// PostgreSQL has no NUL in text. What one database refuses, the other must not take: such a row
/// could never move.
fn check_text(text: &str) -> Result<()> {
    if text.as_bytes().contains(&0) {
        std::ffi::CString::new(text).map_err(rusqlite::Error::from)?;
    }
    Ok(())
}

/// A cell of the row that the statement stands on.
pub(crate) fn cell<'a>(row: &'a rusqlite::Row<'_>, column: usize) -> Result<Cell<'a>> {
    // Made only where it is needed: this is called for every cell that is ever read.
    let bad = || Error::BadRow { column };
    Ok(match row.get_ref(column).map_err(|_| bad())? {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(value) => Cell::I64(value),
        ValueRef::Text(text) => Cell::Text(std::str::from_utf8(text).map_err(|_| bad())?),
        ValueRef::Blob(bytes) => Cell::Blob(bytes),
        ValueRef::Real(_) => return Err(bad()),
    })
}

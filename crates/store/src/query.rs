//! Lists: filters, order and pages, written once for all tables.

use marquetry_model::{Direction, Page, PageRequest};

use crate::value::{Reader, Row, Value};
use crate::{Error, Result, Tx};

/// Conditions of a list. Built by the functions of the table's own module.
#[derive(Debug, Default, Clone)]
pub struct Filter {
    clauses: Vec<String>,
    values: Vec<Value>,
}

impl Filter {
    /// Everything.
    pub fn new() -> Self {
        Self::default()
    }

    /// A condition without a value.
    pub(crate) fn when(&mut self, clause: &str) {
        self.clauses.push(clause.to_owned());
    }

    /// A condition on one value, which stands as `?`.
    pub(crate) fn equal(&mut self, clause: &str, value: impl Into<Value>) {
        self.values.push(value.into());
        self.clauses
            .push(clause.replace('?', &format!("${}", self.values.len())));
    }

    fn text(&self) -> String {
        if self.clauses.is_empty() {
            String::new()
        } else {
            format!(" WHERE {}", self.clauses.join(" AND "))
        }
    }
}

/// What a table's lists have in common.
pub(crate) struct List {
    /// `SELECT … FROM …`, without WHERE.
    pub(crate) select: &'static str,
    /// The same rows, counted.
    pub(crate) count: &'static str,
    /// Fields of the JSON object and the columns they stand for.
    pub(crate) sorts: &'static [(&'static str, &'static str)],
    /// The list's own order, and the tie-break of every other one.
    pub(crate) order: &'static str,
}

/// A page before it is read.
pub(crate) struct Selected {
    /// `SELECT … LIMIT … OFFSET …`; one row more than the page has, to see whether there are more.
    pub(crate) sql: String,
    pub(crate) values: Vec<Value>,
    /// Its order, as a query around it has to say it, in which the page is called `p`.
    pub(crate) order: String,
    total: Option<i64>,
    limit: usize,
}

impl Selected {
    /// The page of what was read.
    pub(crate) fn page<T>(&self, mut items: Vec<T>) -> Page<T> {
        let has_more = items.len() > self.limit;
        items.truncate(self.limit);
        Page {
            items,
            has_more,
            total: self.total,
        }
    }
}

impl List {
    pub(crate) async fn page<T>(
        &self,
        tx: &mut Tx,
        filter: Filter,
        request: &PageRequest,
        read: impl Fn(&mut Reader<'_>) -> Result<T>,
    ) -> Result<Page<T>> {
        let selected = self.select(tx, filter, request).await?;
        let items = tx.read_rows(&selected.sql, &selected.values, read).await?;
        Ok(selected.page(items))
    }

    /// The statement of a page, and the size of the whole list if that was asked for.
    pub(crate) async fn select(
        &self,
        tx: &mut Tx,
        filter: Filter,
        request: &PageRequest,
    ) -> Result<Selected> {
        let order = self.order(request, "")?;
        let conditions = filter.text();
        let total = if request.total {
            let sql = format!("{}{conditions}", self.count);
            let row = tx.row(&sql, &filter.values).await?;
            row.map(|row| row.reader().i64()).transpose()?
        } else {
            None
        };
        let mut values = filter.values;
        values.push(Value::I64(request.limit + 1));
        values.push(Value::I64(request.skip));
        let sql = format!(
            "{}{conditions} ORDER BY {order} LIMIT ${} OFFSET ${}",
            self.select,
            values.len() - 1,
            values.len()
        );
        Ok(Selected {
            sql,
            values,
            order: self.order(request, "p.")?,
            total,
            limit: usize::try_from(request.limit).unwrap_or(0),
        })
    }

    fn order(&self, request: &PageRequest, of: &str) -> Result<String> {
        let Some(sort) = &request.sort else {
            return Ok(format!("{of}{}", self.order));
        };
        let found = self.sorts.iter().find(|(field, _)| *field == sort.field);
        let Some((_, column)) = found else {
            let known = self.sorts.iter().map(|(field, _)| *field).collect();
            return Err(Error::Sort {
                field: sort.field.clone(),
                known,
            });
        };
        let direction = match sort.direction {
            Direction::Ascending => "ASC",
            Direction::Descending => "DESC",
        };
        // NULLs sort first on one database and last on the other unless told.
        Ok(format!(
            "{of}{column} {direction} NULLS LAST, {of}{}",
            self.order
        ))
    }
}

/// Reads every row with the same function.
pub(crate) fn read_all<T>(
    rows: Vec<Row>,
    mut read: impl FnMut(&mut Reader<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    rows.into_iter()
        .map(|row| read(&mut row.reader()))
        .collect()
}

/// Reads a row that may be absent.
pub(crate) fn read_one<T>(
    row: Option<Row>,
    read: impl Fn(&mut Reader<'_>) -> Result<T>,
) -> Result<Option<T>> {
    row.map(|row| read(&mut row.reader())).transpose()
}

/// A value as JSON text.
pub(crate) fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("the model's values have string keys and no failing parts")
}

//! Lists: filters, order and pages, written once for all tables.

use marquetry_model::{Direction, Page, PageRequest, Position, SortKey};

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

impl List {
    pub(crate) async fn page<T>(
        &self,
        tx: &mut Tx,
        mut filter: Filter,
        request: &PageRequest,
        read: impl Fn(&mut Reader) -> Result<T>,
    ) -> Result<Page<T>> {
        let order = self.order(request)?;
        let total = if request.total {
            let sql = format!("{}{}", self.count, filter.text());
            let row = tx.row(&sql, &filter.values).await?;
            row.map(|row| row.reader().i64()).transpose()?
        } else {
            None
        };
        if let Some(position) = &request.after {
            filter.after(&order, position);
        }
        let columns = self.select.trim_start_matches("SELECT ");
        let sql = format!(
            "SELECT {}, id, {columns}{}{order} LIMIT ${} OFFSET ${}",
            order.column,
            filter.text(),
            filter.values.len() + 1,
            filter.values.len() + 2,
        );
        let mut values = filter.values;
        values.push(Value::I64(request.limit + 1));
        values.push(Value::I64(request.skip));
        let mut rows = tx.rows(&sql, &values).await?;
        let limit = usize::try_from(request.limit).unwrap_or(0);
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        let mut items = Vec::with_capacity(rows.len());
        let mut last = None;
        for row in rows {
            let mut row = row.reader();
            let (key, id) = (row.sort_key()?, row.i64()?);
            items.push(read(&mut row)?);
            last = Some(Position { key, id });
        }
        Ok(Page {
            items,
            has_more,
            next: last.filter(|_| has_more),
            total,
        })
    }

    fn order(&self, request: &PageRequest) -> Result<Order> {
        let backwards = self.order.ends_with(" DESC");
        let Some(sort) = &request.sort else {
            return Ok(Order {
                column: "id",
                descending: backwards,
                backwards,
            });
        };
        let found = self.sorts.iter().find(|(field, _)| *field == sort.field);
        let Some((_, column)) = found else {
            let known = self.sorts.iter().map(|(field, _)| *field).collect();
            return Err(Error::Sort {
                field: sort.field.clone(),
                known,
            });
        };
        Ok(Order {
            column,
            descending: sort.direction == Direction::Descending,
            backwards,
        })
    }
}

/// A whole order: no two rows are equal in it.
#[derive(Debug, Clone, Copy)]
struct Order {
    column: &'static str,
    descending: bool,
    /// Of those with the same value, whether the newest comes first.
    backwards: bool,
}

impl std::fmt::Display for Order {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let word = |descending| if descending { "DESC" } else { "ASC" };
        let (own, ties) = (word(self.descending), word(self.backwards));
        if self.column == "id" {
            return write!(f, " ORDER BY id {own}");
        }
        // NULLs sort first on one database and last on the other unless told.
        write!(f, " ORDER BY {} {own} NULLS LAST, id {ties}", self.column)
    }
}

impl Filter {
    /// Only rows that stand behind this place.
    fn after(&mut self, order: &Order, position: &Position) {
        let sign = |descending| if descending { "<" } else { ">" };
        let (column, own, ties) = (order.column, sign(order.descending), sign(order.backwards));
        self.values.push(Value::I64(position.id));
        let id = self.values.len();
        let key = match &position.key {
            _ if column == "id" => {
                self.clauses.push(format!("id {own} ${id}"));
                return;
            }
            SortKey::Null => {
                self.clauses
                    .push(format!("({column} IS NULL AND id {ties} ${id})"));
                return;
            }
            SortKey::Number(number) => Value::I64(*number),
            SortKey::Text(text) => Value::Text(text.clone()),
        };
        self.values.push(key);
        let key = self.values.len();
        self.clauses.push(format!(
            "({column} {own} ${key} OR ({column} = ${key} AND id {ties} ${id}) OR {column} IS NULL)"
        ));
    }
}

/// Reads every row with the same function.
pub(crate) fn read_all<T>(
    rows: Vec<Row>,
    read: impl Fn(&mut Reader) -> Result<T>,
) -> Result<Vec<T>> {
    rows.into_iter()
        .map(|row| read(&mut row.reader()))
        .collect()
}

/// Reads a row that may be absent.
pub(crate) fn read_one<T>(
    row: Option<Row>,
    read: impl Fn(&mut Reader) -> Result<T>,
) -> Result<Option<T>> {
    row.map(|row| read(&mut row.reader())).transpose()
}

/// A value as JSON text.
pub(crate) fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("the model's values have string keys and no failing parts")
}

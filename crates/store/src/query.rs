//! Lists: filters, order and pages, written once for all tables.

use marquetry_model::{Direction, Page, PageRequest, Position, Sort, SortKey};

use crate::dialect::Dialect;
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

    /// A condition that a column is one of the integers of a JSON array.
    pub(crate) fn among(&mut self, column: &str, dialect: Dialect, list: impl Into<Value>) {
        self.values.push(list.into());
        let members = dialect.id_list(self.values.len());
        self.clauses.push(format!("{column} IN {members}"));
    }

    /// A statement with these conditions, in an order, of at most so many rows.
    pub(crate) fn statement(
        mut self,
        select: &str,
        order: &str,
        most: i64,
    ) -> (String, Vec<Value>) {
        let conditions = self.text();
        self.values.push(Value::I64(most));
        let limit = self.values.len();
        let sql = format!("{select}{conditions} ORDER BY {order} LIMIT ${limit}");
        (sql, self.values)
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
pub struct List {
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
    /// Where a row stands comes before its columns: [`position`] reads it.
    pub(crate) sql: String,
    pub(crate) values: Vec<Value>,
    /// Its order, as a query around it has to say it, in which the page is called `p`.
    pub(crate) order: String,
    total: Option<i64>,
    limit: usize,
}

impl Selected {
    /// The page of what was read.
    pub(crate) fn page<T>(&self, mut found: Vec<(Position, T)>) -> Page<T> {
        let has_more = found.len() > self.limit;
        found.truncate(self.limit);
        let mut next = None;
        let mut items = Vec::with_capacity(found.len());
        for (position, item) in found {
            next = Some(position);
            items.push(item);
        }
        Page {
            items,
            has_more,
            next: next.filter(|_| has_more),
            total: self.total,
        }
    }
}

/// Where a row of a page stands.
pub(crate) fn position(row: &mut Reader<'_>) -> Result<Position> {
    Ok(Position {
        key: row.sort_key()?,
        id: row.i64()?,
    })
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
        let read = |row: &mut Reader<'_>| Ok((position(row)?, read(row)?));
        let found = tx.read_rows(&selected.sql, &selected.values, read).await?;
        Ok(selected.page(found))
    }

    /// The statement of a page, and the size of the whole list if that was asked for.
    pub(crate) async fn select(
        &self,
        tx: &mut Tx,
        mut filter: Filter,
        request: &PageRequest,
    ) -> Result<Selected> {
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
            "SELECT {} AS sort_key, id AS sort_id, {columns}{} ORDER BY {} LIMIT ${} OFFSET ${}",
            order.column,
            filter.text(),
            order.text(order.column, "id"),
            filter.values.len() + 1,
            filter.values.len() + 2,
        );
        let mut values = filter.values;
        values.push(Value::I64(request.limit + 1));
        values.push(Value::I64(request.skip));
        Ok(Selected {
            sql,
            values,
            order: order.text("p.sort_key", "p.sort_id"),
            total,
            limit: usize::try_from(request.limit).unwrap_or(0),
        })
    }

    /// Whether it can be sorted so: by a field that it has.
    pub fn check(&self, sort: &Sort) -> Result<()> {
        self.column(sort).map(drop)
    }

    /// The column that a field stands for.
    fn column(&self, sort: &Sort) -> Result<&'static str> {
        let found = self.sorts.iter().find(|(field, _)| *field == sort.field);
        found.map(|(_, column)| *column).ok_or_else(|| Error::Sort {
            field: sort.field.clone(),
            known: self.sorts.iter().map(|(field, _)| *field).collect(),
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
        Ok(Order {
            column: self.column(sort)?,
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

impl Order {
    /// What stands behind `ORDER BY`, with other names for its two columns.
    fn text(&self, key: &str, id: &str) -> String {
        let word = |descending| if descending { "DESC" } else { "ASC" };
        let (own, ties) = (word(self.descending), word(self.backwards));
        if self.column == "id" {
            return format!("{id} {own}");
        }
        // NULLs sort first on one database and last on the other unless told.
        format!("{key} {own} NULLS LAST, {id} {ties}")
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

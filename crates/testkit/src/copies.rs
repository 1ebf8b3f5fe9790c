//! Many tenants in little time.

use rusqlite::Connection;

use crate::TestServer;

/// The tables that every tenant has a row in, and the column with its id.
const TABLES: [(&str, &str); 2] = [("tenants", "id"), ("tenant_states", "tenant_id")];

impl TestServer {
    /// Copies the rows of the tenant that was made last, apart from id and name, until there are `count`
    /// of it; ids follow each other. The server stands still meanwhile.
    pub async fn multiply_tenant(&self, model: i64, count: usize) {
        for (table, key) in TABLES {
            match &self.postgres {
                Some(postgres) => {
                    let columns = postgres.columns(table).await;
                    postgres
                        .run(&copies(table, key, &columns, model, count))
                        .await;
                }
                None => {
                    let file = self.data_dir.path().join("marquetry.db");
                    let connection = Connection::open(file).unwrap();
                    let columns = columns(&connection, table);
                    let copies = copies(table, key, &columns, model, count);
                    connection.execute_batch(&copies).unwrap();
                }
            }
        }
    }
}

fn columns(connection: &Connection, table: &str) -> Vec<String> {
    let sql = "SELECT name FROM pragma_table_info(?1)";
    let mut names = connection.prepare(sql).unwrap();
    let names = names.query_map([table], |row| row.get(0)).unwrap();
    names.map(Result::unwrap).collect()
}

fn copies(table: &str, key: &str, columns: &[String], model: i64, count: usize) -> String {
    let values = columns.iter().map(|column| match column.as_str() {
        "name" => "m.name || '-' || n".to_owned(),
        column if column == key => format!("m.{column} + n"),
        column => format!("m.{column}"),
    });
    format!(
        "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < {count})
        INSERT INTO {table} ({}) SELECT {} FROM {table} AS m, numbers
        WHERE m.{key} = {model} AND n < {count}",
        columns.join(", "),
        values.collect::<Vec<_>>().join(", ")
    )
}

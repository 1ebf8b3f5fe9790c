//! Both migration sets make the same tables, columns and indexes.

use std::collections::BTreeMap;

use marquetry_store::Options;
use rusqlite::Connection;
use tokio_postgres::Client;

use crate::common::{Kind, block_on, client, is_wanted, open};

/// A column: integer, text or bytes, and whether it may be absent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    name: String,
    kind: &'static str,
    nullable: bool,
}

/// An index, by what it does.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Index {
    unique: bool,
    columns: Vec<String>,
    condition: Option<String>,
    /// None for those that a constraint made: their names are the database's.
    name: Option<String>,
}

#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    columns: Vec<Column>,
    indexes: Vec<Index>,
    /// Column, other table, its column.
    references: Vec<(String, String, String)>,
}

pub(crate) type Schema = BTreeMap<String, Table>;

/// What a database has, past the store.
pub(crate) async fn read(options: &Options) -> Schema {
    match options {
        Options::Sqlite { folder, .. } => {
            of_sqlite(&Connection::open(folder.join("marquetry.db")).unwrap())
        }
        Options::Postgres { url, .. } => of_postgres(&client(url).await).await,
    }
}

/// A type of either database as one of three.
fn kind(name: &str) -> &'static str {
    match name.to_ascii_lowercase().as_str() {
        "integer" | "bigint" => "integer",
        "text" => "text",
        "blob" | "bytea" => "bytes",
        other => panic!("{other} is no type that both databases have"),
    }
}

/// A condition without what PostgreSQL adds when it prints one: parentheses, casts, `= ANY
/// (ARRAY[…])` for `IN`.
fn normal(condition: &str) -> String {
    let text = condition
        .replace("::text[]", "")
        .replace("::text", "")
        .replace("= ANY", "IN")
        .replace("ARRAY", "")
        .replace(['(', ')', '[', ']'], " ");
    let words: Vec<_> = text.split_whitespace().collect();
    words.join(" ").replace(" ,", ",")
}

fn query<T>(
    connection: &Connection,
    sql: &str,
    read: impl Fn(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
) -> Vec<T> {
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([], read).unwrap();
    rows.map(Result::unwrap).collect()
}

fn of_sqlite(connection: &Connection) -> Schema {
    let names = query(
        connection,
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
        |row| row.get::<_, String>(0),
    );
    names
        .into_iter()
        .map(|name| (name.clone(), sqlite_table(connection, &name)))
        .collect()
}

fn sqlite_table(connection: &Connection, table: &str) -> Table {
    let mut key = Vec::new();
    let columns = query(
        connection,
        &format!(
            "SELECT name, type, \"notnull\", pk FROM pragma_table_info('{table}') ORDER BY cid"
        ),
        |row| {
            let column: (String, String, bool, i64) =
                (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
            Ok(column)
        },
    )
    .into_iter()
    .map(|(name, type_name, not_null, place)| {
        if place > 0 {
            key.push((place, name.clone()));
        }
        Column {
            name,
            kind: kind(&type_name),
            nullable: !not_null && place == 0,
        }
    })
    .collect();
    let mut indexes: Vec<_> = query(
        connection,
        &format!("SELECT name, \"unique\", origin FROM pragma_index_list('{table}')"),
        |row| {
            Ok((
                row.get::<_, String>(0)?,
                row.get::<_, bool>(1)?,
                row.get::<_, String>(2)?,
            ))
        },
    )
    .into_iter()
    .filter(|(_, _, origin)| origin != "pk")
    .map(|(name, unique, origin)| sqlite_index(connection, name, unique, origin == "c"))
    .collect();
    // The key of a rowid table is no index of SQLite's, so keys are read from the columns.
    key.sort();
    indexes.push(Index {
        unique: true,
        columns: key.into_iter().map(|(_, name)| name).collect(),
        condition: None,
        name: None,
    });
    indexes.sort();
    let mut references = query(
        connection,
        &format!("SELECT \"from\", \"table\", \"to\" FROM pragma_foreign_key_list('{table}')"),
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    );
    references.sort();
    Table {
        columns,
        indexes,
        references,
    }
}

fn sqlite_index(connection: &Connection, name: String, unique: bool, named: bool) -> Index {
    let columns = query(
        connection,
        &format!("SELECT name FROM pragma_index_info('{name}') ORDER BY seqno"),
        |row| row.get(0),
    );
    let sql = query(
        connection,
        &format!("SELECT COALESCE(sql, '') FROM sqlite_schema WHERE name = '{name}'"),
        |row| row.get::<_, String>(0),
    );
    let condition = sql[0]
        .split_once(" WHERE ")
        .map(|(_, condition)| normal(condition));
    Index {
        unique,
        columns,
        condition,
        name: named.then_some(name),
    }
}

async fn of_postgres(client: &Client) -> Schema {
    let mut schema = Schema::new();
    let columns = client
        .query(
            "SELECT CAST(table_name AS TEXT), CAST(column_name AS TEXT), CAST(data_type AS TEXT),
                is_nullable = 'YES'
            FROM information_schema.columns WHERE table_schema = 'public'
            ORDER BY table_name, ordinal_position",
            &[],
        )
        .await
        .unwrap();
    for row in columns {
        let table = schema.entry(row.get(0)).or_default();
        table.columns.push(Column {
            name: row.get(1),
            kind: kind(row.get(2)),
            nullable: row.get(3),
        });
    }
    let indexes = client
        .query(
            "SELECT CAST(t.relname AS TEXT), i.indisunique, CAST(c.relname AS TEXT),
                pg_get_expr(i.indpred, i.indrelid),
                ARRAY(SELECT pg_get_indexdef(c.oid, n, true)
                    FROM generate_series(1, CAST(i.indnkeyatts AS INTEGER)) n ORDER BY n),
                EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = c.oid AND k.contype IN ('p', 'u'))
            FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
            JOIN pg_class t ON t.oid = i.indrelid
            WHERE t.relnamespace = CAST('public' AS regnamespace)",
            &[],
        )
        .await
        .unwrap();
    for row in indexes {
        let table = schema.entry(row.get(0)).or_default();
        let of_constraint: bool = row.get(5);
        table.indexes.push(Index {
            unique: row.get(1),
            columns: row.get(4),
            condition: row.get::<_, Option<String>>(3).map(|text| normal(&text)),
            name: (!of_constraint).then(|| row.get(2)),
        });
    }
    let references = client
        .query(
            "SELECT CAST(CAST(k.conrelid AS regclass) AS TEXT), CAST(a.attname AS TEXT),
                CAST(CAST(k.confrelid AS regclass) AS TEXT), CAST(b.attname AS TEXT)
            FROM pg_constraint k
            JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
            JOIN pg_attribute b ON b.attrelid = k.confrelid AND b.attnum = k.confkey[1]
            WHERE k.contype = 'f'",
            &[],
        )
        .await
        .unwrap();
    for row in references {
        let table = schema.entry(row.get(0)).or_default();
        table.references.push((row.get(1), row.get(2), row.get(3)));
    }
    for table in schema.values_mut() {
        table.indexes.sort();
        table.references.sort();
    }
    schema
}

#[test]
fn both_migration_sets_make_the_same_schema() {
    if !(is_wanted(Kind::Sqlite) && is_wanted(Kind::Postgres)) {
        return;
    }
    let of = |kind| block_on(async { read(&open(kind).await.options).await });
    let (sqlite, postgres) = (of(Kind::Sqlite), of(Kind::Postgres));
    assert!(sqlite.len() > 10, "{:?}", sqlite.keys());
    assert!(
        sqlite.keys().eq(postgres.keys()),
        "{:?} {:?}",
        sqlite.keys(),
        postgres.keys()
    );
    for (name, table) in &sqlite {
        assert_eq!(
            table, &postgres[name],
            "SQLite's {name} is left, PostgreSQL's right"
        );
    }
}

#[test]
fn what_a_condition_is_printed_like_does_not_matter() {
    let written = "phase IN ('Pending', 'Running') AND due_at IS NOT NULL";
    let printed =
        "((phase = ANY (ARRAY['Pending'::text, 'Running'::text])) AND (due_at IS NOT NULL))";
    assert_eq!(normal(written), normal(printed));
    assert_ne!(normal(written), normal("phase IN ('Pending')"));
}

/// Every table of SQLite is STRICT, or a number could hold text.
#[test]
fn tables_of_sqlite_are_strict() {
    crate::common::run(Kind::Sqlite, async |db| {
        let connection = Connection::open(db.folder().join("marquetry.db")).unwrap();
        let loose = query(
            &connection,
            "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'
                AND strict = 0 AND name NOT LIKE 'sqlite_%' AND name <> 'schema_migrations'",
            |row| row.get::<_, String>(0),
        );
        assert!(loose.is_empty(), "{loose:?}");
    });
}

/// Every text of PostgreSQL sorts and compares by bytes, as SQLite's does.
#[test]
fn text_of_postgres_sorts_by_bytes() {
    crate::common::run(Kind::Postgres, async |db| {
        let client = client(crate::common::url_of(&db.options)).await;
        let rows = client
            .query(
                "SELECT CAST(table_name || '.' || column_name AS TEXT) FROM information_schema.columns
                WHERE table_schema = 'public' AND data_type = 'text'
                    AND collation_name IS DISTINCT FROM 'C' AND table_name <> 'schema_migrations'",
                &[],
            )
            .await
            .unwrap();
        let found: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        assert!(found.is_empty(), "{found:?}");
    });
}

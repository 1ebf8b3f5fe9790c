//! Every place where the two databases need another text, by name.

/// Which database a transaction speaks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    /// Takes rows for this transaction and passes over those that another one has. SQLite has one
    /// writer, so there is nobody to pass over.
    pub(crate) fn skip_locked(self, table: &str) -> String {
        match self {
            Self::Sqlite => String::new(),
            Self::Postgres => format!(" FOR UPDATE OF {table} SKIP LOCKED"),
        }
    }

    /// Takes a row for this transaction and waits for whoever has it. Rows that refer to it may
    /// be added meanwhile: a trigger's insert must not wait for the end of its tenant's run.
    pub(crate) fn for_update(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => " FOR NO KEY UPDATE",
        }
    }

    /// Keeps a row as it is until the end of this transaction, while others may keep it too: who would
    /// change it waits. SQLite has one writer, so nobody changes it meanwhile.
    pub(crate) fn for_share(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => " FOR SHARE",
        }
    }

    /// Keeps a row from being removed until the end of this transaction, while it may be changed and
    /// others may keep it too; waits for whoever removes it. SQLite has one writer.
    pub(crate) fn for_key_share(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => " FOR KEY SHARE",
        }
    }

    /// Rows of `table` beside those of `p` whose column `of` equals its `key`; nothing beside one
    /// without any. At most `most` on PostgreSQL, where that also keeps the planner from joining
    /// whole tables; all of them on SQLite, which goes through `p` row by row.
    pub(crate) fn beside(
        self,
        table: &str,
        name: &str,
        of: &str,
        key: &str,
        most: usize,
    ) -> String {
        match self {
            Self::Sqlite => format!(" LEFT JOIN {table} AS {name} ON {name}.{key} = p.{of}"),
            Self::Postgres => format!(
                " LEFT JOIN LATERAL (SELECT * FROM {table} WHERE {key} = p.{of}
                LIMIT {most}) AS {name} ON TRUE"
            ),
        }
    }

    /// Keeps the order that `p` has when rows are put beside it. SQLite goes through `p` in its
    /// order, and would sort again if it were told; PostgreSQL sees that there is nothing to sort.
    pub(crate) fn kept_order(self, order: &str) -> String {
        match self {
            Self::Sqlite => String::new(),
            Self::Postgres => format!(" ORDER BY {order}"),
        }
    }

    /// The server's own time of day at this very instant, in milliseconds since 1970; none: it is ours.
    pub(crate) fn clock(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => {
                Some("SELECT CAST(FLOOR(EXTRACT(EPOCH FROM clock_timestamp()) * 1000) AS BIGINT)")
            }
        }
    }

    /// The members of a JSON array of integers in parameter `n`, as a set for `IN`.
    pub(crate) fn id_list(self, n: usize) -> String {
        match self {
            Self::Sqlite => format!("(SELECT value FROM json_each(${n}))"),
            Self::Postgres => {
                format!(
                    "(SELECT CAST(value AS BIGINT) FROM json_array_elements_text(CAST(${n} AS JSON)))"
                )
            }
        }
    }

    /// The members of a JSON array of texts in parameter `n`, as a set for `IN`.
    pub(crate) fn text_list(self, n: usize) -> String {
        match self {
            Self::Sqlite => format!("(SELECT value FROM json_each(${n}))"),
            Self::Postgres => {
                format!("(SELECT value FROM json_array_elements_text(CAST(${n} AS JSON)))")
            }
        }
    }

    /// The members of a JSON object in parameter `n`, whose names are integers and whose values are
    /// integers or null, as a table with the columns `a` and `b`. Arrays in an array would have to be
    /// read anew for each column.
    pub(crate) fn pairs(self, n: usize) -> String {
        match self {
            Self::Sqlite => {
                format!("(SELECT CAST(key AS INTEGER) AS a, value AS b FROM json_each(${n}))")
            }
            Self::Postgres => format!(
                "(SELECT CAST(key AS BIGINT) AS a, CAST(value AS BIGINT) AS b
                FROM json_each_text(CAST(${n} AS JSON)))"
            ),
        }
    }

    /// Lets one transaction after another count what integration `$1` has live. Not the row: who
    /// archives an integration holds that and asks for its tenants, which who counts holds. SQLite
    /// has one writer.
    pub(crate) const LOCK_TURN: &'static str =
        "SELECT CAST(1 AS BIGINT) FROM pg_advisory_xact_lock(724811932, CAST($1 AS INTEGER))";

    /// Takes lock `$1` beside others that take it so, if nobody has it alone or waits for that.
    pub(crate) const TRY_STILL: &'static str = "SELECT CASE
        WHEN pg_try_advisory_xact_lock_shared($1) THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END";
    /// Takes it alone.
    pub(crate) const LOCK_STILL: &'static str =
        "SELECT CAST(1 AS BIGINT) FROM pg_advisory_xact_lock($1)";

    /// The rows of a JSON array of arrays (integer, text, four integers) in parameter `n`, as a
    /// table with the columns `a` to `f`.
    pub(crate) fn decisions(self, n: usize) -> String {
        let column = |at: usize, name: char| match self {
            Self::Sqlite => format!("json_extract(value, '$[{at}]') AS {name}"),
            Self::Postgres if at == 1 => format!("value->>{at} AS {name}"),
            Self::Postgres => format!("CAST(value->>{at} AS BIGINT) AS {name}"),
        };
        let columns: Vec<_> = ('a'..='f')
            .enumerate()
            .map(|(at, name)| column(at, name))
            .collect();
        let columns = columns.join(", ");
        match self {
            Self::Sqlite => format!("(SELECT {columns} FROM json_each(${n}))"),
            Self::Postgres => {
                format!("(SELECT {columns} FROM json_array_elements(CAST(${n} AS JSON)))")
            }
        }
    }
}

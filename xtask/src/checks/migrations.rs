//! Both databases have migrations of the same numbers and names.

use std::collections::{BTreeMap, BTreeSet};

use crate::findings::Findings;
use crate::repository::Repository;

const SQLITE: &str = "crates/store/migrations/sqlite/";
const POSTGRES: &str = "crates/store/migrations/postgres/";

/// Compares the two folders, and the numbers inside each.
#[expect(clippy::unnecessary_wraps, reason = "every check has this form")]
pub(crate) fn run(repository: &Repository) -> anyhow::Result<Findings> {
    let sqlite = names(repository, SQLITE);
    let postgres = names(repository, POSTGRES);
    let all: BTreeSet<&str> = sqlite.union(&postgres).copied().collect();
    let mut findings = Findings::new(format!("{} migrations", all.len()));
    for (folder, other, missing) in [
        (SQLITE, POSTGRES, sqlite.difference(&postgres)),
        (POSTGRES, SQLITE, postgres.difference(&sqlite)),
    ] {
        for name in missing {
            findings.fail(format!("{folder}{name} has no twin: write {other}{name}"));
        }
    }
    report_numbers(&all, &mut findings);
    Ok(findings)
}

fn names<'a>(repository: &'a Repository, folder: &str) -> BTreeSet<&'a str> {
    repository
        .files_under(folder, ".sql")
        .filter_map(|file| file.rsplit('/').next())
        .collect()
}

/// A migration is applied in the order of its number, so two must not share one.
fn report_numbers(all: &BTreeSet<&str>, findings: &mut Findings) {
    let mut taken: BTreeMap<&str, &str> = BTreeMap::new();
    for name in all {
        let number = name.split('_').next().unwrap_or_default();
        if number.is_empty() || !number.chars().all(|digit| digit.is_ascii_digit()) {
            findings.fail(format!(
                "migration {name}: the name must begin with a number and \"_\""
            ));
        } else if let Some(first) = taken.insert(number, name) {
            findings.fail(format!(
                "migrations {first} and {name} share the number {number}"
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::run;
    use crate::repository::fixture::repository;

    #[test]
    fn twins_are_fine() {
        let (_folder, project) = repository(&[
            ("crates/store/migrations/sqlite/0001_first.sql", ""),
            ("crates/store/migrations/postgres/0001_first.sql", ""),
        ]);
        let findings = run(&project).unwrap();
        assert_eq!(findings.looked_at, "1 migrations");
        assert!(findings.failures.is_empty());
    }

    #[test]
    fn a_missing_twin_is_named() {
        let (_folder, project) = repository(&[
            ("crates/store/migrations/sqlite/0001_first.sql", ""),
            ("crates/store/migrations/postgres/0002_second.sql", ""),
        ]);
        assert_eq!(
            run(&project).unwrap().failures,
            [
                "crates/store/migrations/sqlite/0001_first.sql has no twin: \
                 write crates/store/migrations/postgres/0001_first.sql",
                "crates/store/migrations/postgres/0002_second.sql has no twin: \
                 write crates/store/migrations/sqlite/0002_second.sql",
            ]
        );
    }

    #[test]
    fn numbers_are_unique_and_there() {
        let mut files = Vec::new();
        for name in ["0001_first.sql", "0001_other.sql", "later.sql"] {
            for folder in ["sqlite", "postgres"] {
                files.push((format!("crates/store/migrations/{folder}/{name}"), ""));
            }
        }
        let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (&**name, *text)).collect();
        let (_folder, project) = repository(&files);
        assert_eq!(
            run(&project).unwrap().failures,
            [
                "migrations 0001_first.sql and 0001_other.sql share the number 0001",
                "migration later.sql: the name must begin with a number and \"_\"",
            ]
        );
    }
}

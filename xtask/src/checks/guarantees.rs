//! The functions and tests that the guarantees rest on are there.

use crate::findings::Findings;
use crate::repository::{Repository, extension};
use crate::rust_text::{is_name, names, without_comments};

const DOCUMENT: &str = "docs/guarantees.md";
/// Where the product and its tests are.
const SOURCES: &str = "crates/";

/// A name that the document has between backticks.
#[derive(Debug)]
struct Named<'a> {
    line: usize,
    name: &'a str,
    /// The source file, where the document goes on with `in` and a path.
    place: Option<&'a str>,
}

/// Looks for every name that the guarantees give: as a function of the file that they say it is in,
/// else as a word anywhere in the sources. Paths are followed by `check-docs`.
pub(crate) fn run(repository: &Repository) -> anyhow::Result<Findings> {
    let text = repository.text(DOCUMENT)?.unwrap_or_default();
    let named = named(&text);
    let mut sources = Vec::new();
    for file in repository.files_under(SOURCES, "") {
        let source = match extension(file) {
            "rs" => without_comments(&repository.text(file)?.unwrap_or_default()),
            "sql" => repository.text(file)?.unwrap_or_default(),
            _ => continue,
        };
        sources.push((file, source));
    }
    let mut findings = Findings::new(format!("{} names", named.len()));
    for Named { line, name, place } in named {
        let last = name.rsplit("::").next().unwrap_or(name);
        let is_there = match place {
            Some(place) => sources
                .iter()
                .any(|(file, source)| *file == place && names(source, &format!("fn {last}"))),
            None => sources.iter().any(|(_, source)| names(source, last)),
        };
        if !is_there {
            let place = place.unwrap_or("the sources");
            findings.fail(format!("{DOCUMENT}:{line}: {name} is not in {place}"));
        }
    }
    Ok(findings)
}

/// What stands between backticks and is written as a name of Rust is: with an underscore, with a
/// module, or with its place.
fn named(text: &str) -> Vec<Named<'_>> {
    let parts: Vec<&str> = text.split('`').collect();
    let mut line = 1;
    let mut found = Vec::new();
    for (index, name) in parts.iter().copied().enumerate() {
        let place = parts
            .get(index + 2)
            .filter(|place| parts[index + 1].trim() == "in" && extension(place) == "rs");
        let is_written_so = place.is_some() || name.contains('_') || name.contains("::");
        if index % 2 == 1 && is_written_so && is_lower_name(name) {
            found.push(Named {
                line,
                name,
                place: place.copied(),
            });
        }
        line += name.matches('\n').count();
    }
    found
}

/// Whether it may be a function with its module; environment variables are upper case.
fn is_lower_name(text: &str) -> bool {
    let may_stand =
        |character: char| character == ':' || (is_name(character) && !character.is_uppercase());
    text.chars().all(may_stand)
}

#[cfg(test)]
mod tests {
    use super::run;
    use crate::repository::fixture::repository;

    const RUNS: (&str, &str) = (
        "crates/store/src/runs.rs",
        "pub async fn finish() {}\n// pub async fn begin() {}\nfn start_all() { stop_all(); }",
    );
    const INDEX: (&str, &str) = (
        "crates/store/migrations/1.sql",
        "CREATE INDEX runs_live ON runs",
    );

    fn failures(guarantees: &str) -> (String, Vec<String>) {
        let (_folder, project) = repository(&[RUNS, INDEX, ("docs/guarantees.md", guarantees)]);
        let findings = run(&project).unwrap();
        (findings.looked_at, findings.failures)
    }

    #[test]
    fn what_is_there_is_fine() {
        let text = "`runs::finish` in `crates/store/src/runs.rs`, `finish` in\n\
                    `crates/store/src/runs.rs`; `runs_live`, `start_all`, `./test --full`, \
                    `SOME_SETTING`, `retry: platform`, `off`\n";
        assert_eq!(failures(text), ("4 names".to_owned(), Vec::new()));
    }

    #[test]
    fn a_name_of_nothing_is_found() {
        let text = "# Guarantees\n`hold_still`, `runs::begin`\n`start`\n`never_lost`\n";
        let (looked_at, failures) = failures(text);
        assert_eq!(looked_at, "3 names");
        assert_eq!(
            failures,
            [
                "docs/guarantees.md:2: hold_still is not in the sources",
                "docs/guarantees.md:2: runs::begin is not in the sources",
                "docs/guarantees.md:4: never_lost is not in the sources",
            ]
        );
    }

    #[test]
    fn a_name_is_a_function_of_the_file_that_is_told() {
        let text = "`stop_all` in `crates/store/src/runs.rs`,\n\
                    `finish` in `crates/store/src/logs.rs`\n";
        assert_eq!(
            failures(text).1,
            [
                "docs/guarantees.md:1: stop_all is not in crates/store/src/runs.rs",
                "docs/guarantees.md:2: finish is not in crates/store/src/logs.rs",
            ]
        );
    }
}

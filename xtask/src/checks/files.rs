//! Small files with one reason to open them.

use crate::findings::Findings;
use crate::repository::{Repository, extension};

const MOST_LINES: usize = 800;
const MANY_LINES: usize = 600;

/// What counts as source; snapshots, lock files and generated descriptions do not.
const SOURCE: &[&str] = &[
    "rs", "sql", "sh", "js", "mjs", "ts", "tsx", "css", "html", "py", "md", "toml",
];

/// What a document that is made from the program says of itself.
const GENERATED: &str = "\n<!-- Made from ";

/// Scripts that go without an extension.
const SCRIPT_FOLDERS: &[&str] = &["tools/", ".ci/"];
const SCRIPTS: &[&str] = &["test"];

/// Names that say nothing and collect everything.
const EMPTY_NAMES: &[&str] = &["util", "utils", "helpers", "misc", "common", "stuff"];

/// Looks at the length and the name of each source file.
pub(crate) fn run(repository: &Repository) -> anyhow::Result<Findings> {
    let sources: Vec<&str> = repository.files().filter(|file| is_source(file)).collect();
    let mut findings = Findings::new(format!("{} source files", sources.len()));
    for file in sources {
        let text = repository.text(file)?.unwrap_or_default();
        // Nobody reads these from end to end, and a test compares them with what they are made from.
        if text.contains(GENERATED) {
            continue;
        }
        let lines = text.lines().count();
        if lines > MOST_LINES {
            findings.fail(format!(
                "{file} has {lines} lines, more than {MOST_LINES}: split it"
            ));
        } else if lines > MANY_LINES {
            findings.warn(format!("{file} has {lines} lines, more than {MANY_LINES}"));
        }
        let stem = stem(file);
        if EMPTY_NAMES.contains(&stem) {
            findings.fail(format!(
                "{file}: name the file after what it holds, not \"{stem}\""
            ));
        }
    }
    Ok(findings)
}

fn is_source(file: &str) -> bool {
    SOURCE.contains(&extension(file))
        || SCRIPTS.contains(&file)
        || SCRIPT_FOLDERS.iter().any(|folder| file.starts_with(folder))
}

/// The file's name without its folders and its extension.
fn stem(file: &str) -> &str {
    let name = file.rsplit('/').next().unwrap_or(file);
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

#[cfg(test)]
mod tests {
    use super::run;
    use crate::repository::fixture::repository;

    fn lines(count: usize) -> String {
        "line\n".repeat(count)
    }

    #[test]
    fn a_long_file_fails_and_a_longish_one_warns() {
        let (_folder, project) = repository(&[
            ("crates/a/src/most.rs", &lines(800)),
            ("crates/a/src/over.rs", &lines(801)),
            ("crates/a/src/fine.rs", &lines(600)),
            (
                "docs/cli.md",
                &format!("# It\n<!-- Made from it -->\n{}", lines(900)),
            ),
        ]);
        let findings = run(&project).unwrap();
        assert_eq!(findings.looked_at, "4 source files");
        assert_eq!(
            findings.failures,
            ["crates/a/src/over.rs has 801 lines, more than 800: split it"]
        );
        assert_eq!(
            findings.warnings,
            ["crates/a/src/most.rs has 800 lines, more than 600"]
        );
    }

    #[test]
    fn scripts_without_extension_count() {
        let (_folder, project) =
            repository(&[("test", &lines(801)), ("tools/postgres", &lines(801))]);
        assert_eq!(run(&project).unwrap().failures.len(), 2);
    }

    #[test]
    fn generated_files_may_be_long() {
        let (_folder, project) = repository(&[("Cargo.lock", &lines(2_000))]);
        assert!(run(&project).unwrap().failures.is_empty());
    }

    #[test]
    fn a_name_that_says_nothing_is_refused() {
        let (_folder, project) = repository(&[("crates/a/src/util.rs", "")]);
        assert_eq!(
            run(&project).unwrap().failures,
            ["crates/a/src/util.rs: name the file after what it holds, not \"util\""]
        );
    }
}

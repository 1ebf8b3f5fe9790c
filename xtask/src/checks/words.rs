//! Words that must not be in the project: paths of the machine it was written on, and marks of
//! unfinished code. They are spelt in two halves here, so that this file does not hold them.

use crate::findings::Findings;
use crate::repository::{Repository, extension};
use crate::rust_text::{is_name, without_comments};

/// Where developers keep their checkouts and papers: true on one machine, wrong on all others.
const WORKPLACE: &[&str] = &[
    concat!("/", "work/"),
    concat!(".", "library/"),
    concat!("/", "farm"),
    concat!("before", "-stop"),
];

/// Macros that stand for code still to be written, or left over from a search for a bug. The
/// compiler's lints see them too, but not in code that is configured away.
const UNFINISHED: &[&str] = &[
    concat!("to", "do!"),
    concat!("unimpl", "emented!"),
    concat!("db", "g!"),
];

/// Looks at every text file.
pub(crate) fn run(repository: &Repository) -> anyhow::Result<Findings> {
    let mut findings = Findings::new(format!("{} files", repository.files().count()));
    for file in repository.files() {
        let Some(text) = repository.text(file)? else {
            continue;
        };
        for (number, line) in text.lines().enumerate() {
            for word in WORKPLACE.iter().filter(|word| line.contains(**word)) {
                findings.fail(format!(
                    "{file}:{}: \"{word}\" is a path of one machine",
                    number + 1
                ));
            }
        }
        if extension(file) == "rs" {
            report_unfinished(file, &text, &mut findings);
        }
    }
    Ok(findings)
}

fn report_unfinished(file: &str, text: &str, findings: &mut Findings) {
    for (number, line) in without_comments(text).lines().enumerate() {
        for word in UNFINISHED.iter().filter(|word| calls(line, word)) {
            findings.fail(format!("{file}:{}: {word} is left over", number + 1));
        }
    }
}

/// Whether the line calls the macro, and not one whose name ends like it.
fn calls(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        let after = line[start + word.len()..].trim_start().chars().next();
        !before.is_some_and(is_name) && matches!(after, Some('(' | '[' | '{'))
    })
}

#[cfg(test)]
mod tests {
    use super::{UNFINISHED, WORKPLACE, run};
    use crate::repository::fixture::repository;

    #[test]
    fn a_path_of_one_machine_is_found_in_any_file() {
        for word in WORKPLACE {
            let text = format!("first line\nsee {word}notes.md\n");
            let (_folder, project) = repository(&[("docs/a.md", &text)]);
            assert_eq!(
                run(&project).unwrap().failures,
                [format!("docs/a.md:2: \"{word}\" is a path of one machine")]
            );
        }
    }

    #[test]
    fn unfinished_code_is_found_in_rust() {
        for word in UNFINISHED {
            let text = format!("fn a() {{\n    {word}(\"later\")\n}}\n");
            let (_folder, project) =
                repository(&[("crates/a/src/lib.rs", &text), ("docs/a.md", &text)]);
            assert_eq!(
                run(&project).unwrap().failures,
                [format!("crates/a/src/lib.rs:2: {word} is left over")]
            );
        }
    }

    #[test]
    fn talk_about_it_is_no_call() {
        let word = UNFINISHED[0];
        let text =
            format!("// no {word}() here\nconst REFUSED: &str = \"{word}\";\nmy_{word}();\n");
        let (_folder, project) = repository(&[("crates/a/src/lib.rs", &text)]);
        assert!(run(&project).unwrap().failures.is_empty());
    }
}

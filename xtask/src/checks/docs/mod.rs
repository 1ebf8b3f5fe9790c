//! What the documents point at is there.

mod markdown;

use std::collections::HashMap;

use self::markdown::Document;
use crate::findings::Findings;
use crate::repository::{Repository, extension};

/// A code span that begins like this is read as a path of the project.
const PATHS: &[&str] = &[
    "crates/",
    "docs/",
    "tools/",
    "xtask/",
    "benches/",
    "examples/",
    ".ci/",
    ".cargo/",
];

/// Follows the links and the paths of every Markdown file at the root and below `docs/`.
pub(crate) fn run(repository: &Repository) -> anyhow::Result<Findings> {
    let mut documents = HashMap::new();
    for file in repository.files().filter(|file| is_document(file)) {
        let text = repository.text(file)?.unwrap_or_default();
        documents.insert(file, Document::read(&text));
    }
    let mut names: Vec<&str> = documents.keys().copied().collect();
    names.sort_unstable();
    let mut findings = Findings::default();
    let mut count = 0;
    for name in names {
        let document = &documents[name];
        for (line, link) in document.links.iter().filter(|(_, link)| !is_foreign(link)) {
            count += 1;
            if let Err(reason) = follow(repository, &documents, name, link) {
                findings.fail(format!("{name}:{line}: link {link}: {reason}"));
            }
        }
        for (line, path) in document
            .code_spans
            .iter()
            .filter_map(|(n, s)| Some((n, path(s)?)))
        {
            count += 1;
            if !repository.has(path) {
                findings.fail(format!("{name}:{line}: {path} does not exist"));
            }
        }
    }
    findings.looked_at = format!("{} documents, {count} links and paths", documents.len());
    Ok(findings)
}

fn is_document(file: &str) -> bool {
    extension(file) == "md" && (file.starts_with("docs/") || !file.contains('/'))
}

/// Whether the link leads out of the project. Such links are not followed: a check must not
/// depend on the network.
fn is_foreign(link: &str) -> bool {
    link.contains("://") || link.starts_with("mailto:")
}

fn follow(
    repository: &Repository,
    documents: &HashMap<&str, Document>,
    from: &str,
    link: &str,
) -> Result<(), &'static str> {
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = if path.is_empty() {
        Some(from.to_owned())
    } else {
        resolve(from, path)
    };
    let target = target.ok_or("leads out of the project")?;
    if !repository.has(&target) {
        return Err("there is no such file");
    }
    let Some(document) = documents.get(target.as_str()) else {
        return Ok(());
    };
    if anchor.is_empty() || document.anchors.iter().any(|known| known == anchor) {
        Ok(())
    } else {
        Err("there is no such heading")
    }
}

/// The path from the root, for a path from the folder of the file `from`.
fn resolve(from: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

/// The path that a code span names, if it names one: its first word, without a line number.
/// A span with a placeholder is no path.
fn path(span: &str) -> Option<&str> {
    let word = span.split_whitespace().next()?.trim_start_matches("./");
    let word = word.split(':').next().unwrap_or(word);
    let is_path = PATHS.iter().any(|start| word.starts_with(start)) || word == "test";
    let is_pattern = word.contains(['*', '{', '<', '…']) || word.contains("NNN");
    // A lone word is a path only where it is written as one.
    let is_plain_word = word == "test" && !span.starts_with("./");
    (is_path && !is_pattern && !is_plain_word).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::run;
    use crate::repository::fixture::repository;

    fn failures(files: &[(&str, &str)]) -> Vec<String> {
        let (_folder, project) = repository(files);
        run(&project).unwrap().failures
    }

    #[test]
    fn what_is_there_is_fine() {
        let readme = "# Name\n[guide](docs/guide.md#two-words), [up](#name), \
                      [out](https://example.com/x), `docs/guide.md:3`, `./test --quick`, \
                      `crates/*/src`, `docs/decisions/NNN-title.md`\n";
        let guide = "# Guide\n## Two words\n[back](../README.md)\n";
        assert_eq!(
            failures(&[
                ("README.md", readme),
                ("docs/guide.md", guide),
                ("test", "")
            ]),
            [""; 0]
        );
    }

    #[test]
    fn a_link_to_nothing_is_found() {
        assert_eq!(
            failures(&[("docs/a.md", "# A\n\n[gone](b.md)\n[out](../../etc)\n")]),
            [
                "docs/a.md:3: link b.md: there is no such file",
                "docs/a.md:4: link ../../etc: leads out of the project",
            ]
        );
    }

    #[test]
    fn a_link_to_no_heading_is_found() {
        assert_eq!(
            failures(&[
                ("a.md", "# A\n[x](#b)\n[y](docs/c.md#d)\n"),
                ("docs/c.md", "# C\n")
            ]),
            [
                "a.md:2: link #b: there is no such heading",
                "a.md:3: link docs/c.md#d: there is no such heading",
            ]
        );
    }

    #[test]
    fn a_path_to_nothing_is_found() {
        assert_eq!(
            failures(&[("a.md", "Run `tools/gone now` or `./test`, in a test.\n")]),
            [
                "a.md:1: tools/gone does not exist",
                "a.md:1: test does not exist"
            ]
        );
    }

    #[test]
    fn a_path_in_a_block_of_code_is_not_followed() {
        assert_eq!(
            failures(&[("a.md", "```sh\ntools/gone `docs/gone.md` [x](y)\n```\n")]),
            [""; 0]
        );
    }
}

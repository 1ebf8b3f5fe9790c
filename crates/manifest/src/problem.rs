//! What is wrong with a manifest, and where.

use std::fmt;

/// A report over this length says nothing more to a reader; a hostile file must not fill a log.
const MOST_PROBLEMS: usize = 100;

/// Longest piece of a foreign text that is repeated in a message, in characters.
const MOST_SHOWN: usize = 64;

/// One fault of a manifest, or one doubt about it, with its place and its remedy.
///
/// Displays as `PANDIUM.yaml:3:7: run: …`, the form that editors and terminals turn into a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file as named by the caller, relative to the repository.
    pub file: String,
    /// Line, counted from 1.
    pub line: usize,
    /// Column, counted from 1 in characters.
    pub column: usize,
    /// Dotted path of the key, such as `configs.schema.properties.region`; empty when the problem
    /// concerns the file as a whole.
    pub key: String,
    /// What is wrong and what to do about it; lower case, no full stop.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: ", self.file, self.line, self.column)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for Problem {}

/// A place in the text; both parts count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl Place {
    /// Where a file begins; the place of what is missing from it.
    pub(crate) const START: Self = Self { line: 1, column: 1 };
}

/// Collects everything that one pass over a file finds.
#[derive(Debug)]
pub(crate) struct Report {
    file: String,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
}

impl Report {
    pub(crate) fn new(file: &str) -> Self {
        Self {
            file: shown_up_to(file, 1024),
            problems: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Records a fault: the manifest cannot be used.
    pub(crate) fn problem(&mut self, at: Place, key: &str, message: impl Into<String>) {
        if self.problems.len() < MOST_PROBLEMS {
            let problem = self.entry(at, key, message.into());
            self.problems.push(problem);
        }
    }

    /// Records a doubt: the manifest works, though perhaps not as its author thinks.
    pub(crate) fn warning(&mut self, at: Place, key: &str, message: impl Into<String>) {
        if self.warnings.len() < MOST_PROBLEMS {
            let warning = self.entry(at, key, message.into());
            self.warnings.push(warning);
        }
    }

    /// The warnings, or all problems in the order of their places.
    pub(crate) fn close(mut self) -> Result<Vec<Problem>, Vec<Problem>> {
        let by_place = |one: &Problem| (one.line, one.column);
        if self.problems.is_empty() {
            self.warnings.sort_by_key(by_place);
            Ok(self.warnings)
        } else {
            self.problems.sort_by_key(by_place);
            Err(self.problems)
        }
    }

    fn entry(&self, at: Place, key: &str, message: String) -> Problem {
        Problem {
            file: self.file.clone(),
            line: at.line,
            column: at.column,
            key: key.to_owned(),
            message,
        }
    }
}

/// A foreign text made fit for a message: one line, no control characters, not too long.
pub(crate) fn shown(text: &str) -> String {
    shown_up_to(text, MOST_SHOWN)
}

fn shown_up_to(text: &str, most: usize) -> String {
    let mut out = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == most {
            out.push('…');
            break;
        }
        if c.is_control() {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// The dotted path of `key` below `parent`.
pub(crate) fn below(parent: &str, key: &str) -> String {
    if parent.is_empty() {
        shown(key)
    } else {
        format!("{parent}.{}", shown(key))
    }
}

/// The path of item `index` of the list at `parent`.
pub(crate) fn item(parent: &str, index: usize) -> String {
    format!("{parent}[{index}]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn displays_file_line_column_key_and_message() {
        let mut report = Report::new("PANDIUM.yaml");
        let at = Place { line: 3, column: 7 };
        report.problem(at, "run", "the command is empty");
        let problems = report.close().unwrap_err();
        assert_eq!(
            problems[0].to_string(),
            "PANDIUM.yaml:3:7: run: the command is empty"
        );
    }

    #[test]
    fn leaves_the_key_out_when_there_is_none() {
        let mut report = Report::new("PANDIUM.yaml");
        report.problem(Place::START, "", "the file is empty");
        let problems = report.close().unwrap_err();
        assert_eq!(
            problems[0].to_string(),
            "PANDIUM.yaml:1:1: the file is empty"
        );
    }

    #[test]
    fn keeps_a_bounded_number() {
        let mut report = Report::new("x");
        for _ in 0..1000 {
            report.problem(Place::START, "", "again");
        }
        assert_eq!(report.close().unwrap_err().len(), MOST_PROBLEMS);
    }

    #[test]
    fn foreign_text_is_one_short_line() {
        assert_eq!(shown("a\nb\u{1b}[31m"), "a\\nb\\u{1b}[31m");
        assert_eq!(shown(&"x".repeat(1000)).chars().count(), MOST_SHOWN + 1);
    }
}

//! What a check found, and how it is told.

use std::io::{self, Write};

/// The outcome of one check.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// What was looked at, in a few words: a check that looked at nothing must show it.
    pub(crate) looked_at: String,
    /// Each one makes the check fail; names the place and the remedy.
    pub(crate) failures: Vec<String>,
    /// Told, but no failure.
    pub(crate) warnings: Vec<String>,
}

impl Findings {
    pub(crate) fn new(looked_at: impl Into<String>) -> Self {
        Self {
            looked_at: looked_at.into(),
            ..Self::default()
        }
    }

    pub(crate) fn fail(&mut self, text: impl Into<String>) {
        self.failures.push(text.into());
    }

    pub(crate) fn warn(&mut self, text: impl Into<String>) {
        self.warnings.push(text.into());
    }

    /// One line for the check, then one for each warning and failure.
    pub(crate) fn print(&self, name: &str, out: &mut impl Write) -> io::Result<()> {
        let verdict = if self.failures.is_empty() {
            "ok"
        } else {
            "FAILED"
        };
        writeln!(out, "{name}: {verdict} ({})", self.looked_at)?;
        for warning in &self.warnings {
            writeln!(out, "  warning: {warning}")?;
        }
        for failure in &self.failures {
            writeln!(out, "  {failure}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Findings;

    #[test]
    fn a_failure_is_shown_with_its_check() {
        let mut findings = Findings::new("2 files");
        findings.warn("a.rs is long");
        findings.fail("b.rs is too long");
        let mut out = Vec::new();
        findings.print("check-files", &mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "check-files: FAILED (2 files)\n  warning: a.rs is long\n  b.rs is too long\n"
        );
    }
}

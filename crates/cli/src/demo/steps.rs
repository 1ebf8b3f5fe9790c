//! How the steps of the demo look.

use std::time::Instant;

use crate::commands::duration_ms;
use crate::printer::{Printer, Style};

/// Prints steps under each other: mark, what, result, time.
pub(super) struct Steps<'a> {
    to: &'a mut Printer,
    what: String,
    begin: Instant,
}

const WIDTH: usize = 14;
/// The list of a run's variables is long, and here it is an example; the log itself has all of it.
const LONGEST_LINE: usize = 120;

impl<'a> Steps<'a> {
    pub(super) fn new(to: &'a mut Printer) -> Self {
        Self {
            to,
            what: String::new(),
            begin: Instant::now(),
        }
    }

    /// A heading above steps.
    pub(super) fn heading(&mut self, text: &str) {
        let text = self.to.paint(Style::Strong, text);
        self.to.line(&format!("  {text}"));
    }

    /// A step begins.
    pub(super) fn begin(&mut self, what: &str) {
        what.clone_into(&mut self.what);
        self.begin = Instant::now();
        let line = self.to.paint(Style::Faint, &format!("  …  {what}"));
        self.to.passing(&line);
    }

    /// It went well.
    pub(super) fn done(&mut self, result: &str) {
        self.end("ok", "✓", Style::Good, result);
    }

    /// It went wrong.
    pub(super) fn failed(&mut self, why: &str) {
        self.end("FAILED", "✗", Style::Bad, why);
    }

    /// Lines that belong to the last step, such as a log.
    pub(super) fn quote(&mut self, text: &str) {
        let bar = if self.to.is_terminal() { "│" } else { "|" };
        for line in text.lines() {
            let line = shortened(line);
            let line = self.to.paint(Style::Faint, &format!("       {bar} {line}"));
            self.to.text(&format!("{line}\n"));
        }
    }

    fn end(&mut self, word: &str, mark: &str, style: Style, result: &str) {
        let mark = if self.to.is_terminal() { mark } else { word };
        let mark = self.to.paint(style, mark);
        let millis = self.begin.elapsed().as_secs_f64() * 1_000.0;
        let took = self.to.paint(Style::Faint, &duration_ms(millis));
        let what = &self.what;
        self.to
            .line(&format!("  {mark}  {what:<WIDTH$} {result}  {took}"));
    }
}

fn shortened(line: &str) -> String {
    match line.char_indices().nth(LONGEST_LINE) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_long_lines_are_shortened() {
        let fits = "ä".repeat(LONGEST_LINE);
        assert_eq!(shortened(&fits), fits);
        assert_eq!(shortened(&format!("{fits}b")), format!("{fits}…"));
    }
}

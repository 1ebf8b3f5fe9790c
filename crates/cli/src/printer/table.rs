//! Tables and blocks for people.

use super::{Printer, Style, safe};

/// Rows under headings, each column as wide as its widest cell.
pub(crate) struct Table {
    headings: Vec<&'static str>,
    rows: Vec<Vec<(String, Option<Style>)>>,
}

impl Table {
    /// A table without rows.
    pub(crate) fn new(headings: &[&'static str]) -> Self {
        Self {
            headings: headings.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds a row; a cell's style is chosen from its text, so that states look alike everywhere.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        let cells = cells.into_iter().map(|cell| {
            let style = state_style(&cell);
            (one_line(&cell), style)
        });
        self.rows.push(cells.collect());
    }

    /// Prints it to stdout.
    pub(crate) fn print(&self, to: &mut Printer) {
        let widths = self.widths();
        let heading = join(
            self.headings
                .iter()
                .zip(&widths)
                .map(|(text, width)| to.paint(Style::Faint, &pad(text, *width))),
        );
        to.line(heading.trim_end());
        for row in &self.rows {
            let line = join(row.iter().zip(&widths).map(|((text, style), width)| {
                let padded = pad(text, *width);
                style.map_or(padded.clone(), |style| to.paint(style, &padded))
            }));
            to.line(line.trim_end());
        }
    }

    fn widths(&self) -> Vec<usize> {
        let mut widths: Vec<usize> = self.headings.iter().map(|h| h.len()).collect();
        for row in &self.rows {
            for (width, (cell, _)) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        widths
    }
}

/// Names and values of one thing, under each other.
#[derive(Default)]
pub(crate) struct Block {
    lines: Vec<(String, String)>,
}

impl Block {
    /// Adds a line, unless there is nothing to say.
    pub(crate) fn add(&mut self, name: &str, value: impl Into<String>) -> &mut Self {
        let value = value.into();
        if !value.is_empty() {
            self.lines.push((name.to_owned(), value));
        }
        self
    }

    /// Prints it to stdout; further lines of a value stand below its first.
    pub(crate) fn print(&self, to: &mut Printer) {
        let width = self.lines.iter().map(|(name, _)| name.chars().count());
        let width = width.max().unwrap_or(0);
        for (name, value) in &self.lines {
            let value = safe(value);
            let mut lines = value.lines();
            let first = lines.next().unwrap_or_default();
            let shown =
                state_style(first).map_or_else(|| first.to_owned(), |style| to.paint(style, first));
            let name = to.paint(Style::Faint, &pad(name, width));
            to.line(&format!("{name}  {shown}"));
            for line in lines {
                to.line(&format!("{}  {line}", " ".repeat(width)));
            }
        }
    }
}

/// How the words for the state of a run or a build look.
pub(crate) fn state_style(text: &str) -> Option<Style> {
    match text {
        "Succeeded" | "ok" => Some(Style::Good),
        "Running" => Some(Style::Name),
        "Pending" | "Cancelled" | "warning" => Some(Style::Warn),
        "failed" => Some(Style::Bad),
        _ if text == "Failed" || text.starts_with("Failed (") => Some(Style::Bad),
        _ => None,
    }
}

fn one_line(text: &str) -> String {
    let mut line = safe(text.lines().next().unwrap_or_default()).replace('\t', " ");
    if text.lines().nth(1).is_some() {
        line.push('…');
    }
    line
}

fn pad(text: &str, width: usize) -> String {
    format!("{text:<width$}")
}

fn join(cells: impl Iterator<Item = String>) -> String {
    cells.collect::<Vec<_>>().join("  ")
}

#[cfg(test)]
mod tests {
    use super::super::captured::printer;
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(&["ID", "NAME", "STATUS"]);
        table.row(vec!["1".into(), "grün".into(), "Succeeded".into()]);
        table.row(vec!["12".into(), "a\nb".into(), String::new()]);
        let (mut to, out, _) = printer(false);
        table.print(&mut to);
        assert_eq!(
            out.text(),
            "ID  NAME  STATUS\n1   grün  Succeeded\n12  a…\n"
        );
    }

    #[test]
    fn a_cell_cannot_command_the_terminal() {
        let mut table = Table::new(&["NAME"]);
        table.row(vec!["\u{1b}[2Jx".into()]);
        let (mut to, out, _) = printer(true);
        table.print(&mut to);
        assert!(!out.text().contains("\u{1b}[2J"));
    }

    #[test]
    fn a_block_leaves_out_what_is_empty() {
        let mut block = Block::default();
        block.add("id", "7").add("nothing", "").add("why", "a\nb");
        let (mut to, out, _) = printer(false);
        block.print(&mut to);
        assert_eq!(out.text(), "id   7\nwhy  a\n     b\n");
    }
}

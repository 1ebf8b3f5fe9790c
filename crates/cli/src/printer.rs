//! The one place that writes to stdout and stderr.
//!
//! Results go to stdout, everything about them (progress, notes, errors) to stderr, so that a
//! pipe gets results only. Colours are for terminals, and never where `NO_COLOR` is set.

mod safe;
mod table;

use std::io::{self, IsTerminal, Write};

pub(crate) use safe::safe;
pub(crate) use table::{Block, Table};

/// What a piece of text means; the printer decides how that looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// A heading.
    Strong,
    /// Of lesser interest.
    Faint,
    /// It went well.
    Good,
    /// It went wrong.
    Bad,
    /// Worth a second look.
    Warn,
    /// A name or a command to copy.
    Name,
}

impl Style {
    const fn code(self) -> &'static str {
        match self {
            Self::Strong => "1",
            Self::Faint => "2",
            Self::Good => "32",
            Self::Bad => "1;31",
            Self::Warn => "33",
            Self::Name => "36",
        }
    }
}

/// Back to the line's beginning, and the line away.
const CLEAR_LINE: &str = "\r\u{1b}[2K";

/// One of the two streams.
#[expect(
    clippy::struct_excessive_bools,
    reason = "four facts that do not hang together"
)]
struct Stream {
    sink: Box<dyn Write + Send>,
    terminal: bool,
    colours: bool,
    /// Whether nobody reads it any more.
    closed: bool,
    /// What kept it from being written, besides that.
    failure: Option<io::Error>,
    /// Whether the last line is one that the next one takes the place of.
    passing: bool,
}

impl Stream {
    fn write(&mut self, text: &str) {
        if self.closed {
            return;
        }
        let clear = if std::mem::take(&mut self.passing) {
            CLEAR_LINE
        } else {
            ""
        };
        let written = self.sink.write_all(clear.as_bytes());
        let written = written.and_then(|()| self.sink.write_all(text.as_bytes()));
        // A reader that has gone (as `| head`) is no fault of the command; whoever writes for a
        // long time asks `is_closed`.
        let failed = written.and_then(|()| self.sink.flush()).err();
        self.closed = failed.is_some();
        self.failure = failed.filter(|error| error.kind() != io::ErrorKind::BrokenPipe);
    }

    fn paint(&self, style: Style, text: &str) -> String {
        if self.colours && !text.is_empty() {
            format!("\u{1b}[{}m{text}\u{1b}[0m", style.code())
        } else {
            text.to_owned()
        }
    }
}

/// Writes for people or for programs.
pub(crate) struct Printer {
    out: Stream,
    err: Stream,
}

impl Printer {
    /// Why the output could not be written whole, where somebody wanted it: a full disk, not a reader
    /// that has seen enough.
    pub(crate) fn output_failure(&mut self) -> Option<io::Error> {
        self.out.failure.take()
    }

    /// Writes to the process's own stdout and stderr; `colours_wanted` is false where the
    /// environment says `NO_COLOR` or `TERM=dumb`.
    pub(crate) fn new(colours_wanted: bool) -> Self {
        let stream = |sink: Box<dyn Write + Send>, terminal: bool| Stream {
            sink,
            terminal,
            colours: terminal && colours_wanted,
            closed: false,
            failure: None,
            passing: false,
        };
        Self {
            out: stream(Box::new(io::stdout()), io::stdout().is_terminal()),
            err: stream(Box::new(io::stderr()), io::stderr().is_terminal()),
        }
    }

    /// Whether a person looks at stdout.
    pub(crate) fn is_terminal(&self) -> bool {
        self.out.terminal
    }

    /// Whether nobody reads stdout any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.out.closed
    }

    /// `text` as it looks on stdout.
    pub(crate) fn paint(&self, style: Style, text: &str) -> String {
        self.out.paint(style, text)
    }

    /// `text` as it looks on stderr.
    pub(crate) fn paint_note(&self, style: Style, text: &str) -> String {
        self.err.paint(style, text)
    }

    /// One line of the result.
    pub(crate) fn line(&mut self, text: &str) {
        self.out.write(&format!("{text}\n"));
    }

    /// What is going on right now: a line that the next one takes the place of. Only a terminal
    /// gets it.
    pub(crate) fn passing(&mut self, text: &str) {
        if self.out.terminal {
            self.out.write(text);
            self.out.passing = true;
        }
    }

    /// A part of the result as it is, such as a log: a file or a pipe gets it unchanged; a
    /// terminal gets no control characters that could rewrite the screen.
    pub(crate) fn text(&mut self, text: &str) {
        if self.out.terminal {
            self.out.write(&safe(text));
        } else {
            self.out.write(text);
        }
    }

    /// As [`Self::text`], on stderr.
    pub(crate) fn note_text(&mut self, text: &str) {
        if self.err.terminal {
            self.err.write(&safe(text));
        } else {
            self.err.write(text);
        }
    }

    /// A line about the result, on stderr.
    pub(crate) fn note(&mut self, text: &str) {
        self.err.write(&format!("{text}\n"));
    }

    /// A line that tells what may surprise, on stderr.
    pub(crate) fn warn(&mut self, text: &str) {
        let word = self.err.paint(Style::Warn, "warning:");
        self.note(&format!("{word} {text}"));
    }

    /// What went wrong, on stderr: one sentence, its details, and what to do.
    pub(crate) fn error(&mut self, sentence: &str, details: &[String], remedy: Option<&str>) {
        let word = self.err.paint(Style::Bad, "error:");
        self.note(&format!("{word} {}", safe(sentence)));
        for detail in details {
            self.note(&format!("  - {}", safe(detail)));
        }
        if let Some(remedy) = remedy {
            let word = self.err.paint(Style::Good, "remedy:");
            self.note(&format!("{word} {}", safe(remedy)));
        }
    }
}

#[cfg(test)]
pub(crate) mod captured {
    //! A printer that tests can read.

    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use super::{Printer, Stream};

    #[derive(Clone, Default)]
    pub(crate) struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl Buffer {
        pub(crate) fn text(&self) -> String {
            String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
        }
    }

    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A printer, what it wrote to stdout and what to stderr.
    pub(crate) fn printer(terminal: bool) -> (Printer, Buffer, Buffer) {
        let (out, err) = (Buffer::default(), Buffer::default());
        let stream = |sink: Buffer| Stream {
            sink: Box::new(sink),
            terminal,
            colours: terminal,
            closed: false,
            failure: None,
            passing: false,
        };
        let printer = Printer {
            out: stream(out.clone()),
            err: stream(err.clone()),
        };
        (printer, out, err)
    }
}

#[cfg(test)]
mod tests {
    use super::Style;
    use super::captured::printer;

    #[test]
    fn results_and_notes_go_different_ways() {
        let (mut to, out, err) = printer(false);
        to.line("result");
        to.note("note");
        to.error("it broke", &["field: why".to_owned()], Some("mend it"));
        assert_eq!(out.text(), "result\n");
        assert_eq!(
            err.text(),
            "note\nerror: it broke\n  - field: why\nremedy: mend it\n"
        );
    }

    #[test]
    fn only_a_terminal_gets_colours() {
        let (plain, ..) = printer(false);
        let (terminal, ..) = printer(true);
        assert_eq!(plain.paint(Style::Good, "ok"), "ok");
        assert_eq!(terminal.paint(Style::Good, "ok"), "\u{1b}[32mok\u{1b}[0m");
    }

    #[test]
    fn a_passing_line_gives_way_to_the_next() {
        let (mut terminal, out, _) = printer(true);
        terminal.passing("waiting");
        terminal.line("done");
        assert_eq!(out.text(), "waiting\r\u{1b}[2Kdone\n");
        let (mut plain, out, _) = printer(false);
        plain.passing("waiting");
        plain.line("done");
        assert_eq!(out.text(), "done\n");
    }

    #[test]
    fn a_file_gets_a_log_unchanged_and_a_terminal_gets_it_tamed() {
        let text = "a\u{1b}[2Jb\n";
        let (mut plain, out, _) = printer(false);
        plain.text(text);
        assert_eq!(out.text(), text);
        let (mut terminal, out, _) = printer(true);
        terminal.text(text);
        assert_eq!(out.text(), "a\u{fffd}[2Jb\n");
    }
}

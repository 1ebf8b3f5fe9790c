//! Which part of a run's standard output counts.

use thiserror::Error;

/// Longest last line that is kept, in bytes. One string of an environment is capped at 128 KiB by
/// Linux, and the next run gets this line in one.
pub const LAST_LINE_LIMIT: usize = 120 * 1024;

/// The last non-empty line of the output is longer than the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "the last line of standard output has {length} bytes, over the limit of {limit}; print less, or keep the rest elsewhere"
)]
pub struct OverLimit {
    /// Length of the line in bytes, after invalid parts were replaced where that made it too long.
    pub length: u64,
    /// What it may have, in bytes.
    pub limit: usize,
}

/// Collects the last non-empty line of a stream in constant memory.
///
/// Lines end with LF or CRLF; a line of blanks only (space, tab, CR, vertical tab, form feed)
/// counts as empty. Invalid UTF-8 and NUL become U+FFFD, since the line travels in an environment
/// variable and in a database's text, and neither takes them.
#[derive(Debug)]
pub struct LastLine {
    current: Line,
    last: Line,
    limit: usize,
    /// Bytes so far, and how many came before each of the two lines.
    total: u64,
    current_start: u64,
    last_start: u64,
}

impl Default for LastLine {
    fn default() -> Self {
        Self::with_limit(LAST_LINE_LIMIT)
    }
}

/// A line as far as it must be remembered.
#[derive(Debug, Default)]
struct Line {
    /// The first bytes, up to the limit and one more for a CR that may end the line.
    bytes: Vec<u8>,
    /// Length in bytes, also of what is not kept.
    length: u64,
    /// Something other than blanks was seen.
    filled: bool,
    /// The last byte so far is a CR.
    ends_with_cr: bool,
}

impl LastLine {
    /// A collector that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// A collector of a line of at most `limit` bytes, and never more than [`LAST_LINE_LIMIT`].
    pub fn with_limit(limit: usize) -> Self {
        Self {
            current: Line::default(),
            last: Line::default(),
            limit: limit.min(LAST_LINE_LIMIT),
            total: 0,
            current_start: 0,
            last_start: 0,
        }
    }

    /// Takes the next bytes of the stream, cut anywhere.
    pub fn push(&mut self, chunk: &[u8]) {
        for piece in chunk.split_inclusive(|&byte| byte == b'\n') {
            self.total += piece.len() as u64;
            match piece.strip_suffix(b"\n") {
                Some(end_of_line) => {
                    self.current.push(end_of_line, self.limit);
                    self.end_line();
                }
                None => self.current.push(piece, self.limit),
            }
        }
    }

    /// How many of the last bytes matter: those before could be forgotten, and the answer would be the same.
    pub fn needed(&self) -> u64 {
        let start = if self.last.filled {
            self.last_start
        } else {
            self.current_start
        };
        self.total - start
    }

    /// What another collector with the same limit is to be given first, to go on in place of this one; none where a
    /// line is longer than the limit.
    pub fn tail(&self) -> Option<Vec<u8>> {
        let whole = |line: &Line| line.length == line.bytes.len() as u64;
        if !whole(&self.current) || (self.last.filled && !whole(&self.last)) {
            return None;
        }
        let mut tail = Vec::new();
        if self.last.filled {
            tail.extend_from_slice(&self.last.bytes);
            tail.push(b'\n');
        }
        tail.extend_from_slice(&self.current.bytes);
        Some(tail)
    }

    /// The line that counts, or `None` when the stream had only empty lines.
    ///
    /// # Errors
    /// When that line is longer than the limit.
    pub fn finish(mut self) -> Result<Option<String>, OverLimit> {
        self.end_line();
        self.last.into_text(self.limit)
    }

    /// Swaps rather than copies, so that two buffers serve the whole stream.
    fn end_line(&mut self) {
        if self.current.filled {
            std::mem::swap(&mut self.current, &mut self.last);
            self.last_start = self.current_start;
        }
        self.current_start = self.total;
        self.current.clear();
    }
}

impl Line {
    fn push(&mut self, bytes: &[u8], limit: usize) {
        let Some(last) = bytes.last() else { return };
        self.ends_with_cr = *last == b'\r';
        self.filled = self.filled || !bytes.iter().copied().all(is_blank);
        self.length += bytes.len() as u64;
        let room = (limit + 1).saturating_sub(self.bytes.len());
        self.bytes
            .extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.length = 0;
        self.filled = false;
        self.ends_with_cr = false;
    }

    fn into_text(self, limit: usize) -> Result<Option<String>, OverLimit> {
        if !self.filled {
            return Ok(None);
        }
        let length = self.length - u64::from(self.ends_with_cr);
        let kept = usize::try_from(length)
            .ok()
            .filter(|&length| length <= limit)
            .ok_or(OverLimit { length, limit })?;
        let text = String::from_utf8_lossy(&self.bytes[..kept]).replace('\0', "\u{fffd}");
        if text.len() > limit {
            return Err(OverLimit {
                length: text.len() as u64,
                limit,
            });
        }
        Ok(Some(text))
    }
}

/// Blank by ASCII only: a character that is split over two chunks must not change the answer.
fn is_blank(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn over(length: u64) -> OverLimit {
        let limit = LAST_LINE_LIMIT;
        OverLimit { length, limit }
    }

    #[test]
    fn the_operator_may_want_less() {
        let read = |text: &str| {
            let mut line = LastLine::with_limit(4);
            line.push(text.as_bytes());
            line.finish()
        };
        assert_eq!(read("1234\r\n"), Ok(Some("1234".to_owned())));
        assert_eq!(read("12345\nab"), Ok(Some("ab".to_owned())));
        let (length, limit) = (5, 4);
        assert_eq!(read("12345"), Err(OverLimit { length, limit }));
    }

    fn last(chunks: &[&[u8]]) -> Result<Option<String>, OverLimit> {
        let mut collector = LastLine::new();
        for chunk in chunks {
            collector.push(chunk);
        }
        collector.finish()
    }

    fn text(bytes: &[u8]) -> Option<String> {
        last(&[bytes]).unwrap()
    }

    #[test]
    fn the_last_non_empty_line_counts() {
        assert_eq!(text(b""), None);
        assert_eq!(text(b"\n \n\t\r\n\x0b\x0c"), None);
        assert_eq!(
            text(b"banner\n{\"a\":1}\n\n  \n").as_deref(),
            Some("{\"a\":1}")
        );
        assert_eq!(text(b"first\nno end").as_deref(), Some("no end"));
        assert_eq!(
            text(b"  kept as it is ").as_deref(),
            Some("  kept as it is ")
        );
    }

    #[test]
    fn a_line_may_end_with_crlf() {
        assert_eq!(text(b"one\r\ntwo\r\n\r\n").as_deref(), Some("two"));
        assert_eq!(last(&[b"two\r", b"\n"]).unwrap().as_deref(), Some("two"));
        assert_eq!(text(b"50%\r100%").as_deref(), Some("50%\r100%"));
    }

    #[test]
    fn invalid_parts_are_replaced() {
        assert_eq!(text(b"a\xff\0b\n").as_deref(), Some("a\u{fffd}\u{fffd}b"));
        let split = "né".as_bytes();
        assert_eq!(
            last(&[&split[..2], &split[2..]]).unwrap().as_deref(),
            Some("né")
        );
    }

    #[test]
    fn the_limit_is_exact() {
        let fits = vec![b'x'; LAST_LINE_LIMIT];
        assert_eq!(text(&fits).map(|line| line.len()), Some(LAST_LINE_LIMIT));
        assert_eq!(
            last(&[&fits, b"\r\n"]).unwrap().map(|line| line.len()),
            Some(LAST_LINE_LIMIT)
        );
        let length = LAST_LINE_LIMIT as u64 + 1;
        assert_eq!(last(&[&fits, b"x"]), Err(over(length)));
        assert_eq!(last(&[&fits, b"\rx"]), Err(over(length + 1)));
    }

    #[test]
    fn the_limit_holds_after_replacement() {
        let grows = vec![0xff; LAST_LINE_LIMIT];
        let length = LAST_LINE_LIMIT as u64 * 3;
        assert_eq!(last(&[&grows]), Err(over(length)));
        assert_eq!(last(&[&vec![0; LAST_LINE_LIMIT]]), Err(over(length)));
    }

    #[test]
    fn a_long_line_that_is_not_the_last_does_no_harm() {
        let long = vec![b'x'; LAST_LINE_LIMIT * 3];
        assert_eq!(last(&[&long, b"\nok\n"]).unwrap().as_deref(), Some("ok"));
        let blanks = vec![b' '; LAST_LINE_LIMIT * 3];
        assert_eq!(last(&[b"ok\n", &blanks]).unwrap().as_deref(), Some("ok"));
    }

    /// Both shapes of a flood: one line that never ends, and lines without end.
    #[test]
    fn memory_stays_constant() {
        const CHUNK: usize = 64 * 1024;
        let one_line = vec![b'x'; CHUNK];
        let many_lines = b"0123456789abcde\n".repeat(CHUNK / 16);
        let mut collector = LastLine::new();
        let memory = |collector: &LastLine| {
            collector.current.bytes.capacity() + collector.last.bytes.capacity()
        };
        for chunk in std::iter::repeat_n(&one_line, 50 * 16) {
            collector.push(chunk);
            assert!(memory(&collector) <= 4 * (LAST_LINE_LIMIT + 1));
        }
        collector.push(b"\n");
        for chunk in std::iter::repeat_n(&many_lines, 200 * 16) {
            collector.push(chunk);
            assert!(memory(&collector) <= 4 * (LAST_LINE_LIMIT + 1));
        }
        assert_eq!(
            collector.finish().unwrap().as_deref(),
            Some("0123456789abcde")
        );
    }

    /// What the rule says, on the whole output at once.
    fn oracle(output: &[u8]) -> Option<String> {
        let line = output
            .split(|&byte| byte == b'\n')
            .rfind(|line| !line.iter().all(|byte| b" \t\r\x0b\x0c".contains(byte)))?;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        Some(String::from_utf8_lossy(line).replace('\0', "\u{fffd}"))
    }

    #[test]
    fn what_was_longer_than_the_limit_is_not_given_on() {
        let mut line = LastLine::with_limit(4);
        line.push(b"12345678");
        assert_eq!(line.tail(), None);
        line.push(b"\nab");
        assert_eq!(line.tail(), None, "it may still be the last");
        line.push(b"\n");
        assert_eq!(line.tail(), Some(b"ab\n".to_vec()));
        assert_eq!(line.needed(), 3);
    }

    proptest! {
        #[test]
        fn another_goes_on_with_the_tail_or_with_what_is_needed(
            before in prop::sample::select(vec!["", "a", "a\n", "a\n\n", "a\nb", " \n", "a\r\n \n b"]),
            after in prop::sample::select(vec!["", "c", "\n", "c\nd", "\nc\r\n"]),
        ) {
            let whole = last(&[before.as_bytes(), after.as_bytes()]);
            let mut first = LastLine::default();
            first.push(before.as_bytes());
            let tail = first.tail().unwrap();
            prop_assert_eq!(last(&[&tail, after.as_bytes()]), whole.clone());
            let needed = usize::try_from(first.needed()).unwrap();
            let rest = &before.as_bytes()[before.len() - needed..];
            prop_assert_eq!(last(&[rest, after.as_bytes()]), whole);
        }

        #[test]
        fn agrees_with_the_naive_rule(
            chunks in prop::collection::vec(
                prop::collection::vec(
                    prop::sample::select(b"\n\n\n\r\t a{\0\xff\xc3\xa9\xf0\x9f\x98\x80".to_vec()),
                    0..12,
                ),
                0..12,
            ),
        ) {
            let pieces: Vec<&[u8]> = chunks.iter().map(Vec::as_slice).collect();
            prop_assert_eq!(last(&pieces).unwrap(), oracle(&chunks.concat()));
        }

        #[test]
        fn agrees_with_the_naive_rule_near_the_limit(
            lengths in prop::collection::vec(LAST_LINE_LIMIT - 2..LAST_LINE_LIMIT + 3, 1..3),
            ends in prop::sample::select(vec!["\n", "\r\n", "", "\n\n \r\n"]),
            cut in 1_usize..70_000,
        ) {
            let mut output = Vec::new();
            for length in lengths {
                output.extend(std::iter::repeat_n(b'x', length));
                output.extend_from_slice(b"\n");
            }
            output.pop();
            output.extend_from_slice(ends.as_bytes());
            let pieces: Vec<&[u8]> = output.chunks(cut).collect();
            let expected = oracle(&output).unwrap();
            match last(&pieces) {
                Ok(line) => prop_assert_eq!(line, Some(expected)),
                Err(over) => {
                    prop_assert!(expected.len() > LAST_LINE_LIMIT);
                    prop_assert_eq!(over.length, expected.len() as u64);
                }
            }
        }
    }
}

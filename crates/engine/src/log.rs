//! The log of one run or build on its way to the store: made text, bounded, cut into chunks.

use marquetry_app::logs::{LogEnd, MARK};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::masks::Masks;

/// A chunk is stored when it has this size, or a while after its first byte.
const CHUNK: usize = 64 * 1024;

/// Collects the bytes that a process writes. Invalid UTF-8 and NUL become U+FFFD, because a
/// database's text refuses them; above the limit bytes are counted and dropped.
pub(crate) struct LogBuffer {
    text: Vec<u8>,
    /// The part that is being stored: it stays what it is until that is known, for it may be stored already.
    unsettled: Option<Vec<u8>>,
    /// The beginning of a character whose end has not come yet.
    partial: Vec<u8>,
    number: i64,
    kept: u64,
    limit: u64,
    truncated: bool,
    at_line_start: bool,
    masks: Option<Masks>,
}

/// What a log has that is not stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct LogState {
    /// Bytes of the whole log, with the text.
    kept: u64,
    at_line_start: bool,
    truncated: bool,
    text: String,
}

impl LogBuffer {
    /// An empty log of at most `limit` bytes.
    pub(crate) fn new(limit: u64) -> Self {
        Self {
            text: Vec::new(),
            unsettled: None,
            partial: Vec::new(),
            number: 0,
            kept: 0,
            limit,
            truncated: false,
            at_line_start: true,
            masks: None,
        }
    }

    /// Goes on behind a log of that many bytes whose last chunk has this number; the limit is for
    /// both together.
    pub(crate) fn after(limit: u64, number: i64, bytes: i64) -> Self {
        Self {
            number,
            kept: u64::try_from(bytes).unwrap_or(0),
            ..Self::new(limit)
        }
    }

    /// Goes on behind the log of a former server, of which this is known, and of which so much is stored.
    pub(crate) fn resumed(
        limit: u64,
        state: LogState,
        secrets: &[String],
        (number, bytes): (i64, i64),
    ) -> Self {
        let mut log = Self::after(limit, number, bytes);
        log.mask(secrets);
        let stored = u64::try_from(bytes).unwrap_or(0);
        if stored > state.kept {
            // More is stored than was known then, and nobody knows how it ends.
            log.at_line_start = false;
        } else {
            log.kept = state.kept;
            log.at_line_start = state.at_line_start;
            log.truncated = state.truncated;
            if stored < state.kept {
                log.text = state.text.into_bytes();
            }
        }
        // The line that says so is beyond the limit itself.
        log.truncated |= log.kept > limit;
        log
    }

    /// What is not stored, for another server.
    pub(crate) fn state(&self) -> LogState {
        LogState {
            kept: self.kept,
            at_line_start: self.at_line_start,
            truncated: self.truncated,
            text: String::from_utf8_lossy(&[self.unsettled(), &self.text].concat()).into_owned(),
        }
    }

    fn unsettled(&self) -> &[u8] {
        self.unsettled.as_deref().unwrap_or_default()
    }

    /// The last bytes that were pushed, as far as they are not in the text yet.
    pub(crate) fn undecided(&self) -> Vec<u8> {
        if self.truncated {
            return Vec::new();
        }
        let held = self.masks.as_ref().map_or(&[][..], Masks::held);
        // Half a character has passed the masks, so it is older.
        [&self.partial, held].concat()
    }

    /// Looks for secrets in all that comes from now on.
    pub(crate) fn mask(&mut self, secrets: &[String]) {
        self.masks = Masks::new(secrets);
    }

    /// The last line of standard output without secrets. In JSON only texts are looked through, so that it stays
    /// what it is.
    pub(crate) fn hide(&self, line: String) -> String {
        let Some(masks) = &self.masks else {
            return line;
        };
        let Ok(mut json) = serde_json::from_str::<Value>(&line) else {
            return masks.of_text(&line);
        };
        if hide_texts(masks, &mut json) {
            json.to_string()
        } else {
            line
        }
    }

    /// A line of the platform's own.
    pub(crate) fn say(&mut self, line: &str) {
        self.end_partial();
        let start = if self.at_line_start { "" } else { "\n" };
        let line = format!("{start}{MARK}{}\n", line.replace(['\n', '\r', '\0'], " "));
        self.keep(line.as_bytes());
        self.at_line_start = true;
    }

    /// What the process wrote.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if self.truncated || bytes.is_empty() {
            return;
        }
        if let Some(masks) = &mut self.masks {
            let bytes = masks.push(bytes);
            self.push_masked(&bytes);
        } else {
            self.push_masked(bytes);
        }
    }

    fn push_masked(&mut self, bytes: &[u8]) {
        let room = self.limit.saturating_sub(self.kept);
        let fits = usize::try_from(room).unwrap_or(usize::MAX).min(bytes.len());
        self.push_text(&bytes[..fits]);
        if fits < bytes.len() {
            self.say(&format!(
                "log truncated: it has more than {} bytes",
                self.limit
            ));
            self.truncated = true;
        }
    }

    fn push_text(&mut self, bytes: &[u8]) {
        let joined;
        let mut rest = if self.partial.is_empty() {
            bytes
        } else {
            joined = [std::mem::take(&mut self.partial).as_slice(), bytes].concat();
            joined.as_slice()
        };
        loop {
            match std::str::from_utf8(rest) {
                Ok(valid) => return self.keep_text(valid),
                Err(error) => {
                    let (valid, after) = rest.split_at(error.valid_up_to());
                    self.keep_text(&String::from_utf8_lossy(valid));
                    let Some(bad) = error.error_len() else {
                        self.partial = after.to_vec();
                        return;
                    };
                    self.keep_text("\u{FFFD}");
                    rest = &after[bad..];
                }
            }
        }
    }

    fn keep_text(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        self.at_line_start = text.ends_with('\n');
        if text.contains('\0') {
            self.keep(text.replace('\0', "\u{FFFD}").as_bytes());
        } else {
            self.keep(text.as_bytes());
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        self.kept += bytes.len() as u64;
        self.text.extend_from_slice(bytes);
    }

    fn end_partial(&mut self) {
        if !std::mem::take(&mut self.partial).is_empty() {
            self.keep_text("\u{FFFD}");
        }
    }

    /// Whether it has its limit, so that nothing more comes into it.
    pub(crate) fn is_truncated(&self) -> bool {
        self.truncated
    }

    /// Whether there is something to store.
    pub(crate) fn has_text(&self) -> bool {
        !self.text.is_empty() || self.unsettled.is_some()
    }

    /// Whether there is enough to store it at once.
    pub(crate) fn is_full(&self) -> bool {
        self.text.len() >= CHUNK
    }

    /// Bytes kept so far.
    pub(crate) fn kept(&self) -> u64 {
        self.kept
    }

    /// Whether the next part was tried before.
    pub(crate) fn is_unsettled(&self) -> bool {
        self.unsettled.is_some()
    }

    /// The next part with its number; the same one until [`Self::settle`].
    pub(crate) fn next_part(&mut self) -> Option<(i64, Vec<u8>)> {
        if self.unsettled.is_none() && !self.text.is_empty() {
            self.number += 1;
            self.unsettled = Some(std::mem::take(&mut self.text));
        }
        let part = self.unsettled.clone()?;
        Some((self.number, part))
    }

    /// The part is stored, or nobody wants it.
    pub(crate) fn settle(&mut self) {
        self.unsettled = None;
    }

    /// What is left, with its number: with the part, where that may be stored already, in its place.
    fn take(&mut self) -> Option<(i64, Vec<u8>)> {
        match self.unsettled.take() {
            Some(mut part) => {
                part.append(&mut self.text);
                self.text = part;
            }
            None if self.text.is_empty() => return None,
            None => self.number += 1,
        }
        Some((self.number, std::mem::take(&mut self.text)))
    }

    /// The last chunk with its number.
    pub(crate) fn finish(&mut self) -> Option<(i64, Vec<u8>)> {
        if let Some(masks) = &mut self.masks
            && !self.truncated
        {
            let bytes = masks.finish();
            self.push_masked(&bytes);
        }
        self.end_partial();
        self.take()
    }

    /// The same, for whoever may have more to say.
    pub(crate) fn end(&mut self) -> LogEnd {
        let next = (self.number + 1, Vec::new());
        let (number, text) = self.finish().unwrap_or(next);
        LogEnd {
            number,
            text,
            is_at_line_start: self.at_line_start,
        }
    }
}

/// Whether there was something to hide.
fn hide_texts(masks: &Masks, json: &mut Value) -> bool {
    match json {
        Value::String(text) => {
            let hidden = masks.of_text(text);
            let changed = hidden != *text;
            *text = hidden;
            changed
        }
        Value::Array(items) => items
            .iter_mut()
            .fold(false, |any, it| hide_texts(masks, it) | any),
        Value::Object(fields) => {
            let mut any = false;
            for (name, mut value) in std::mem::take(fields) {
                let hidden = masks.of_text(&name);
                any |= hidden != name;
                any |= hide_texts(masks, &mut value);
                fields.insert(hidden, value);
            }
            any
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn whole(chunks: &[&[u8]], limit: u64) -> String {
        let mut log = LogBuffer::new(limit);
        let mut all = Vec::new();
        for chunk in chunks {
            log.push(chunk);
            all.extend(log.next_part().map(|(_, bytes)| bytes).unwrap_or_default());
            log.settle();
        }
        all.extend(log.finish().map(|(_, bytes)| bytes).unwrap_or_default());
        String::from_utf8(all).unwrap()
    }

    #[test]
    fn nul_and_half_characters() {
        assert_eq!(whole(&[b"a\0b", "ä".as_bytes()], 99), "a\u{FFFD}bä");
        assert_eq!(
            whole(&["ä".as_bytes()[..1].as_ref(), b"x"], 99),
            "\u{FFFD}x"
        );
        assert_eq!(whole(&["ä".as_bytes()[..1].as_ref()], 99), "\u{FFFD}");
    }

    #[test]
    fn a_second_attempt_goes_on_in_numbers_and_in_the_limit() {
        let mut log = LogBuffer::after(10, 3, 8);
        log.push(b"12345");
        let (number, bytes) = log.finish().unwrap();
        assert_eq!(number, 4);
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.starts_with("12\n[marquetry] log truncated"), "{text}");
    }

    #[test]
    fn another_server_goes_on_where_this_one_was() {
        let secrets = ["s3cret".to_owned()];
        let rest = |log: &mut LogBuffer, held: &[u8]| {
            log.push(held);
            log.push(b"et b");
            String::from_utf8(log.finish().unwrap().1).unwrap()
        };
        let mut log = LogBuffer::new(99);
        log.mask(&secrets);
        log.push(b"a s3cr");
        let state = log.state();
        let held = log.undecided();
        assert_eq!(held, b"s3cr");
        // Nothing of it is stored, the text is, and more is.
        for (stored, held, expected) in [
            (0, &held[..], "a ******** b"),
            (2, &held, "******** b"),
            (20, b"", "et b"),
        ] {
            let number = i64::from(stored > 0);
            let stored = (number, stored);
            let mut next = LogBuffer::resumed(99, state.clone(), &secrets, stored);
            assert_eq!(rest(&mut next, held), expected, "{stored:?}");
        }
        let full = LogBuffer::resumed(5, state, &secrets, (1, 60));
        assert!(full.truncated);
    }

    #[test]
    fn a_part_stays_what_it_is_until_it_is_settled() {
        let mut log = LogBuffer::new(99);
        log.push(b"one ");
        assert_eq!(log.next_part(), Some((1, b"one ".to_vec())));
        log.push(b"two ");
        assert_eq!(log.next_part(), Some((1, b"one ".to_vec())));
        log.settle();
        assert_eq!(log.next_part(), Some((2, b"two ".to_vec())));
        log.push(b"three");
        assert_eq!(log.finish(), Some((2, b"two three".to_vec())));
    }

    #[test]
    fn above_the_limit_it_says_so_once() {
        let text = whole(&[b"12345678", b"90", b"more", b"and more"], 9);
        assert!(
            text.starts_with("123456789\n[marquetry] log truncated"),
            "{text}"
        );
        assert_eq!(text.matches("truncated").count(), 1);
    }

    proptest! {
        #[test]
        fn cutting_anywhere_gives_the_same_text(bytes: Vec<u8>, cut: prop::sample::Index) {
            let cut = cut.index(bytes.len() + 1);
            let expected = String::from_utf8_lossy(&bytes).replace('\0', "\u{FFFD}");
            prop_assert_eq!(whole(&[&bytes[..cut], &bytes[cut..]], u64::MAX), expected);
        }
    }
}

//! Secrets on their way into a log: replaced before anybody keeps them.

mod finder;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use marquetry_app::secret_forms::secret_forms;

use self::finder::{Finder, State};

/// What is written in place of a secret.
const MASK: &[u8] = b"********";
/// Shorter secrets are not looked for: they would be found in every other word.
const SHORTEST: usize = 4;

/// Finds secrets in bytes that come in parts: as they are, in base64, in hex, as part of an address,
/// and as text in JSON. Those that overlap are hidden together, behind one mask. Each byte is looked at
/// once, however the parts are cut and whatever the secrets are: code that prints chooses both.
pub(crate) struct Masks {
    finder: Arc<Finder>,
    state: State,
    /// The end of what has come, which may be the beginning of a secret.
    held: Vec<u8>,
    /// How many bytes came before that. All places are counted from the first byte of all.
    before: usize,
    /// Up to where all is written, or hidden by a mask that is.
    done: usize,
    /// Further secrets, in order; none reaches into another.
    found: VecDeque<Range<usize>>,
}

impl Masks {
    /// None when there is nothing to look for.
    pub(crate) fn new(secrets: &[String]) -> Option<Self> {
        let long = secrets.iter().filter(|secret| secret.len() >= SHORTEST);
        let patterns: BTreeSet<Vec<u8>> = long.flat_map(|secret| secret_forms(secret)).collect();
        if patterns.is_empty() {
            return None;
        }
        let finder = Finder::new(patterns.into_iter().collect());
        Some(Self {
            state: finder.start(),
            finder: Arc::new(finder),
            held: Vec::new(),
            before: 0,
            done: 0,
            found: VecDeque::new(),
        })
    }

    /// A whole text without the secrets in it. What could only be the beginning of one stays: nothing follows.
    pub(crate) fn of_text(&self, text: &str) -> String {
        let mut own = Self {
            finder: Arc::clone(&self.finder),
            state: self.finder.start(),
            held: Vec::new(),
            before: 0,
            done: 0,
            found: VecDeque::new(),
        };
        let mut shown = own.push(text.as_bytes());
        shown.extend_from_slice(own.held());
        String::from_utf8_lossy(&shown).into_owned()
    }

    /// The last bytes, as far as they are not decided yet: what a mask stands for already is.
    pub(crate) fn held(&self) -> &[u8] {
        let decided = self.done.saturating_sub(self.before);
        self.held.get(decided..).unwrap_or_default()
    }

    /// What can be kept of what has come up to now.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut at = self.end();
        self.held.extend_from_slice(bytes);
        for byte in bytes {
            at += 1;
            self.state = self.finder.next(self.state, *byte);
            let length = self.finder.ended(self.state);
            if length > 0 {
                self.hide(at - length..at);
            }
        }
        self.write(at - self.finder.open(self.state))
    }

    /// What is left at the end. Half a secret and more is not shown.
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        let end = self.end();
        let mut open = self.finder.open(self.state);
        while open > 0 {
            if open >= SHORTEST && 2 * open >= self.finder.whole(self.state) {
                self.hide(end - open..end);
                break;
            }
            // It may be the beginning of another one, too, that begins later.
            let next = |state, byte: &u8| self.finder.next(state, *byte);
            let rest = self.text(end - open + 1..end);
            self.state = rest.iter().fold(self.finder.start(), next);
            open = self.finder.open(self.state);
        }
        self.state = self.finder.start();
        self.write(end)
    }

    fn end(&self) -> usize {
        self.before + self.held.len()
    }

    fn text(&self, range: Range<usize>) -> &[u8] {
        &self.held[range.start - self.before..range.end - self.before]
    }

    /// Hides what ends where the last that was hidden ends, or later.
    fn hide(&mut self, range: Range<usize>) {
        let mut start = range.start;
        while let Some(last) = self.found.pop_back_if(|last| last.end > start) {
            start = start.min(last.start);
        }
        if start < self.done {
            self.done = range.end;
        } else {
            self.found.push_back(start..range.end);
        }
    }

    /// What is held before `end`, with masks; the rest stays held.
    fn write(&mut self, end: usize) -> Vec<u8> {
        let mut out = Vec::new();
        while let Some(secret) = self.found.pop_front_if(|next| next.start < end) {
            out.extend_from_slice(self.text(self.done..secret.start));
            out.extend_from_slice(MASK);
            self.done = secret.end;
        }
        if self.done < end {
            out.extend_from_slice(self.text(self.done..end));
            self.done = end;
        }
        self.held.drain(..end - self.before);
        self.before = end;
        out
    }
}

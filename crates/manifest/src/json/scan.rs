//! JSON text as a stream of tokens, by its grammar alone: whatever RFC 8259 allows passes, at any
//! depth and with numbers of any size.

use std::ops::Range;

/// A piece of a text; the ranges are places in it, with the quotes of texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// A list or an object begins.
    Open(Kind),
    /// The innermost of them ends.
    Close,
    /// The key of the value that comes next.
    Key(Range<usize>),
    /// A number.
    Number(Range<usize>),
    /// A text, `true`, `false` or `null`.
    Other,
}

/// What holds other values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    List,
    Object,
}

/// The text is not JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotJson;

type Scanned<T> = Result<T, NotJson>;

/// What may come next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Value,
    ValueOrClose,
    Key,
    KeyOrClose,
    CommaOrClose,
}

/// Reads a text once. It remembers one byte for each level, so no depth is too much for it.
pub(super) struct Scanner<'t> {
    text: &'t [u8],
    at: usize,
    open: Vec<Kind>,
    next: Next,
    lone: Vec<Range<usize>>,
}

impl<'t> Scanner<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self {
            text: text.as_bytes(),
            at: 0,
            open: Vec::new(),
            next: Next::Value,
            lone: Vec::new(),
        }
    }

    /// The escapes so far that are half of a character: `\ud83d` without its other half.
    pub(super) fn into_lone_surrogates(self) -> Vec<Range<usize>> {
        self.lone
    }

    /// How many lists and objects are open.
    pub(super) fn depth(&self) -> usize {
        self.open.len()
    }

    /// The next token; none at the end of the text.
    pub(super) fn token(&mut self) -> Scanned<Option<Token>> {
        self.skip_blanks();
        if self.next == Next::CommaOrClose && self.peek() == Some(b',') {
            self.next = match self.open.last().ok_or(NotJson)? {
                Kind::List => Next::Value,
                Kind::Object => Next::Key,
            };
            self.at += 1;
            self.skip_blanks();
        }
        let Some(byte) = self.peek() else {
            let is_whole = self.next == Next::CommaOrClose && self.open.is_empty();
            return if is_whole { Ok(None) } else { Err(NotJson) };
        };
        let token = match (self.next, byte) {
            (Next::ValueOrClose | Next::CommaOrClose, b']') => self.close(Kind::List)?,
            (Next::KeyOrClose | Next::CommaOrClose, b'}') => self.close(Kind::Object)?,
            (Next::Key | Next::KeyOrClose, b'"') => self.key()?,
            (Next::Value | Next::ValueOrClose, _) => self.value(byte)?,
            (Next::Key | Next::KeyOrClose | Next::CommaOrClose, _) => return Err(NotJson),
        };
        Ok(Some(token))
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn skip_blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn close(&mut self, kind: Kind) -> Scanned<Token> {
        if self.open.pop() != Some(kind) {
            return Err(NotJson);
        }
        self.at += 1;
        self.next = Next::CommaOrClose;
        Ok(Token::Close)
    }

    fn key(&mut self) -> Scanned<Token> {
        let key = self.text()?;
        self.skip_blanks();
        self.take(b":")?;
        self.next = Next::Value;
        Ok(Token::Key(key))
    }

    fn value(&mut self, first: u8) -> Scanned<Token> {
        let (kind, next) = match first {
            b'[' => (Kind::List, Next::ValueOrClose),
            b'{' => (Kind::Object, Next::KeyOrClose),
            _ => return self.scalar(first),
        };
        self.at += 1;
        self.open.push(kind);
        self.next = next;
        Ok(Token::Open(kind))
    }

    fn scalar(&mut self, first: u8) -> Scanned<Token> {
        self.next = Next::CommaOrClose;
        match first {
            b'"' => self.text().map(|_| Token::Other),
            b't' => self.take(b"true").map(|()| Token::Other),
            b'f' => self.take(b"false").map(|()| Token::Other),
            b'n' => self.take(b"null").map(|()| Token::Other),
            b'-' | b'0'..=b'9' => self.number().map(Token::Number),
            _ => Err(NotJson),
        }
    }

    fn take(&mut self, word: &[u8]) -> Scanned<()> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        if !rest.starts_with(word) {
            return Err(NotJson);
        }
        self.at += word.len();
        Ok(())
    }

    fn number(&mut self) -> Scanned<Range<usize>> {
        let start = self.at;
        self.skip_one_of(b"-");
        if !self.skip_one_of(b"0") {
            self.digits()?;
        }
        if self.skip_one_of(b".") {
            self.digits()?;
        }
        if self.skip_one_of(b"eE") {
            self.skip_one_of(b"+-");
            self.digits()?;
        }
        Ok(start..self.at)
    }

    fn skip_one_of(&mut self, bytes: &[u8]) -> bool {
        let is_there = self.peek().is_some_and(|byte| bytes.contains(&byte));
        self.at += usize::from(is_there);
        is_there
    }

    fn digits(&mut self) -> Scanned<()> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == start {
            Err(NotJson)
        } else {
            Ok(())
        }
    }

    fn text(&mut self) -> Scanned<Range<usize>> {
        let start = self.at;
        self.at += 1;
        loop {
            match self.peek().ok_or(NotJson)? {
                b'"' => {
                    self.at += 1;
                    return Ok(start..self.at);
                }
                b'\\' => self.escape()?,
                0..=0x1f => return Err(NotJson),
                _ => self.at += 1,
            }
        }
    }

    fn escape(&mut self) -> Scanned<()> {
        let start = self.at;
        self.at += 1;
        if !self.skip_one_of(b"u") {
            let known = self.skip_one_of(b"\"\\/bfnrt");
            return if known { Ok(()) } else { Err(NotJson) };
        }
        let unit = self.unit(self.at).ok_or(NotJson)?;
        self.at += 4;
        match unit {
            0xd800..=0xdbff if self.low_half() => self.at += 6,
            0xd800..=0xdfff => self.lone.push(start..self.at),
            _ => {}
        }
        Ok(())
    }

    /// Whether the second half of a character comes next.
    fn low_half(&self) -> bool {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let unit = self.unit(self.at + 2);
        rest.starts_with(b"\\u") && matches!(unit, Some(0xdc00..=0xdfff))
    }

    /// Four hexadecimal digits.
    fn unit(&self, at: usize) -> Option<u16> {
        let digits = self.text.get(at..at + 4)?;
        let digits = digits.iter().all(u8::is_ascii_hexdigit).then_some(digits)?;
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    }
}

//! Secrets on their way into a log: replaced before anybody keeps them.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

/// What is written in place of a secret.
const MASK: &[u8] = b"********";
/// Shorter secrets are not looked for: they would be found in every other word.
const SHORTEST: usize = 4;
/// Shorter forms in base64 are not looked for, for the same reason.
const SHORTEST_BASE64: usize = 8;
/// Longer secrets are looked for in pieces, so that the end of what has come is soon compared.
const LONGEST: usize = 4096;
/// What is left as it is in an address (RFC 3986, section 2.3).
const RESERVED: AsciiSet = NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Finds secrets in bytes that come in parts: as they are, in base64, as part of an address, and as
/// text in JSON.
pub(crate) struct Masks {
    finder: AhoCorasick,
    /// In byte order.
    patterns: Vec<Vec<u8>>,
    longest: usize,
    /// The end of what has come, which may be the beginning of a secret.
    held: Vec<u8>,
}

impl Masks {
    /// None when there is nothing to look for.
    pub(crate) fn new(secrets: &[String]) -> Option<Self> {
        let long = secrets.iter().filter(|secret| secret.len() >= SHORTEST);
        let patterns: BTreeSet<Vec<u8>> = long.flat_map(|secret| forms(secret)).collect();
        if patterns.is_empty() {
            return None;
        }
        let patterns: Vec<Vec<u8>> = patterns.into_iter().collect();
        let finder = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(&patterns)
            .expect("the settings of a tenant are far below four gigabytes");
        Some(Self {
            finder,
            longest: patterns.iter().map(Vec::len).max().unwrap_or(0),
            patterns,
            held: Vec::new(),
        })
    }

    /// What can be kept of what has come up to now.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut all = std::mem::take(&mut self.held);
        all.extend_from_slice(bytes);
        let mut out = Vec::with_capacity(all.len());
        let mut rest = 0;
        let mut open = self.open(&all, rest);
        for found in self.finder.find_iter(&all) {
            // It may turn out to be part of a longer one.
            if found.start() >= open {
                break;
            }
            out.extend_from_slice(&all[rest..found.start()]);
            out.extend_from_slice(MASK);
            rest = found.end();
            open = open.max(self.open(&all, rest));
        }
        out.extend_from_slice(&all[rest..open]);
        self.held = all.split_off(open);
        out
    }

    /// What is left at the end. Half a secret and more is not shown.
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        let held = std::mem::take(&mut self.held);
        let masks = vec![MASK; self.patterns.len()];
        let mut out = self.finder.replace_all_bytes(&held, &masks);
        let begun = |pattern: &&Vec<u8>| pattern.starts_with(&held);
        let shortest = self.patterns.iter().filter(begun).map(Vec::len).min();
        let half = shortest.is_some_and(|whole| 2 * held.len() >= whole);
        if half && held.len() >= SHORTEST {
            out = MASK.to_vec();
        }
        out
    }

    /// Where, from `rest` on, the first beginning of a secret is that goes on to the end.
    fn open(&self, all: &[u8], rest: usize) -> usize {
        let first = rest.max((all.len() + 1).saturating_sub(self.longest));
        (first..all.len())
            .find(|at| self.is_beginning(&all[*at..]))
            .unwrap_or(all.len())
    }

    /// Whether it is a secret's beginning, and not the whole of it.
    fn is_beginning(&self, text: &[u8]) -> bool {
        // They are sorted: what begins with the text follows it at once.
        let at = self
            .patterns
            .partition_point(|pattern| pattern.as_slice() <= text);
        self.patterns
            .get(at)
            .is_some_and(|pattern| pattern.starts_with(text))
    }
}

/// How a secret may be written.
fn forms(secret: &str) -> Vec<Vec<u8>> {
    let address = percent_encode(secret.as_bytes(), &RESERVED).to_string();
    let json = inner(&serde_json::Value::from(secret).to_string());
    let mut all = vec![
        secret.to_owned(),
        address.replace("%20", "+"),
        lower_escapes(&address),
        address,
        json.replace('/', "\\/"),
        ascii(&json),
        json,
    ];
    for engine in [STANDARD, URL_SAFE] {
        all.push(engine.encode(secret));
        all.extend((0..3).map(|before| within(&engine, secret, before)));
    }
    all.iter()
        .flat_map(|form| form.as_bytes().chunks(LONGEST))
        .filter(|piece| piece.len() >= SHORTEST)
        .map(<[u8]>::to_vec)
        .collect()
}

/// The characters of a base64 text that are the secret's alone, when so many bytes (modulo three)
/// stand before it. Empty when they are too few.
fn within(engine: &impl base64::Engine, secret: &str, before: usize) -> String {
    let mut bytes = vec![0; before];
    bytes.extend_from_slice(secret.as_bytes());
    // Six bits a character: what is shared with a neighbour at either end is left out.
    let own = (before * 8).div_ceil(6)..bytes.len() * 8 / 6;
    let text = engine.encode(&bytes);
    let own = text.get(own).unwrap_or_default();
    if own.len() < SHORTEST_BASE64 {
        return String::new();
    }
    own.to_owned()
}

fn inner(quoted: &str) -> String {
    quoted[1..quoted.len() - 1].to_owned()
}

/// `%2f` for `%2F`.
fn lower_escapes(address: &str) -> String {
    let mut parts = address.split('%');
    let mut lower = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (digits, rest) = part.split_at(2);
        lower.push('%');
        lower.push_str(&digits.to_ascii_lowercase());
        lower.push_str(rest);
    }
    lower
}

/// JSON with nothing but ASCII, as some writers make it.
fn ascii(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() {
            text.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            write!(text, "\\u{unit:04x}").expect("text takes all that is written");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn masked(secrets: &[&str], parts: &[&str]) -> String {
        let secrets: Vec<String> = secrets.iter().map(|&secret| secret.into()).collect();
        let mut masks = Masks::new(&secrets).unwrap();
        let mut all = Vec::new();
        for part in parts {
            all.extend(masks.push(part.as_bytes()));
        }
        all.extend(masks.finish());
        String::from_utf8(all).unwrap()
    }

    #[test]
    fn every_form_is_found() {
        let secret = "p\u{e4}ss \"w/rd\" 12345";
        let credentials = STANDARD.encode(format!("user:{secret}"));
        let shown = STANDARD.encode("user:");
        for written in [
            secret,
            "p%C3%A4ss%20%22w%2Frd%22%2012345",
            "p%c3%a4ss+%22w%2frd%22+12345".replace('+', "%20").as_str(),
            "p%C3%A4ss+%22w%2Frd%22+12345",
            "p\u{e4}ss \\\"w/rd\\\" 12345",
            "p\\u00e4ss \\\"w/rd\\\" 12345",
            "p\u{e4}ss \\\"w\\/rd\\\" 12345",
            &STANDARD.encode(secret),
            &STANDARD.encode(format!("{secret}\n")),
            &URL_SAFE.encode(secret),
            &credentials,
        ] {
            let text = masked(&[secret], &["a ", written, " b"]);
            let rest = text.replace("********", "");
            assert!(text.contains("********"), "{written}: {text}");
            assert!(rest.len() < shown.len() + 10, "{written}: {text}");
        }
    }

    #[test]
    fn a_longer_secret_goes_before_a_shorter_one_in_it() {
        let secrets = ["abcdefghij", "cdef"];
        assert_eq!(masked(&secrets, &["abcdef", "ghij!"]), "********!");
        assert_eq!(masked(&secrets, &["abcdef", "x"]), "ab********x");
        assert_eq!(masked(&["cdef", "cdefgh"], &["cdef"]), "********");
    }

    #[test]
    fn what_is_short_is_not_looked_for() {
        assert!(Masks::new(&["abc".into(), String::new()]).is_none());
    }

    #[test]
    fn text_is_not_held_longer_than_it_may_be_a_secret() {
        let mut masks = Masks::new(&["secret".into()]).unwrap();
        assert_eq!(masks.push(b"a line\n"), b"a line\n");
        assert_eq!(masks.push(b"sec"), b"");
        assert_eq!(masks.push(b"ond\n"), b"second\n");
    }

    #[test]
    fn most_of_a_secret_at_the_end_is_not_shown() {
        assert_eq!(masked(&["0123456789"], &["a 01234567"]), "a ********");
        assert_eq!(masked(&["0123456789"], &["a 0123"]), "a 0123");
    }

    proptest! {
        #[test]
        fn cutting_anywhere_masks_the_same(
            secrets in prop::collection::vec("[ab]{4,7}", 1..4),
            text in "[abc]{0,40}",
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
        ) {
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
            cuts.sort_unstable();
            let mut masks = Masks::new(&secrets).unwrap();
            let mut parts = Vec::new();
            let mut from = 0;
            for to in cuts.into_iter().chain([text.len()]) {
                parts.extend(masks.push(&text.as_bytes()[from..to]));
                from = to;
            }
            // Something other than a secret ends it, so that none is open.
            parts.extend(masks.push(b"."));
            let mut whole = Masks::new(&secrets).unwrap();
            prop_assert_eq!(parts, whole.push(format!("{text}.").as_bytes()));
        }
    }
}

//! The forms in which a secret may stand in a log, or in what a system says of a request.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

/// Shorter ones are not looked for: they would be found in every other word.
const SHORTEST: usize = 4;
/// Shorter forms in base64 are not looked for: they would be found in every other word.
const SHORTEST_BASE64: usize = 8;
/// Longer secrets are looked for in pieces, so that the end of what has come is soon compared.
const LONGEST: usize = 4096;
/// What is left as it is in an address (RFC 3986, section 2.3).
const RESERVED: AsciiSet = NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The same where a path is written, as Python's `quote` does.
const OF_PATHS: AsciiSet = RESERVED.remove(b'/');
/// What `encodeURIComponent` leaves besides.
const OF_COMPONENTS: AsciiSet = RESERVED
    .remove(b'!')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');
/// What `encodeURI` leaves: all that has a meaning in an address.
const OF_ADDRESSES: AsciiSet = OF_COMPONENTS
    .remove(b';')
    .remove(b'/')
    .remove(b'?')
    .remove(b':')
    .remove(b'@')
    .remove(b'&')
    .remove(b'=')
    .remove(b'+')
    .remove(b'$')
    .remove(b',')
    .remove(b'#');

/// How a secret may be written, in pieces of at most 4096 bytes.
#[must_use]
pub fn secret_forms(secret: &str) -> Vec<Vec<u8>> {
    let json = inner(&serde_json::Value::from(secret).to_string());
    let json_ascii = ascii(&json);
    let mut all = vec![
        secret.to_owned(),
        json.replace('/', "\\/"),
        json_ascii.replace('/', "\\/"),
        json_ascii,
        json,
    ];
    for kept in [&RESERVED, &OF_PATHS, &OF_COMPONENTS, &OF_ADDRESSES] {
        let address = percent_encode(secret.as_bytes(), kept).to_string();
        all.extend([
            address.replace("%20", "+"),
            lower_escapes(&address),
            address,
        ]);
    }
    // Most secrets need no escape, and are the same in all of them.
    all.sort_unstable();
    all.dedup();
    let hex = hex(secret);
    all.extend([hex.to_ascii_uppercase(), hex]);
    // An OAuth client's secret is coded as a form's value before it is a part of `Authorization: Basic`.
    let coded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let mut texts = vec![secret, &coded];
    texts.dedup();
    for text in texts {
        for engine in [STANDARD, URL_SAFE] {
            all.push(engine.encode(text));
            all.extend((0..3).map(|before| within(&engine, text, before)));
        }
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

/// Two lower-case digits for each byte.
fn hex(secret: &str) -> String {
    let mut text = String::with_capacity(2 * secret.len());
    for byte in secret.bytes() {
        write!(text, "{byte:02x}").expect("text takes all that is written");
    }
    text
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

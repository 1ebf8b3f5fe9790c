//! The text of a key: `mq_`, 43 random characters, 6 characters of checksum.
//!
//! The checksum refuses typing errors without a query and lets secret scanners find leaked keys.
//! 256 bits of chance need no slow hash, so the store keeps SHA-256 of the whole text.

use aws_lc_rs::digest::{SHA256, digest};

use crate::random;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const MARK: &str = "mq_";
const RANDOM: usize = 43;
const CHECK: usize = 6;

/// A new key.
pub(crate) fn generate() -> String {
    let mut text = MARK.to_owned();
    while text.len() < MARK.len() + RANDOM {
        for byte in random::bytes::<64>() {
            // 248 is the largest multiple of 62 below 256: no character is likelier than another.
            if byte < 248 && text.len() < MARK.len() + RANDOM {
                text.push(char::from(ALPHABET[usize::from(byte % 62)]));
            }
        }
    }
    let check = checksum(&text);
    text.push_str(&check);
    text
}

/// Whether a text could be a key at all. Keys given by the operator have any shape.
pub(crate) fn is_plausible(text: &str) -> bool {
    if text.is_empty() || text.len() > 512 {
        return false;
    }
    let ours = text.len() == MARK.len() + RANDOM + CHECK
        && text
            .strip_prefix(MARK)
            .is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_alphanumeric()));
    if !ours {
        return true;
    }
    let (key, check) = text.split_at(MARK.len() + RANDOM);
    checksum(key) == check
}

/// What the store finds a key by.
pub(crate) fn hash(text: &str) -> [u8; 32] {
    digest(&SHA256, text.as_bytes())
        .as_ref()
        .try_into()
        .expect("SHA-256 has 32 bytes")
}

/// What a list shows of it: enough to recognise a key of ours by, little of a text that the
/// operator chose and that may be short.
pub(crate) fn prefix(text: &str) -> String {
    if text.starts_with(MARK) && text.len() == MARK.len() + RANDOM + CHECK {
        text.chars().take(8).collect()
    } else {
        text.chars().take(3).chain(['…']).collect()
    }
}

fn checksum(text: &str) -> String {
    let mut rest = crc32fast::hash(text.as_bytes());
    let mut digits = [b'0'; CHECK];
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET[(rest % 62) as usize];
        rest /= 62;
    }
    digits.iter().map(|b| char::from(*b)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_error_is_noticed_without_a_query() {
        let key = generate();
        assert_eq!(key.len(), 52);
        assert!(is_plausible(&key));
        let last = if key.ends_with('0') { "1" } else { "0" };
        let wrong = format!("{}{last}", &key[..key.len() - 1]);
        assert!(!is_plausible(&wrong));
    }

    #[test]
    fn a_list_shows_little_of_a_key() {
        assert_eq!(prefix(&generate()).chars().count(), 8);
        assert_eq!(prefix("short-one"), "sho…");
    }

    #[test]
    fn a_key_of_the_operators_own_shape_is_looked_up() {
        assert!(is_plausible("a-secret-of-ours"));
        assert!(is_plausible("mq_with-ä-inside"));
        assert!(!is_plausible(""));
    }
}

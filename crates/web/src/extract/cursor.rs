//! Where a list goes on, as a text that clients only hand back.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Cursor {
    skip: i64,
}

/// The text of a place in a list.
pub(crate) fn write(skip: i64) -> String {
    let json = serde_json::to_vec(&Cursor { skip }).expect("a number is JSON");
    URL_SAFE_NO_PAD.encode(json)
}

/// The place that a text of [`write()`] means.
pub(crate) fn read(text: &str) -> Option<i64> {
    let json = URL_SAFE_NO_PAD.decode(text).ok()?;
    let Cursor { skip } = serde_json::from_slice(&json).ok()?;
    (skip >= 0).then_some(skip)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_texts_are_read() {
        assert_eq!(read(&write(500)), Some(500));
        let negative = URL_SAFE_NO_PAD.encode(r#"{"skip":-1}"#);
        for bad in ["", "x", "eyJza2lw", negative.as_str()] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}

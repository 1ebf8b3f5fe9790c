//! Addresses that a page may send its reader to.

use std::fmt;

/// An address of the web, or a path of ours.
///
/// Some of them are a provider's words, and escaping makes no `javascript:` harmless.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Href(String);

impl Href {
    /// Nothing, if it is neither.
    pub(crate) fn new(text: impl Into<String>) -> Option<Self> {
        let text = text.into();
        let scheme = |name: &str| {
            text.get(..name.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(name))
        };
        // A browser reads "//" and "/\" at the start as another host, and drops tabs and line ends
        // before it looks.
        let path = text.starts_with('/') && !text[1..].starts_with(['/', '\\']);
        let clean = !text.contains(|letter: char| letter.is_control() || letter == ' ');
        (clean && (path || scheme("https://") || scheme("http://"))).then_some(Self(text))
    }
}

impl fmt::Display for Href {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

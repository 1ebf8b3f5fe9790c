//! The address of a blob: what it is and the hash of its content.

use std::fmt;
use std::str::FromStr;

use crate::digest::{ParseSha256Error, Sha256};

/// What a blob is. Kinds do not share content: each has its own retention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A packed work folder of a build; kept as it is (it is compressed already).
    Artifact,
    /// The log of a run or a build; compressed at rest.
    Log,
    /// A trigger's payload or a webhook's body; compressed at rest.
    Payload,
    /// A source folder as somebody sent it, a `.tar.gz`; kept as it is.
    Source,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Artifact, Self::Log, Self::Payload, Self::Source];

    /// The word used in references and in the store's layout.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Artifact => "artifact",
            Self::Log => "log",
            Self::Payload => "payload",
            Self::Source => "source",
        }
    }

    /// Whether the store compresses this kind at rest.
    pub(crate) fn is_compressed(self) -> bool {
        match self {
            Self::Artifact | Self::Source => false,
            Self::Log | Self::Payload => true,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The address of a blob, shown as `artifact/<64 hexadecimal digits>`.
///
/// The hash is that of the content as it was put, whatever its form at rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobRef {
    /// What the blob is.
    pub kind: Kind,
    /// The hash of its content.
    pub sha256: Sha256,
}

impl fmt::Display for BlobRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.sha256)
    }
}

/// A text is not the address of a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseBlobRefError {
    /// The word before the slash is missing or names no kind.
    #[error("a blob reference starts with artifact/, log/, payload/ or source/")]
    Kind,
    /// The part after the slash is not a hash.
    #[error("a blob reference ends with the hash of its content")]
    Hash(#[source] ParseSha256Error),
}

impl FromStr for BlobRef {
    type Err = ParseBlobRefError;

    fn from_str(text: &str) -> Result<Self, ParseBlobRefError> {
        let (word, hash) = text.split_once('/').ok_or(ParseBlobRefError::Kind)?;
        let kind = Kind::ALL
            .into_iter()
            .find(|kind| kind.as_str() == word)
            .ok_or(ParseBlobRefError::Kind)?;
        let sha256 = hash.parse().map_err(ParseBlobRefError::Hash)?;
        Ok(Self { kind, sha256 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_read_back_from_its_text() {
        for kind in Kind::ALL {
            let blob = BlobRef {
                kind,
                sha256: Sha256::of(b"x"),
            };
            assert_eq!(blob.to_string().parse(), Ok(blob));
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let hash = Sha256::of(b"x").to_string();
        assert_eq!("artifact".parse::<BlobRef>(), Err(ParseBlobRefError::Kind));
        let unknown = format!("release/{hash}").parse::<BlobRef>();
        assert_eq!(unknown, Err(ParseBlobRefError::Kind));
        for text in [
            "log/",
            "log/../x",
            &format!("log/{hash}/"),
            &format!("log//{hash}"),
        ] {
            let parsed = text.parse::<BlobRef>();
            assert_eq!(
                parsed,
                Err(ParseBlobRefError::Hash(ParseSha256Error)),
                "{text}"
            );
        }
    }
}

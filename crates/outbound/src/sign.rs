//! Signatures that third parties ask for. Pure functions: the time and every random value are
//! arguments, and nothing is sent.

mod encoding;
pub mod jwt;
pub mod oauth1;
pub mod sigv4;

use crate::pem::PemError;

/// Why something could not be signed. No variant holds a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The address names no host, so there is nothing to sign for.
    #[error("the address to sign for has no host")]
    NoHost,
    /// A value has characters that no header can carry.
    #[error("{what} has characters that cannot stand in a header, such as line ends")]
    Header {
        /// Which value.
        what: &'static str,
    },
    /// The key cannot be read.
    #[error("the signing key cannot be read: {0}")]
    Pem(PemError),
    /// The key can be read and is of another kind than the algorithm needs.
    #[error("the signing key is not {needed}")]
    KeyKind {
        /// What the algorithm needs.
        needed: &'static str,
    },
    /// The library refused to sign.
    #[error("the key does not sign; it may be damaged")]
    Signing,
}

impl From<PemError> for SignError {
    fn from(wrong: PemError) -> Self {
        Self::Pem(wrong)
    }
}

//! Sealing and opening of secrets.
//!
//! A master key, which the operator keeps outside of the database, wraps data keys, which lie in it;
//! each kind of record has a data key of its own. What is sealed is bound to its place: a sealed text
//! that is moved to another row or column does not open.
//!
//! Invariants: nothing here knows a database, a file or a clock; no type that holds a secret shows it
//! in `Debug`; AES-256-GCM-SIV, so that a nonce that comes twice (a restored machine) discloses no more
//! than that two texts are equal.
#![warn(missing_docs)]

mod data;
mod master;
mod sealed;

pub use data::DataKey;
pub use master::MasterKey;
pub use sealed::{Place, key_of};
pub use zeroize::Zeroizing;

/// Why something cannot be sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// Not 32 bytes in base64.
    #[error("a master key is 32 bytes in base64; `marquetry keys master` makes one")]
    NoKey,
    /// The text is not what sealing makes.
    #[error("the sealed text is damaged, or of a later version")]
    Form,
    /// The text was sealed with another data key.
    #[error("the text was sealed with data key {0}")]
    OtherKey(i64),
    /// Another key, another place, or changed bytes.
    #[error("the sealed text does not open with this key at this place")]
    Refused,
    /// The machine gives no random bytes.
    #[error("the random source of the machine does not work")]
    Random,
}

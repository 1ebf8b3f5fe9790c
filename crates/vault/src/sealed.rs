//! The form of a sealed text, and what it is bound to.

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use zeroize::Zeroizing;

use crate::VaultError;

/// The first version of the form.
const VERSION: &str = "1";

/// Where a secret lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// The table.
    pub table: &'a str,
    /// The column, or what tells several secrets of one row apart.
    pub column: &'a str,
    /// The row.
    pub row: i64,
}

impl Place<'_> {
    /// Names of tables and columns have no `|`.
    pub(crate) fn bound_to(&self, key: i64) -> String {
        format!("{}|{}|{}|{key}", self.table, self.column, self.row)
    }
}

pub(crate) fn key(bytes: &[u8]) -> Result<RandomizedNonceKey, VaultError> {
    RandomizedNonceKey::new(&AES_256_GCM_SIV, bytes).map_err(|_| VaultError::NoKey)
}

/// `1.<key id>.<nonce and ciphertext in base64>`.
pub(crate) fn seal(
    key: &RandomizedNonceKey,
    key_id: &str,
    bound_to: &str,
    plain: &[u8],
) -> Result<String, VaultError> {
    let mut text = Zeroizing::new(plain.to_vec());
    let nonce = key.seal_in_place_append_tag(Aad::from(bound_to), &mut *text);
    let mut all = nonce.map_err(|_| VaultError::Random)?.as_ref().to_vec();
    all.extend_from_slice(&text);
    Ok(format!(
        "{VERSION}.{key_id}.{}",
        STANDARD_NO_PAD.encode(all)
    ))
}

/// What every text begins with that the data key of this id has sealed.
pub(crate) fn beginning(key_id: i64) -> String {
    format!("{VERSION}.{key_id}.")
}

/// The id of the data key that a text was sealed with; none where it is no sealed text.
pub fn key_of(sealed: &str) -> Option<i64> {
    parts(sealed).ok()?.0.parse().ok()
}

/// The id of the key that a text was sealed with, and the rest.
pub(crate) fn parts(sealed: &str) -> Result<(&str, &str), VaultError> {
    let rest = sealed
        .strip_prefix(VERSION)
        .and_then(|rest| rest.strip_prefix('.'));
    rest.and_then(|rest| rest.split_once('.'))
        .ok_or(VaultError::Form)
}

pub(crate) fn open(
    key: &RandomizedNonceKey,
    bound_to: &str,
    coded: &str,
) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    let all = STANDARD_NO_PAD
        .decode(coded)
        .map_err(|_| VaultError::Form)?;
    let (nonce, sealed) = all.split_at_checked(NONCE_LEN).ok_or(VaultError::Form)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| VaultError::Form)?;
    let mut text = Zeroizing::new(sealed.to_vec());
    let opened = key.open_in_place(nonce, Aad::from(bound_to), &mut text);
    let length = opened.map_err(|_| VaultError::Refused)?.len();
    text.truncate(length);
    Ok(text)
}

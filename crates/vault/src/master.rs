//! The master key: the only secret that the operator must keep.

use std::fmt;

use aws_lc_rs::aead::RandomizedNonceKey;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use crate::sealed::{key, open, parts, seal};
use crate::{DataKey, VaultError};

/// Bytes of a key.
const LENGTH: usize = 32;

/// The key that wraps data keys.
pub struct MasterKey {
    id: String,
    key: RandomizedNonceKey,
}

impl MasterKey {
    /// A new one, as it is kept in a file: 32 random bytes in base64.
    pub fn generate() -> Result<Zeroizing<String>, VaultError> {
        Ok(Zeroizing::new(STANDARD.encode(*random()?)))
    }

    /// Reads one. White space around it is left out.
    pub fn read(text: &str) -> Result<Self, VaultError> {
        let bytes = STANDARD
            .decode(text.trim())
            .map_err(|_| VaultError::NoKey)?;
        let bytes = Zeroizing::new(bytes);
        let hash = digest(
            &SHA256,
            &[b"marquetry master key", bytes.as_slice()].concat(),
        );
        let (id, _) = hash.as_ref().split_at(8);
        let id = URL_SAFE_NO_PAD.encode(id);
        Ok(Self {
            id,
            key: key(&bytes)?,
        })
    }

    /// A name that tells it from others and nothing of it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Makes a data key for a kind of records; wrapped, as it is stored.
    pub fn make_data_key(&self, kind: &str) -> Result<String, VaultError> {
        seal(&self.key, &self.id, &bound_to(kind), &*random()?)
    }

    /// The id of the master key that wraps a data key; empty where the text is damaged.
    pub fn id_of(wrapped: &str) -> &str {
        parts(wrapped).map_or("", |(id, _)| id)
    }

    /// Wraps anew, by this key, what another one has wrapped.
    pub fn rewrap(&self, former: &Self, kind: &str, wrapped: &str) -> Result<String, VaultError> {
        let (of, coded) = parts(wrapped)?;
        if of != former.id {
            return Err(VaultError::Refused);
        }
        let bytes = open(&former.key, &bound_to(kind), coded)?;
        seal(&self.key, &self.id, &bound_to(kind), &bytes)
    }

    /// Opens a data key that is stored under an id.
    pub fn open_data_key(&self, id: i64, kind: &str, wrapped: &str) -> Result<DataKey, VaultError> {
        let (of, coded) = parts(wrapped)?;
        if of != self.id {
            return Err(VaultError::Refused);
        }
        let bytes = open(&self.key, &bound_to(kind), coded)?;
        Ok(DataKey::new(id, key(&bytes)?))
    }
}

fn bound_to(kind: &str) -> String {
    format!("data_keys|wrapped|{kind}")
}

fn random() -> Result<Zeroizing<[u8; LENGTH]>, VaultError> {
    let mut bytes = Zeroizing::new([0; LENGTH]);
    aws_lc_rs::rand::fill(&mut *bytes).map_err(|_| VaultError::Random)?;
    Ok(bytes)
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", self.id)
    }
}

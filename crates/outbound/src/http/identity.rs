//! Who the client is in mutual TLS.

use std::fmt;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::sign::CertifiedKey;

use crate::pem::{self, PemError};

/// A certificate with its chain, and its private key. Cheap to clone.
#[derive(Clone)]
pub struct Identity {
    pub(super) certified: Arc<CertifiedKey>,
}

/// Why there is no identity, or why it cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum IdentityError {
    /// The certificate is not readable.
    #[error("the client certificate cannot be read: {0}")]
    Certificate(PemError),
    /// The key is not readable.
    #[error("the client certificate's key cannot be read: {0}")]
    Key(PemError),
    /// The key is of a kind that TLS does not know, or not the certificate's.
    #[error(
        "the private key and the client certificate do not belong together: the certificate of \
         the key comes first, those of its authorities after it"
    )]
    Mismatch(#[source] rustls::Error),
    /// There is nothing to show the certificate in.
    #[error("a client certificate needs TLS; write the address with https")]
    PlainHttp,
}

impl Identity {
    /// Reads the certificate, followed by those of its authorities, and its key, all in PEM.
    ///
    /// # Errors
    /// [`IdentityError`] when one of them is unreadable or they do not belong together.
    pub fn from_pem(certificates: &str, key: &str) -> Result<Self, IdentityError> {
        let chain = pem::certificates(certificates).map_err(IdentityError::Certificate)?;
        let key = pem::private_key(key).map_err(IdentityError::Key)?;
        let certified = CertifiedKey::from_der(chain, key.clone_key(), &default_provider())
            .map_err(IdentityError::Mismatch)?;
        Ok(Self {
            certified: Arc::new(certified),
        })
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}

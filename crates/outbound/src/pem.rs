//! Keys and certificates as people store them.

use rustls::pki_types::pem::{Error as Malformed, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

/// What is wrong with a text in PEM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PemError {
    /// The key is there, but needs a passphrase.
    #[error("the private key is encrypted; store it without a passphrase")]
    EncryptedKey,
    /// There is no section with a private key.
    #[error("there is no private key; it starts with a line like `-----BEGIN PRIVATE KEY-----`")]
    NoKey,
    /// There is no section with a certificate.
    #[error("there is no certificate; it starts with the line `-----BEGIN CERTIFICATE-----`")]
    NoCertificate,
    /// There are sections, and one of them is broken.
    #[error("the text is not PEM; it may be cut off or its line ends may be lost")]
    Malformed,
}

/// The first private key of the text: PKCS#8, PKCS#1 (RSA) or SEC1 (elliptic curves).
///
/// The key is wiped when it is dropped.
pub(crate) fn private_key(text: &str) -> Result<Zeroizing<PrivateKeyDer<'static>>, PemError> {
    if text.contains("ENCRYPTED") {
        return Err(PemError::EncryptedKey);
    }
    match PrivateKeyDer::from_pem_slice(lines(text).as_bytes()) {
        Ok(key) => Ok(Zeroizing::new(key)),
        Err(Malformed::NoItemsFound) => Err(PemError::NoKey),
        Err(_) => Err(PemError::Malformed),
    }
}

/// All certificates of the text, in their order.
pub(crate) fn certificates(text: &str) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(lines(text).as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|_| PemError::Malformed)?;
    if chain.is_empty() {
        return Err(PemError::NoCertificate);
    }
    Ok(chain)
}

/// The text with real line ends: whoever copies a key out of JSON brings `\n` in two characters.
fn lines(text: &str) -> Zeroizing<String> {
    Zeroizing::new(text.trim().replace("\\r", "").replace("\\n", "\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_key_is_named() {
        for (text, wrong) in [
            ("", PemError::NoKey),
            ("hunter2", PemError::NoKey),
            (
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
                PemError::NoKey,
            ),
            (
                "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----",
                PemError::EncryptedKey,
            ),
            (
                "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nAAAA",
                PemError::EncryptedKey,
            ),
            ("-----BEGIN PRIVATE KEY-----\nAAAA", PemError::Malformed),
        ] {
            assert_eq!(private_key(text).unwrap_err(), wrong, "{text}");
        }
        assert_eq!(certificates("").unwrap_err(), PemError::NoCertificate);
    }

    #[test]
    fn line_ends_may_come_out_of_json() {
        let text = r"-----BEGIN PRIVATE KEY-----\r\nAAAA\n-----END PRIVATE KEY-----\n";
        assert!(matches!(
            *private_key(text).unwrap(),
            PrivateKeyDer::Pkcs8(_)
        ));
    }
}

//! Signed links to logs: who holds one may read that log until it expires, without a key.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Signs and checks links of the form `/logs/{run_id}?expires=…&signature=…`.
#[derive(Debug, Clone)]
pub struct LogLinkSigner {
    key: hmac::Key,
}

/// Why a log link was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// The signature is right, its time is over.
    #[error("log link has expired; ask for the log again to get a new one")]
    Expired,
    /// The signature does not belong to this run and this time.
    #[error("log link is not valid; ask for the log again to get a new one")]
    Wrong,
}

impl LogLinkSigner {
    /// Makes a signer. Every node of an installation needs the same secret key, and the key must
    /// serve no other purpose.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, key),
        }
    }

    /// The signature, safe inside a URL, for reading the log of `run_id` until the Unix time
    /// `expires_unix_s` (in seconds).
    #[must_use]
    pub fn sign(&self, run_id: i64, expires_unix_s: i64) -> String {
        let tag = hmac::sign(&self.key, message(run_id, expires_unix_s).as_bytes());
        URL_SAFE_NO_PAD.encode(tag)
    }

    /// Checks a link at the Unix time `now_unix_s`. The link is good until just before
    /// `expires_unix_s`. The signature is compared in constant time, and before the time is
    /// looked at, so that a guess learns nothing.
    pub fn verify(
        &self,
        run_id: i64,
        expires_unix_s: i64,
        signature: &str,
        now_unix_s: i64,
    ) -> Result<(), LinkError> {
        let tag = URL_SAFE_NO_PAD
            .decode(signature)
            .map_err(|_| LinkError::Wrong)?;
        hmac::verify(&self.key, message(run_id, expires_unix_s).as_bytes(), &tag)
            .map_err(|_| LinkError::Wrong)?;
        if now_unix_s >= expires_unix_s {
            return Err(LinkError::Expired);
        }
        Ok(())
    }
}

/// The signed text. The method and the path are in it so that the key can never vouch for another
/// route.
fn message(run_id: i64, expires_unix_s: i64) -> String {
    format!("GET\n/logs/{run_id}\n{expires_unix_s}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [7; 32];

    #[test]
    fn a_link_works_until_it_expires() {
        let signer = LogLinkSigner::new(&KEY);
        let signature = signer.sign(41, 1_000);
        assert_eq!(signer.verify(41, 1_000, &signature, 999), Ok(()));
        assert_eq!(
            signer.verify(41, 1_000, &signature, 1_000),
            Err(LinkError::Expired)
        );
    }

    #[test]
    fn the_signed_text_and_its_form_stay_as_they_are() {
        // Computed apart with Python's hmac module: links made by one version stay good for another.
        let signature = LogLinkSigner::new(&KEY).sign(41, 1_000);
        assert_eq!(signature, "K5UFBwXpK6ctyW_EWP9_tzK6hHC4a4oda_I3Un2C4Gc");
    }

    #[test]
    fn every_change_is_noticed() {
        let signer = LogLinkSigner::new(&KEY);
        let signature = signer.sign(41, 1_000);
        let other_key = LogLinkSigner::new(&[8; 32]).sign(41, 1_000);
        let mut flipped = signature.clone().into_bytes();
        flipped[0] = if flipped[0] == b'A' { b'B' } else { b'A' };
        let flipped = String::from_utf8(flipped).unwrap();
        for (run_id, expires, signature) in [
            (42, 1_000, signature.as_str()),
            (41, 2_000, signature.as_str()),
            (41, 1_000, flipped.as_str()),
            (41, 1_000, &signature[..42]),
            (41, 1_000, other_key.as_str()),
            (41, 1_000, ""),
            (41, 1_000, "not base64 %"),
        ] {
            assert_eq!(
                signer.verify(run_id, expires, signature, 0),
                Err(LinkError::Wrong),
                "{run_id} {expires} {signature}"
            );
        }
    }

    #[test]
    fn a_wrong_signature_is_wrong_even_when_late() {
        let signer = LogLinkSigner::new(&KEY);
        let signature = signer.sign(42, 1_000);
        assert_eq!(
            signer.verify(41, 1_000, &signature, 5_000),
            Err(LinkError::Wrong)
        );
    }
}

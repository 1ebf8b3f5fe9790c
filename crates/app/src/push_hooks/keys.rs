//! The token in a hook's address, and the secret that its notices are signed with.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use marquetry_model::Integration;

use crate::random;

/// How much of a tag makes a token: 160 bits.
const TOKEN: usize = 20;
/// The form that "Standard Webhooks" gives a secret. Hosts that know nothing of it take the text.
const PREFIX: &str = "whsec_";

/// What tokens and secrets are derived from. Nothing of them is stored: an integration has only the
/// number of its present ones.
pub(crate) struct PushHookKeys(hmac::Key);

/// The secret of one hook.
pub(super) struct Secret {
    key: Vec<u8>,
    text: String,
}

impl PushHookKeys {
    pub(crate) fn new(secret: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    pub(super) fn token(&self, integration: &Integration) -> String {
        random::hex(&self.derive("token", integration).as_ref()[..TOKEN])
    }

    pub(super) fn secret(&self, integration: &Integration) -> Secret {
        let key = self.derive("secret", integration).as_ref().to_vec();
        let text = format!("{PREFIX}{}", STANDARD.encode(&key));
        Secret { key, text }
    }

    fn derive(&self, what: &str, integration: &Integration) -> hmac::Tag {
        let (id, generation) = (integration.id, integration.push_hook_generation);
        let message = format!("push hook {what} {id} {generation}");
        hmac::sign(&self.0, message.as_bytes())
    }
}

impl Secret {
    /// As it is entered at the host.
    pub(super) fn into_text(self) -> String {
        self.text
    }

    /// Whether it is this text.
    pub(super) fn is(&self, given: &str) -> bool {
        same(&self.text, given)
    }

    /// Whether `signature`, in hexadecimal digits, is that of the text over `body`.
    pub(super) fn signed_hex(&self, body: &[u8], signature: &str) -> bool {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.text.as_bytes());
        let tag = random::from_hex::<32>(signature);
        tag.is_some_and(|tag| hmac::verify(&key, body, &tag).is_ok())
    }

    /// Whether one of the signatures `v1,<base64>` is that of the key over `content`.
    pub(super) fn signed_v1(&self, content: &[u8], signatures: &str) -> bool {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.key);
        signatures.split(' ').any(|one| {
            let tag = one
                .strip_prefix("v1,")
                .and_then(|tag| STANDARD.decode(tag).ok());
            tag.is_some_and(|tag| hmac::verify(&key, content, &tag).is_ok())
        })
    }
}

/// Compares in a time that does not tell where they differ.
pub(super) fn same(a: &str, b: &str) -> bool {
    verify_slices_are_equal(a.as_bytes(), b.as_bytes()).is_ok()
}

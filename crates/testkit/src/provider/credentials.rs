//! What a provider knows its clients by.

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The names and secrets that a provider takes. Each secret begins with the provider's marker.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// Of the OAuth client.
    pub client_id: String,
    /// Of the OAuth client.
    pub client_secret: String,
    /// Of the person, for the password grant and `/api/basic`.
    pub username: String,
    /// Of the person.
    pub password: String,
    /// For `/api/key`.
    pub api_key: String,
    /// Of the OAuth 1.0a client.
    pub consumer_key: String,
    /// Of the OAuth 1.0a client.
    pub consumer_secret: String,
    /// For OAuth 1.0a.
    pub oauth1_token: String,
    /// For OAuth 1.0a.
    pub oauth1_token_secret: String,
    /// For signatures of AWS.
    pub access_key_id: String,
    /// For signatures of AWS.
    pub secret_access_key: String,
}

impl Credentials {
    pub(super) fn new(marker: &str) -> Self {
        let secret = |name: &str| secret(marker, name);
        Self {
            client_id: format!("client-{}", random(6)),
            client_secret: secret("client"),
            username: "ada@example.com".to_owned(),
            password: secret("password"),
            api_key: secret("key"),
            consumer_key: format!("consumer-{}", random(6)),
            consumer_secret: secret("consumer"),
            oauth1_token: secret("oauth1"),
            oauth1_token_secret: secret("oauth1-secret"),
            access_key_id: "AKIDPROVIDER".to_owned(),
            secret_access_key: secret("aws"),
        }
    }

    /// All that must not be seen anywhere.
    pub(super) fn secrets(&self) -> Vec<String> {
        let all = [
            &self.client_secret,
            &self.password,
            &self.api_key,
            &self.consumer_secret,
            &self.oauth1_token,
            &self.oauth1_token_secret,
            &self.secret_access_key,
        ];
        all.map(Clone::clone).to_vec()
    }
}

/// A new secret that can be recognised.
pub(super) fn secret(marker: &str, name: &str) -> String {
    format!("{marker}-{name}-{}", random(18))
}

/// Text of so many random bytes.
pub(super) fn random(count: usize) -> String {
    let mut bytes = vec![0; count];
    rand::fill(&mut bytes).unwrap();
    URL_SAFE_NO_PAD.encode(bytes)
}

//! Assertions that a client has signed (RFC 7523).

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value;

use super::answer::Refusal;
use super::state::State;

/// How long an assertion may be good, in seconds.
const LONGEST: i64 = 3600;
/// How far clocks may be apart, in seconds.
const SKEW: i64 = 60;

/// Who may sign.
pub(super) struct Trust {
    pub(super) issuer: String,
    /// In DER, as a `SubjectPublicKeyInfo`.
    pub(super) public_key: Vec<u8>,
}

/// A client that a provider knows by its key.
#[derive(Clone, Debug)]
pub struct ServiceAccount {
    /// What `iss` of an assertion must be.
    pub issuer: String,
    /// What `aud` of an assertion must be.
    pub audience: String,
    /// RSA, PKCS #8 in PEM.
    pub private_key: String,
}

impl ServiceAccount {
    /// One with a new key, and what its provider keeps of it.
    pub(super) fn new(issuer: &str, audience: String) -> (Self, Trust) {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let private: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        let account = Self {
            issuer: issuer.to_owned(),
            audience,
            private_key: pem(private.as_ref()),
        };
        let trust = Trust {
            issuer: issuer.to_owned(),
            public_key: public.as_ref().to_vec(),
        };
        (account, trust)
    }
}

fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines = text.as_bytes().chunks(64).map(String::from_utf8_lossy);
    let lines = lines.collect::<Vec<_>>().join("\n");
    format!("-----BEGIN PRIVATE KEY-----\n{lines}\n-----END PRIVATE KEY-----\n")
}

/// The bytes of a key in PEM.
pub(super) fn der(pem: &str) -> Vec<u8> {
    let lines = pem.lines().map(str::trim);
    let text: String = lines.filter(|line| !line.starts_with("-----")).collect();
    STANDARD.decode(text).unwrap()
}

/// Whom an assertion speaks for.
pub(super) fn check(state: &State, assertion: &str) -> Result<String, Refusal> {
    let claims = signed(state, assertion).ok_or_else(|| refused("the signature is wrong"))?;
    let own = [state.url.clone(), format!("{}/token", state.url)];
    let is_own = |name: &Value| own.iter().any(|own| name == own);
    let audience = &claims["aud"];
    let is_for_us = match audience.as_array() {
        Some(names) => names.iter().any(is_own),
        None => is_own(audience),
    };
    if !is_for_us {
        return Err(refused("aud names somebody else"));
    }
    let now = state.now_seconds();
    let end = claims["exp"].as_i64();
    let end = end.ok_or_else(|| refused("exp is missing"))?;
    let start = claims["iat"].as_i64().unwrap_or(now);
    if end <= now || end > now + LONGEST + SKEW || start > now + SKEW {
        return Err(refused("the assertion is not good now"));
    }
    let subject = claims["sub"].as_str().or(claims["iss"].as_str());
    Ok(subject.unwrap_or_default().to_owned())
}

fn refused(description: &str) -> Refusal {
    Refusal::new("invalid_grant", description)
}

/// The claims of an assertion that somebody has signed who may.
fn signed(state: &State, assertion: &str) -> Option<Value> {
    let (message, signature) = assertion.rsplit_once('.')?;
    let (header, claims) = message.split_once('.')?;
    if json(header)?["alg"] != "RS256" {
        return None;
    }
    let claims = json(claims)?;
    let mut trusted = state.trusted.iter();
    let trust = trusted.find(|trust| claims["iss"] == trust.issuer.as_str())?;
    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &trust.public_key);
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    key.verify(message.as_bytes(), &signature).ok()?;
    Some(claims)
}

fn json(part: &str) -> Option<Value> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

//! Signed JSON web tokens in their compact form (RFC 7519, RFC 7515).

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RsaEncoding,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::pki_types::PrivateKeyDer;
use serde_json::{Map, Value};

use super::SignError;
use crate::pem;

/// How a token is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// A secret that both sides know, as text.
    Hs256,
    /// An RSA key of at least 2048 bits, with SHA-256.
    Rs256,
    /// The same with SHA-384.
    Rs384,
    /// The same with SHA-512.
    Rs512,
    /// A key on the curve P-256.
    Es256,
    /// A key on the curve P-384.
    Es384,
}

impl Algorithm {
    /// The name in the token's header.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
        }
    }
}

/// Signs `claims` and returns the token.
///
/// `header` holds further fields, as `kid`; it may say another `typ` than `JWT`, and its `alg` is
/// replaced by what is really used. `key` is a private key in PEM (PKCS#8, PKCS#1 for RSA, SEC1 for
/// curves), or for [`Algorithm::Hs256`] the secret itself.
///
/// # Errors
/// [`SignError::Pem`] and [`SignError::KeyKind`] for a key that does not fit.
pub fn sign(
    algorithm: Algorithm,
    key: &str,
    header: &Map<String, Value>,
    claims: &Map<String, Value>,
) -> Result<String, SignError> {
    let mut whole = Map::new();
    whole.insert("typ".to_owned(), Value::from("JWT"));
    whole.extend(header.clone());
    whole.insert("alg".to_owned(), Value::from(algorithm.name()));
    let header = Value::Object(whole).to_string();
    let claims = Value::Object(claims.clone()).to_string();
    let message = message(&header, &claims);
    let signature = signature(algorithm, key, message.as_bytes())?;
    Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

fn message(header: &str, claims: &str) -> String {
    let (header, claims) = (
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(claims),
    );
    format!("{header}.{claims}")
}

fn signature(algorithm: Algorithm, key: &str, message: &[u8]) -> Result<Vec<u8>, SignError> {
    match algorithm {
        Algorithm::Hs256 => shared(key.as_bytes(), message),
        Algorithm::Rs256 => rsa(key, &RSA_PKCS1_SHA256, message),
        Algorithm::Rs384 => rsa(key, &RSA_PKCS1_SHA384, message),
        Algorithm::Rs512 => rsa(key, &RSA_PKCS1_SHA512, message),
        Algorithm::Es256 => {
            let needed = "a private key on the curve P-256";
            curve(key, &ECDSA_P256_SHA256_FIXED_SIGNING, needed, message)
        }
        Algorithm::Es384 => {
            let needed = "a private key on the curve P-384";
            curve(key, &ECDSA_P384_SHA384_FIXED_SIGNING, needed, message)
        }
    }
}

fn shared(secret: &[u8], message: &[u8]) -> Result<Vec<u8>, SignError> {
    if secret.is_empty() {
        // everybody could sign with it
        return Err(SignError::KeyKind {
            needed: "a secret of at least one character",
        });
    }
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    Ok(hmac::sign(&key, message).as_ref().to_vec())
}

fn rsa(
    key: &str,
    encoding: &'static dyn RsaEncoding,
    message: &[u8],
) -> Result<Vec<u8>, SignError> {
    let der = pem::private_key(key)?;
    let pair = if let PrivateKeyDer::Pkcs1(der) = &*der {
        RsaKeyPair::from_der(der.secret_pkcs1_der())
    } else {
        RsaKeyPair::from_pkcs8(der.secret_der())
    };
    let pair = pair.map_err(|_| SignError::KeyKind {
        needed: "an RSA private key of at least 2048 bits",
    })?;
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(encoding, &SystemRandom::new(), message, &mut signature)
        .map_err(|_| SignError::Signing)?;
    Ok(signature)
}

fn curve(
    key: &str,
    algorithm: &'static EcdsaSigningAlgorithm,
    needed: &'static str,
    message: &[u8],
) -> Result<Vec<u8>, SignError> {
    let der = pem::private_key(key)?;
    // reads SEC1 as well as PKCS#8 with and without the public key
    let pair = EcdsaKeyPair::from_private_key_der(algorithm, der.secret_der())
        .map_err(|_| SignError::KeyKind { needed })?;
    let signature = pair
        .sign(&SystemRandom::new(), message)
        .map_err(|_| SignError::Signing)?;
    Ok(signature.as_ref().to_vec())
}

#[cfg(test)]
mod tests;

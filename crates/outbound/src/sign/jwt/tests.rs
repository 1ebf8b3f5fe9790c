//! RFC 7515's example for the shared secret; fresh keys for the rest, as those signatures differ
//! each time or have no published key in PEM.

use aws_lc_rs::encoding::{AsDer, EcPrivateKeyRfc5915Der, Pkcs8V1Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, KeyPair, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    UnparsedPublicKey, VerificationAlgorithm,
};
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::*;

fn pem(label: &str, der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    let lines: Vec<&str> = body
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    let body = lines.join("\n");
    format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
}

fn object(value: Value) -> Map<String, Value> {
    serde_json::from_value(value).unwrap()
}

fn token(algorithm: Algorithm, key: &str) -> Result<String, SignError> {
    let header = object(json!({"kid": "7", "alg": "none"}));
    let claims = object(json!({"iss": "client", "exp": 1_300_819_380}));
    sign(algorithm, key, &header, &claims)
}

fn verify(token: &str, algorithm: &'static dyn VerificationAlgorithm, public: &[u8]) {
    let (message, signature) = token.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    UnparsedPublicKey::new(algorithm, public)
        .verify(message.as_bytes(), &signature)
        .expect("the signature is right");
}

#[test]
fn the_example_of_the_rfc() {
    let header = "{\"typ\":\"JWT\",\r\n \"alg\":\"HS256\"}";
    let claims =
        "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}";
    let message = message(header, claims);
    assert_eq!(
        message,
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\
         eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
    );
    let secret = URL_SAFE_NO_PAD
        .decode(
            "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
        )
        .unwrap();
    let signature = shared(&secret, message.as_bytes()).unwrap();
    assert_eq!(
        URL_SAFE_NO_PAD.encode(signature),
        "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    );
}

#[test]
fn the_header_says_what_was_used() {
    let token = token(Algorithm::Hs256, "secret").unwrap();
    let parts: Vec<&str> = token.split('.').collect();
    let read = |part: &str| -> Value {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    };
    assert_eq!(
        read(parts[0]),
        json!({"typ": "JWT", "kid": "7", "alg": "HS256"})
    );
    assert_eq!(
        read(parts[1]),
        json!({"iss": "client", "exp": 1_300_819_380})
    );
    assert_eq!(parts.len(), 3);
}

#[test]
fn an_rsa_key_signs_in_both_forms() {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let pkcs8 = AsDer::<Pkcs8V1Der>::as_der(&pair).unwrap();
    let public = pair.public_key().as_ref().to_vec();
    let key = pem("PRIVATE KEY", pkcs8.as_ref());
    let rs256 = token(Algorithm::Rs256, &key).unwrap();
    verify(&rs256, &RSA_PKCS1_2048_8192_SHA256, &public);
    let rs384 = token(Algorithm::Rs384, &key).unwrap();
    verify(&rs384, &RSA_PKCS1_2048_8192_SHA384, &public);
    let rs512 = token(Algorithm::Rs512, &key).unwrap();
    verify(&rs512, &RSA_PKCS1_2048_8192_SHA512, &public);
    // PKCS#8 of a 2048-bit RSA key is a fixed prefix of 26 bytes and the PKCS#1 form
    let key = pem("RSA PRIVATE KEY", &pkcs8.as_ref()[26..]);
    let rs256 = token(Algorithm::Rs256, &key).unwrap();
    verify(&rs256, &RSA_PKCS1_2048_8192_SHA256, &public);
}

#[test]
fn a_curve_key_signs_in_both_forms() {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let public = pair.public_key().as_ref().to_vec();
    let pkcs8 = pem("PRIVATE KEY", pair.to_pkcs8v1().unwrap().as_ref());
    let sec1 = AsDer::<EcPrivateKeyRfc5915Der>::as_der(&pair.private_key()).unwrap();
    let sec1 = pem("EC PRIVATE KEY", sec1.as_ref());
    for key in [pkcs8, sec1] {
        let token = token(Algorithm::Es256, &key).unwrap();
        verify(&token, &ECDSA_P256_SHA256_FIXED, &public);
        assert!(ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &public).is_ok());
    }
    let pair = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
    let key = pem("PRIVATE KEY", pair.to_pkcs8v1().unwrap().as_ref());
    let es384 = token(Algorithm::Es384, &key).unwrap();
    verify(&es384, &ECDSA_P384_SHA384_FIXED, pair.public_key().as_ref());
}

#[test]
fn a_key_that_does_not_fit_is_named() {
    let pair = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
    let key = pem("PRIVATE KEY", pair.to_pkcs8v1().unwrap().as_ref());
    let wrong = |algorithm, key| token(algorithm, key).unwrap_err().to_string();
    assert_eq!(
        wrong(Algorithm::Rs256, &key),
        "the signing key is not an RSA private key of at least 2048 bits"
    );
    assert_eq!(
        wrong(Algorithm::Es256, &key),
        "the signing key is not a private key on the curve P-256"
    );
    assert_eq!(
        wrong(Algorithm::Hs256, ""),
        "the signing key is not a secret of at least one character"
    );
    assert!(wrong(Algorithm::Es256, "secret").starts_with("the signing key cannot be read: "));
}

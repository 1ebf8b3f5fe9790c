//! Requests that are signed as OAuth 1.0a wants it (RFC 5849), read from the standard alone.

use std::collections::HashSet;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::json;

use super::answer::Answer;
use super::credentials::Credentials;
use super::records::Received;
use super::state::State;

/// What is not written as it is (3.6).
pub(super) const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
/// How far clocks may be apart, in seconds.
const SKEW: i64 = 300;

pub(super) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// Which signature came in, or what is wrong with it.
pub(super) fn oauth1(state: &mut State, request: &Received) -> Answer {
    let now = state.now_seconds();
    match check(request, &state.credentials, now, &mut state.nonces) {
        Ok(signed) => {
            let body = json!({
                "scheme": "oauth1",
                "method": signed.value("oauth_signature_method"),
                "token": signed.value("oauth_token"),
                "realm": signed.value("realm"),
            });
            Answer::json(200, &body)
        }
        Err(why) => {
            let body = json!({"error": why.0, "base_string": why.1});
            let challenge = r#"OAuth realm="provider""#;
            Answer::json(401, &body).with("www-authenticate", challenge)
        }
    }
}

impl Received {
    /// What is wrong with its signature of OAuth 1.0a by these credentials, if anything; the time is in seconds.
    pub fn oauth1_fault(&self, own: &Credentials, now: i64) -> Option<String> {
        let checked = check(self, own, now, &mut HashSet::new());
        let Wrong(why, base) = checked.err()?;
        Some(format!("{why} {}", base.unwrap_or_default()))
    }
}

/// What `Authorization: OAuth` says.
struct Signed(Vec<(String, String)>);

impl Signed {
    /// Reads it (3.5.1).
    fn read(header: &str) -> Option<Self> {
        let decoded = |text: &str| {
            percent_decode_str(text)
                .decode_utf8()
                .ok()
                .map(String::from)
        };
        let pairs = header.split(',').map(|part| {
            let (name, value) = part.trim().split_once('=')?;
            let value = value.strip_prefix('"')?.strip_suffix('"')?;
            Some((decoded(name)?, decoded(value)?))
        });
        pairs.collect::<Option<Vec<_>>>().map(Self)
    }

    fn value(&self, name: &str) -> Option<&str> {
        let mut pairs = self.0.iter();
        let found = pairs.find(|(found, _)| found == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// Why a signature is not taken, and over what it should be.
#[derive(Debug)]
struct Wrong(&'static str, Option<String>);

fn check(
    request: &Received,
    own: &Credentials,
    now: i64,
    nonces: &mut HashSet<String>,
) -> Result<Signed, Wrong> {
    let wrong = |why| Wrong(why, None);
    let header = request.authorization("oauth");
    let header = header.ok_or(wrong("the signature is missing"))?;
    let signed = Signed::read(header).ok_or(wrong("the header cannot be read"))?;
    let value = |name| signed.value(name);
    let mut names = HashSet::new();
    if !signed.0.iter().all(|(name, _)| names.insert(name)) {
        return Err(wrong("a parameter is there twice"));
    }
    if !matches!(value("oauth_version"), None | Some("1.0")) {
        return Err(wrong("oauth_version must be 1.0"));
    }
    if value("oauth_consumer_key") != Some(&own.consumer_key) {
        return Err(wrong("the consumer is not known"));
    }
    // Without a token the client signs for itself.
    let token_secret = match value("oauth_token") {
        None | Some("") => "",
        Some(token) if token == own.oauth1_token => &own.oauth1_token_secret,
        Some(_) => return Err(wrong("the token is not known")),
    };
    let algorithm = match value("oauth_signature_method") {
        Some("HMAC-SHA1") => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        Some("HMAC-SHA256") => hmac::HMAC_SHA256,
        _ => return Err(wrong("the signature method is not taken")),
    };
    let timestamp = value("oauth_timestamp").and_then(|time| time.parse::<i64>().ok());
    if timestamp.is_none_or(|time| time.abs_diff(now) > SKEW.unsigned_abs()) {
        return Err(wrong("the timestamp is too far from now"));
    }
    let nonce = value("oauth_nonce").filter(|nonce| !nonce.is_empty());
    let nonce = nonce.ok_or(wrong("the nonce is missing"))?;
    let base = base_string(request, &signed);
    let secret = format!(
        "{}&{}",
        encoded(&own.consumer_secret),
        encoded(token_secret)
    );
    let key = hmac::Key::new(algorithm, secret.as_bytes());
    let signature = STANDARD.decode(value("oauth_signature").unwrap_or_default());
    let is_right = signature.is_ok_and(|found| hmac::verify(&key, base.as_bytes(), &found).is_ok());
    if !is_right {
        return Err(Wrong("the signature is wrong", Some(base)));
    }
    if !nonces.insert(format!("{timestamp:?} {nonce} {:?}", value("oauth_token"))) {
        return Err(wrong("the nonce was used before"));
    }
    Ok(signed)
}

/// Over what the signature is (3.4.1).
fn base_string(request: &Received, signed: &Signed) -> String {
    let host = request.header("host").unwrap_or_default().to_lowercase();
    let host = host.strip_suffix(":80").unwrap_or(&host);
    let url = format!("http://{host}{}", request.path);
    let of_header = signed.0.iter().cloned();
    let mut all: Vec<_> = of_header
        .filter(|(name, _)| name != "realm" && name != "oauth_signature")
        .collect();
    all.extend(request.query_pairs());
    if request.is_of("application/x-www-form-urlencoded") {
        all.extend(request.form());
    }
    // They are sorted as they are written, by the value where the name is the same.
    let mut all: Vec<_> = all
        .iter()
        .map(|(name, value)| (encoded(name), encoded(value)))
        .collect();
    all.sort();
    let all: Vec<_> = all
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let parts = [request.method.to_uppercase(), url, all.join("&")];
    parts.map(|part| encoded(&part)).join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn photo_printer() -> Credentials {
        Credentials {
            consumer_key: "dpf43f3p2l4k3l03".into(),
            consumer_secret: "kd94hf93k423kf44".into(),
            oauth1_token: "nnch734d00sl2jdk".into(),
            oauth1_token_secret: "pfkkdhi9sl3r4s00".into(),
            ..Credentials::new("")
        }
    }

    fn why(request: &Received, nonces: &mut HashSet<String>) -> Option<&'static str> {
        let checked = check(request, &photo_printer(), 137_131_202, nonces);
        checked.err().map(|wrong| wrong.0)
    }

    /// The example of RFC 5849 1.2.
    #[test]
    fn the_signature_of_the_standard_is_right_once() {
        let header = r#"OAuth realm="Photos",
            oauth_consumer_key="dpf43f3p2l4k3l03", oauth_token="nnch734d00sl2jdk",
            oauth_signature_method="HMAC-SHA1", oauth_timestamp="137131202",
            oauth_nonce="chapoH", oauth_signature="MdpQcU8iPSUjWoN%2FUDMsK2sui9I%3D""#;
        let headers = [("host", "photos.example.net:80"), ("authorization", header)];
        let query = "file=vacation.jpg&size=original";
        let mut request = Received::sample("GET", ("/photos", query), &headers, "");
        let mut nonces = HashSet::new();
        assert_eq!(why(&request, &mut nonces), None);
        let again = why(&request, &mut nonces);
        assert_eq!(again, Some("the nonce was used before"));
        request.query.push_str("&more=1");
        let changed = why(&request, &mut nonces);
        assert_eq!(changed, Some("the signature is wrong"));
    }

    /// Signed by oauthlib 3, over what is awkward: encoded text, names that are there twice, a form.
    #[test]
    fn a_signature_of_another_program_is_right() {
        let header = r#"OAuth realm="A 1", oauth_nonce="n%2B1", oauth_timestamp="137131202",
            oauth_version="1.0", oauth_signature_method="HMAC-SHA256",
            oauth_consumer_key="dpf43f3p2l4k3l03", oauth_token="nnch734d00sl2jdk",
            oauth_signature="IjK6PVmmjR9hnv%2B6NEJDawOPy335kw7UB%2BdVHS1Yv%2Fs%3D""#;
        let headers = [
            ("host", "photos.example.net:8080"),
            ("content-type", "application/x-www-form-urlencoded"),
            ("authorization", header),
        ];
        let query = "b5=%3D%253D&a3=a&c%40=&a2=r%20b&a3=2+q";
        let body = "c2=&a3=2+q&x=%C3%A4";
        let request = Received::sample("POST", ("/ph%20otos", query), &headers, body);
        assert_eq!(why(&request, &mut HashSet::new()), None);
    }
}

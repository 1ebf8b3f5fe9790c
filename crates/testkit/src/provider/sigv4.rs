//! Requests that are signed as AWS wants it (Signature Version 4), read from its description alone.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use serde_json::json;

use super::answer::Answer;
use super::credentials::Credentials;
use super::oauth1::encoded;
use super::records::Received;
use super::state::State;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const DATE: &str = "x-amz-date";
const CONTENT: &str = "x-amz-content-sha256";
/// How far clocks may be apart, in seconds.
const SKEW: u64 = 300;

/// Which signature came in, or what is wrong with it.
pub(super) fn aws(state: &State, request: &Received) -> Answer {
    let scope = &state.behaviour.aws_scope;
    let now = state.now_seconds();
    match check(request, &state.credentials, (&scope.0, &scope.1), now) {
        Ok(()) => {
            let body = json!({
                "scheme": "aws",
                "access_key_id": state.credentials.access_key_id,
                "region": scope.0,
                "service": scope.1,
            });
            Answer::json(200, &body)
        }
        Err(Wrong(why, canonical)) => {
            let body = json!({"message": why, "canonical_request": canonical});
            Answer::json(403, &body)
        }
    }
}

impl Received {
    /// What is wrong with its signature of AWS for this region and service, if anything; the time is in seconds.
    pub fn aws_fault(&self, own: &Credentials, scope: (&str, &str), now: i64) -> Option<String> {
        let Wrong(why, canonical) = check(self, own, scope, now).err()?;
        Some(format!("{why} {}", canonical.unwrap_or_default()))
    }
}

/// Why a signature is not taken, and over what request it should be.
#[derive(Debug)]
struct Wrong(&'static str, Option<String>);

/// What `Authorization: AWS4-HMAC-SHA256` says.
struct Signed<'a> {
    key_id: &'a str,
    /// Date, region, service and `aws4_request`.
    scope: Vec<&'a str>,
    headers: Vec<&'a str>,
    signature: &'a str,
}

impl<'a> Signed<'a> {
    fn read(header: &'a str) -> Option<Self> {
        let find = |name: &str| {
            let mut parts = header.split(',').map(str::trim);
            parts.find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
        };
        let (key_id, scope) = find("Credential")?.split_once('/')?;
        Some(Self {
            key_id,
            scope: scope.split('/').collect(),
            headers: find("SignedHeaders")?.split(';').collect(),
            signature: find("Signature")?,
        })
    }
}

fn check(
    request: &Received,
    own: &Credentials,
    (region, service): (&str, &str),
    now: i64,
) -> Result<(), Wrong> {
    let wrong = |why| Err(Wrong(why, None));
    let header = request.authorization(ALGORITHM);
    let Some(header) = header else {
        return wrong("Missing Authentication Token");
    };
    let Some(signed) = Signed::read(header) else {
        return wrong("Authorization header cannot be read");
    };
    if signed.key_id != own.access_key_id {
        return wrong("The security token included in the request is invalid.");
    }
    let date = request.header(DATE).unwrap_or_default();
    if seconds(date).is_none_or(|at| at.abs_diff(now) > SKEW) {
        return wrong("Signature expired, or X-Amz-Date is missing");
    }
    if signed.scope != [&date[..8], region, service, "aws4_request"] {
        return wrong("Credential should be scoped to a valid date, region and service");
    }
    if !signs_enough(request, &signed.headers) {
        return wrong("'host', 'content-type' and 'x-amz-' headers must be signed, in their order");
    }
    let body = hex(digest(&SHA256, &request.body).as_ref());
    let content = match request.header(CONTENT) {
        Some("UNSIGNED-PAYLOAD") => "UNSIGNED-PAYLOAD",
        Some(content) if content != body => {
            return wrong("X-Amz-Content-Sha256 is not that of the body");
        }
        _ => &body,
    };
    let canonical = canonical_request(request, &signed.headers, service, content);
    let hash = hex(digest(&SHA256, canonical.as_bytes()).as_ref());
    let text = format!("{ALGORITHM}\n{date}\n{}\n{hash}", signed.scope.join("/"));
    let mut key = format!("AWS4{}", own.secret_access_key).into_bytes();
    for part in &signed.scope {
        key = sign(&key, part);
    }
    if hex(&sign(&key, &text)) != signed.signature {
        return Err(Wrong(
            "The request signature we calculated does not match the signature you provided.",
            Some(canonical),
        ));
    }
    Ok(())
}

/// The names are sorted, and those that change what the request means are among them.
fn signs_enough(request: &Received, signed: &[&str]) -> bool {
    let has = |name: &str| signed.contains(&name);
    let mut headers = request.headers.iter();
    let all = headers.all(|(name, _)| {
        let must = name == "host" || name == "content-type" || name.starts_with("x-amz-");
        !must || has(name)
    });
    all && has("host") && signed.is_sorted()
}

fn canonical_request(request: &Received, signed: &[&str], service: &str, content: &str) -> String {
    // The path came in encoded once; all services but this one want it twice.
    let path = match service {
        "s3" => request.path.clone(),
        _ => encoded(&request.path).replace("%2F", "/"),
    };
    let mut query: Vec<_> = request
        .query_pairs()
        .iter()
        .map(|(name, value)| (encoded(name), encoded(value)))
        .collect();
    query.sort();
    let query: Vec<_> = query
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let query = query.join("&");
    let headers = signed.iter().map(|name| {
        let of_name = request.headers.iter().filter(|(found, _)| found == name);
        let values = of_name.map(|(_, value)| {
            let words: Vec<_> = value.split_whitespace().collect();
            words.join(" ")
        });
        format!("{name}:{}\n", values.collect::<Vec<_>>().join(","))
    });
    let headers: String = headers.collect();
    let (method, names) = (&request.method, signed.join(";"));
    format!("{method}\n{path}\n{query}\n{headers}\n{names}\n{content}")
}

fn sign(key: &[u8], text: &str) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    let digits = b"0123456789abcdef";
    let both = |byte: &u8| {
        [
            digits[usize::from(byte >> 4)],
            digits[usize::from(byte & 15)],
        ]
    };
    bytes.iter().flat_map(both).map(char::from).collect()
}

/// The seconds since 1970 of a time such as `20150830T123600Z`.
fn seconds(date: &str) -> Option<i64> {
    let is_shape = date.len() == 16 && date.is_ascii() && &date[8..9] == "T" && date.ends_with('Z');
    let number = |from: usize, to: usize| date.get(from..to)?.parse::<i64>().ok();
    let (year, month, day) = (number(0, 4)?, number(4, 6)?, number(6, 8)?);
    let (hour, minute, second) = (number(9, 11)?, number(11, 13)?, number(13, 15)?);
    // Years begin in March here, so that the day that some have more is their last.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day;
    let since = days - 719_469;
    is_shape.then_some(((since * 24 + hour) * 60 + minute) * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: &str = "20150830T123600Z";

    fn why(request: &Received, scope: (&str, &str)) -> Option<&'static str> {
        let own = Credentials {
            access_key_id: "AKIDEXAMPLE".into(),
            secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into(),
            ..Credentials::new("")
        };
        let checked = check(request, &own, scope, seconds(TIME).unwrap());
        checked.err().map(|wrong| wrong.0)
    }

    fn header(scope: (&str, &str), names: &str, signature: &str) -> String {
        format!(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/{}/{}/aws4_request, \
             SignedHeaders={names}, Signature={signature}",
            scope.0, scope.1
        )
    }

    /// `get-vanilla` and `get-vanilla-query-order-key-case` of the test suite of AWS.
    #[test]
    fn the_signatures_of_the_test_suite_are_right() {
        assert_eq!(seconds(TIME), Some(1_440_938_160));
        let scope = ("us-east-1", "service");
        let why = |query: &str, signature: &str| {
            let header = header(scope, "host;x-amz-date", signature);
            let headers = [
                ("host", "example.amazonaws.com"),
                (DATE, TIME),
                ("authorization", &header),
            ];
            why(&Received::sample("GET", ("/", query), &headers, ""), scope)
        };
        let vanilla = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";
        assert_eq!(why("", vanilla), None);
        let ordered = "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500";
        assert_eq!(why("Param2=value2&Param1=value1", ordered), None);
        assert!(why("Param1=value1", ordered).is_some());
    }

    /// Signed by botocore, over what is awkward: encoded paths, for S3 and for others, and a body.
    #[test]
    fn signatures_of_another_program_are_right() {
        let hash = "015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862";
        let why = |service: &str, names: &str, signature: &str, body: &str| {
            let scope = ("eu-central-1", service);
            let header = header(scope, names, signature);
            let mut headers = vec![
                ("host", "127.0.0.1:8080"),
                ("content-type", "application/json"),
                ("x-amz-meta-a", "two   words"),
                (DATE, TIME),
                ("authorization", &header),
            ];
            if service == "s3" {
                headers.push((CONTENT, hash));
            }
            let at = ("/api/aws/a%20b/c%2Fd~e", "z=1&a=x%20y%2Fz&a=b&flag=");
            why(&Received::sample("POST", at, &headers, body), scope)
        };
        let names = "content-type;host;x-amz-date;x-amz-meta-a";
        let signature = "84aabb87f7f39811a7bb76579fe3fef5700dbd3f50844e23a2e8bff305c249ae";
        assert_eq!(why("execute-api", names, signature, r#"{"a":1}"#), None);
        assert!(why("execute-api", names, signature, r#"{"a":2}"#).is_some());
        assert!(why("execute-api", "host;x-amz-date", signature, "").is_some());
        let names = "content-type;host;x-amz-content-sha256;x-amz-date;x-amz-meta-a";
        let signature = "95c10d66cb03afcf3b46827bb8e2f463c04a6a116796a9c479a2a9009ed575ee";
        assert_eq!(why("s3", names, signature, r#"{"a":1}"#), None);
        assert!(why("s3", names, signature, r#"{"a":2}"#).is_some());
    }
}

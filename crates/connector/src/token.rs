//! What a token endpoint answers. Real ones differ from the standard: numbers as text, forms instead of JSON,
//! tokens inside of other objects, failures with status 200.

use serde_json::{Map, Value};

use crate::auth::TokenAnswer;
use crate::template::{Values, as_text};

/// The longest value that is taken over.
const MOST_BYTES: usize = 64 << 10;
/// The most values of an answer's own.
const MOST_VALUES: usize = 64;
/// Those that the platform itself reads.
const NEEDED: [&str; 3] = ["access_token", "refresh_token", "expires_in"];

/// Tokens as they came.
#[derive(Clone, PartialEq, Eq)]
pub struct Tokens {
    /// All values, by name, `access_token` among them.
    pub values: Values,
    /// How long the access token is good, in seconds, where the answer says it.
    pub lifetime_s: Option<i64>,
}

/// Why an answer brings no token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TokenFault {
    /// What kind of failure.
    pub error: TokenError,
    /// The provider's own words, bounded, or ours.
    pub message: String,
}

/// What a failure means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenError {
    /// The grant is no good any more, or never was: somebody has to connect again.
    Grant,
    /// The client's id or secret is wrong: the administrator has to mend the provisioning.
    Client,
    /// The provider is in trouble: again later.
    Later,
    /// A device's code is not yet entered.
    Pending,
    /// Ask less often.
    SlowDown,
    /// Anything else.
    Other,
}

/// Reads an answer with status 200 to 299.
///
/// # Errors
/// [`TokenFault`].
pub fn read_answer(
    rules: &TokenAnswer,
    content_type: Option<&str>,
    body: &[u8],
) -> Result<Tokens, TokenFault> {
    let Some(json) = parse(content_type, body) else {
        return Err(TokenFault {
            error: TokenError::Other,
            message: "the answer of the token endpoint is neither JSON nor a form".to_owned(),
        });
    };
    if let Some(rule) = &rules.error {
        let found = json.pointer(&rule.at);
        let failed = found.is_some_and(|it| match &rule.equals {
            Some(wanted) => wanted == it,
            // Some name the place in a good answer too, with nothing in it.
            None => !it.is_null(),
        });
        if failed {
            let message = rule.message.as_ref().and_then(|at| json.pointer(at));
            return Err(fault(message.and_then(as_text).unwrap_or_default(), None));
        }
    }
    let mut values = own_fields(&json);
    for (name, place) in &rules.values {
        if let Some(text) = json.pointer(place).and_then(as_text) {
            values.insert(name.clone(), text);
        }
    }
    values.retain(|_, value| value.len() <= MOST_BYTES);
    if values.get("access_token").is_none_or(String::is_empty) {
        // Some say with status 200 that it failed (GitHub).
        if let Some(error) = json.get("error").and_then(as_text) {
            return Err(fault(error, description(&json)));
        }
        return Err(TokenFault {
            error: TokenError::Other,
            message: "the answer of the token endpoint has no access_token".to_owned(),
        });
    }
    let lifetime_s = values.get("expires_in").and_then(|text| seconds(text));
    Ok(Tokens { values, lifetime_s })
}

/// Reads an answer with another status.
#[must_use]
pub fn read_refusal(status: u16, content_type: Option<&str>, body: &[u8]) -> TokenFault {
    if status >= 500 || matches!(status, 408 | 425 | 429) {
        return TokenFault {
            error: TokenError::Later,
            message: format!("the token endpoint answered {status}"),
        };
    }
    let json = parse(content_type, body).unwrap_or(Value::Null);
    match json.get("error").and_then(as_text) {
        Some(error) => fault(error, description(&json)),
        None => TokenFault {
            // The standard has a word for each; a bare 400 or 401 to a renewal is the grant's.
            // A page that says 403 comes from something before the endpoint, which may let us in later.
            error: if matches!(status, 400 | 401) || (status == 403 && json.is_object()) {
                TokenError::Grant
            } else {
                TokenError::Other
            },
            message: match description(&json) {
                Some(more) => bounded(&format!("the token endpoint answered {status}: {more}")),
                None => format!("the token endpoint answered {status}"),
            },
        },
    }
}

/// What a provider says for people, in the standard's place or in another that is usual.
fn description(json: &Value) -> Option<String> {
    let places = ["/error_description", "/error/message", "/message"];
    let mut texts = places.iter().filter_map(|at| json.pointer(at)?.as_str());
    texts.find(|text| !text.is_empty()).map(str::to_owned)
}

fn fault(error: String, description: Option<String>) -> TokenFault {
    let kind = match error.as_str() {
        "invalid_grant"
        | "access_denied"
        | "expired_token"
        | "invalid_refresh_token"
        | "token_revoked"
        | "bad_refresh_token"
        | "bad_verification_code"
        | "invalid_code"
        | "invalid_auth"
        | "account_inactive" => TokenError::Grant,
        "invalid_client"
        | "unauthorized_client"
        | "bad_client_secret"
        | "invalid_client_id"
        | "incorrect_client_credentials" => TokenError::Client,
        "temporarily_unavailable"
        | "server_error"
        | "ratelimited"
        | "rate_limited"
        | "internal_error"
        | "service_unavailable" => TokenError::Later,
        "authorization_pending" => TokenError::Pending,
        "slow_down" => TokenError::SlowDown,
        _ => TokenError::Other,
    };
    let error = if error.is_empty() {
        "failed".to_owned()
    } else {
        error
    };
    TokenFault {
        error: kind,
        message: bounded(&match description {
            Some(more) => format!("{error}: {more}"),
            None => error,
        }),
    }
}

/// A foreign text as it may be shown: one line of bounded length.
fn bounded(text: &str) -> String {
    let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    plain.take(300).collect()
}

fn parse(content_type: Option<&str>, body: &[u8]) -> Option<Value> {
    // A byte order mark, as some servers on Windows send it.
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    if let Ok(json) = serde_json::from_slice::<Value>(body) {
        return json.is_object().then_some(json);
    }
    // A form that is called plain text; a sentence is none.
    let declared = content_type.is_some_and(|it| {
        let it = it.to_ascii_lowercase();
        let plain = it.starts_with("text/plain") && body.contains(&b'=');
        it.contains("form-urlencoded") || plain
    });
    if !declared {
        return None;
    }
    let pairs: Vec<(String, String)> = serde_html_form::from_bytes(body).ok()?;
    let pairs: Map<String, Value> = pairs
        .into_iter()
        .map(|(k, v)| (k, Value::String(v)))
        .collect();
    (!pairs.is_empty()).then_some(Value::Object(pairs))
}

/// The scalar fields, by names that a variable can have.
fn own_fields(json: &Value) -> Values {
    let fields = json.as_object().into_iter().flatten();
    let mut fields: Vec<(String, String)> = fields
        .filter_map(|(name, value)| Some((name.to_lowercase(), as_text(value)?)))
        .filter(|(name, _)| crate::template::is_name(name))
        .collect();
    // Where there are too many, those that the platform itself needs are kept.
    fields.sort_by_key(|(name, _)| !NEEDED.contains(&name.as_str()));
    fields.into_iter().take(MOST_VALUES).collect()
}

/// Seconds that are a number or a text, with a fraction or without.
fn seconds(text: &str) -> Option<i64> {
    /// Longer than anybody means: such an end is as good as none.
    const MOST: i64 = 20 * 365 * 86_400;
    let seconds: f64 = text.trim().parse().ok()?;
    #[expect(
        clippy::cast_precision_loss,
        reason = "twenty years of seconds are exact"
    )]
    let good = (0.0..=MOST as f64).contains(&seconds);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "in the range, and rounded down on purpose"
    )]
    let whole = seconds as i64;
    good.then_some(whole)
}

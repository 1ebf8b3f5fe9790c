//! What can go wrong between a command and the server, each with its remedy.

use std::error::Error;

use reqwest::StatusCode;
use serde_json::Value;

use super::answer::parse;

/// Why a request brought nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// The server's URL is none.
    #[error("`{url}` is no http or https URL")]
    BadUrl {
        /// What was given.
        url: String,
    },
    /// The key has characters that no key has.
    #[error("the API key has characters that cannot be sent")]
    BadKey,
    /// The machine's TLS set-up is broken.
    #[error("the HTTP client cannot start: {}", root(.0))]
    Setup(#[source] reqwest::Error),
    /// Nobody listens there.
    #[error("cannot reach the server at {url}: {}", root(.source))]
    Unreachable {
        /// The server.
        url: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// The connection broke off.
    #[error("the connection to {url} broke: {}", root(.source))]
    Broken {
        /// The server.
        url: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// 403.
    #[error("{}", if *.key_sent { "the server does not accept the API key, or the key may not do this" } else { "this needs an API key, and none was found" })]
    Forbidden {
        /// Whether a key was sent.
        key_sent: bool,
    },
    /// 404.
    #[error("{message}")]
    NotFound {
        /// The server's sentence.
        message: String,
    },
    /// 409.
    #[error("{message}")]
    Conflict {
        /// The server's sentence.
        message: String,
    },
    /// 422.
    #[error("{message}")]
    Invalid {
        /// The server's sentence, or one that counts the fields.
        message: String,
        /// Each wrong field with what is wrong.
        fields: Vec<String>,
    },
    /// 429 and 503.
    #[error("the server is busy: {message}")]
    Busy {
        /// The server's sentence.
        message: String,
    },
    /// Any other status.
    #[error("the server answered {status}: {message}")]
    Other {
        /// The status.
        status: u16,
        /// The server's sentence.
        message: String,
    },
    /// Something answers there, but it is not us.
    #[error("{url} does not answer as Marquetry does")]
    NotOurs {
        /// The server.
        url: String,
        /// Why its answer is no JSON.
        #[source]
        source: serde_json::Error,
    },
    /// An answer without end.
    #[error("the answer is larger than 96 MiB")]
    TooLarge,
    /// An event of a followed log is larger than any can be.
    #[error("an event of the log is larger than 16 MiB")]
    EventTooLarge,
}

/// The innermost cause: the HTTP client's own sentences repeat the URL and hide it.
fn root(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "it does not answer in time".to_owned();
    }
    let mut cause: &dyn Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

impl ClientError {
    /// An answer that is no success, in any of the API's three error shapes.
    pub(super) fn refused(status: StatusCode, text: &str, key_sent: bool) -> Self {
        let body = parse(text).unwrap_or(Value::Null);
        let sentence = body["message"].as_str().or_else(|| body["detail"].as_str());
        let message = sentence.map_or_else(|| fallback(status), str::to_owned);
        match status {
            StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => Self::Forbidden { key_sent },
            StatusCode::NOT_FOUND => Self::NotFound { message },
            StatusCode::CONFLICT => Self::Conflict { message },
            StatusCode::UNPROCESSABLE_ENTITY => invalid(&body, sentence),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                Self::Busy { message }
            }
            _ => Self::Other {
                status: status.as_u16(),
                message,
            },
        }
    }

    /// Lines below the sentence.
    pub(crate) fn details(&self) -> Vec<String> {
        if let Self::Invalid { fields, .. } = self {
            fields.clone()
        } else {
            Vec::new()
        }
    }

    /// What to do.
    pub(crate) fn remedy(&self) -> Option<String> {
        let text = match self {
            Self::BadUrl { .. } => {
                "give the server as --url http://127.0.0.1:8080 or in MARQUETRY_URL"
            }
            Self::BadKey => {
                "check --api-key, MARQUETRY_API_KEY and the api-key file of the data folder"
            }
            Self::Unreachable { .. } => {
                "is the server running? start it with: marquetry serve (another address: --url or MARQUETRY_URL)"
            }
            Self::Broken { .. } => "try again; the server's own log says whether it stopped",
            Self::Forbidden { key_sent: true } => {
                "see which keys there are and what they may do: marquetry keys list; the first key lies in the server's <data-dir>/api-key"
            }
            Self::Forbidden { key_sent: false } => {
                "give one with --api-key or MARQUETRY_API_KEY; the first key lies in the server's <data-dir>/api-key, on that machine name the folder with --data-dir"
            }
            Self::Busy { .. } => "try again in a moment",
            Self::NotOurs { .. } => {
                "check --url or MARQUETRY_URL: another program may listen there"
            }
            Self::Setup(_)
            | Self::NotFound { .. }
            | Self::Conflict { .. }
            | Self::Invalid { .. }
            | Self::Other { .. }
            | Self::TooLarge
            | Self::EventTooLarge => return None,
        };
        Some(text.to_owned())
    }
}

fn fallback(status: StatusCode) -> String {
    let reason = status.canonical_reason().unwrap_or("no reason given");
    reason.to_lowercase()
}

fn invalid(body: &Value, sentence: Option<&str>) -> ClientError {
    let fields: Vec<String> = body["detail"]
        .as_array()
        .map(|list| list.iter().map(field).collect())
        .unwrap_or_default();
    let message = sentence.map_or_else(
        || "the server refuses the request".to_owned(),
        str::to_owned,
    );
    ClientError::Invalid { message, fields }
}

/// `body.configs.step: must be a number`, without the word for where the field stands.
fn field(entry: &Value) -> String {
    let place = entry["loc"].as_array().map_or_else(String::new, |parts| {
        let names = parts.iter().map(|part| match part.as_str() {
            Some(name) => name.to_owned(),
            None => part.to_string(),
        });
        let names: Vec<String> = names.collect();
        match names.as_slice() {
            [first, rest @ ..] if !rest.is_empty() && is_source(first) => rest.join("."),
            all => all.join("."),
        }
    });
    let why = entry["msg"].as_str().unwrap_or("is wrong");
    if place.is_empty() {
        why.to_owned()
    } else {
        format!("{place}: {why}")
    }
}

fn is_source(word: &str) -> bool {
    matches!(word, "body" | "query" | "path")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, text: &str) -> ClientError {
        ClientError::refused(StatusCode::from_u16(status).unwrap(), text, true)
    }

    #[test]
    fn each_field_of_a_422_gets_its_line() {
        let error = refused(
            422,
            r#"{"detail":[{"loc":["body","configs",0,"step"],"msg":"must be a number","type":"x"},
                          {"loc":["body"],"msg":"Field required","type":"missing"}]}"#,
        );
        assert_eq!(error.to_string(), "the server refuses the request");
        assert_eq!(
            error.details(),
            ["configs.0.step: must be a number", "body: Field required"]
        );
    }

    #[test]
    fn the_other_shapes_give_their_sentence() {
        assert_eq!(
            refused(422, r#"{"message":"no release"}"#).to_string(),
            "no release"
        );
        assert_eq!(
            refused(404, r#"{"message":"run 4 not found"}"#).to_string(),
            "run 4 not found"
        );
        assert_eq!(
            refused(500, "<html>").to_string(),
            "the server answered 500: internal server error"
        );
        let forbidden = refused(403, r#"{"detail":"Not authorized"}"#);
        assert!(forbidden.remedy().unwrap().contains("marquetry keys list"));
        let none = ClientError::refused(StatusCode::FORBIDDEN, "{}", false);
        assert!(none.remedy().unwrap().contains("api-key"));
    }
}

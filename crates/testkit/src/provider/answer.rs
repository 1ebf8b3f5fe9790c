//! What a provider answers.

use bytes::Bytes;
use serde_json::{Value, json};

/// An answer to a request.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Bytes,
    /// Whether the length is told before the body.
    pub(super) tells_length: bool,
}

impl Answer {
    pub(super) fn new(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            headers: vec![("content-type", content_type.to_owned())],
            body: body.into(),
            tells_length: true,
        }
    }

    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self::new(status, "application/json", body.to_string())
    }

    pub(super) fn html(status: u16, text: &str) -> Self {
        let page = format!("<!doctype html><title>Provider</title><p>{text}</p>");
        Self::new(status, "text/html; charset=utf-8", page)
    }

    pub(super) fn redirect(to: &str) -> Self {
        Self::new(302, "text/plain", "").with("location", to)
    }

    pub(super) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// JSON of so many bytes, whose length is not told.
    pub(super) fn oversize(size: usize) -> Self {
        let padding = size.saturating_sub(r#"{"padding":""}"#.len());
        let body = json!({"padding": "x".repeat(padding)});
        Self {
            tells_length: false,
            ..Self::json(200, &body)
        }
    }
}

/// Why a request to an endpoint of OAuth is refused, as RFC 6749 5.2 has it.
#[derive(Debug)]
pub(super) struct Refusal {
    status: u16,
    error: String,
    description: String,
}

impl Refusal {
    /// One with status 400.
    pub(super) fn new(error: &str, description: &str) -> Self {
        Self {
            status: 400,
            error: error.to_owned(),
            description: description.to_owned(),
        }
    }

    /// Of a client that did not prove who it is.
    pub(super) fn client(description: &str) -> Self {
        Self {
            status: 401,
            ..Self::new("invalid_client", description)
        }
    }

    pub(super) fn answer(&self) -> Answer {
        let body = json!({"error": self.error, "error_description": self.description});
        let answer = Answer::json(self.status, &body).with("cache-control", "no-store");
        if self.status == 401 {
            return answer.with("www-authenticate", r#"Basic realm="provider""#);
        }
        answer
    }
}

//! What a client says at an endpoint of OAuth, and how it proves who it is.

use std::collections::HashMap;

use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::answer::Refusal;
use super::behaviour::{Behaviour, ClientAuthentication, RequestBody};
use super::credentials::Credentials;
use super::records::Received;

/// The fields of a request to an endpoint of OAuth, each of which is there once.
pub(super) struct Fields(HashMap<String, String>);

impl Fields {
    /// Those of a body.
    pub(super) fn of_body(request: &Received, accepted: RequestBody) -> Result<Self, Refusal> {
        let is_form = request.is_of("application/x-www-form-urlencoded");
        let is_json = request.is_of("application/json");
        match accepted {
            RequestBody::Either | RequestBody::Form if is_form => Self::of_pairs(request.form()),
            RequestBody::Either | RequestBody::Json if is_json => Self::of_json(&request.json()),
            RequestBody::Either | RequestBody::Form | RequestBody::Json => {
                Err(invalid("the body has another type than is taken here"))
            }
        }
    }

    /// Those of a query or a form.
    pub(super) fn of_pairs(pairs: Vec<(String, String)>) -> Result<Self, Refusal> {
        let mut fields = HashMap::new();
        for (name, value) in pairs {
            if fields.contains_key(&name) {
                return Err(invalid(&format!("{name} is there twice")));
            }
            fields.insert(name, value);
        }
        // RFC 6749 3.1: a field without a value is one that is not there.
        fields.retain(|_, value| !value.is_empty());
        Ok(Self(fields))
    }

    fn of_json(body: &Value) -> Result<Self, Refusal> {
        let body = body.as_object();
        let body = body.ok_or_else(|| invalid("the body is no JSON object"))?;
        let texts = body
            .iter()
            .map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
        let texts: Option<Vec<_>> = texts.collect();
        Self::of_pairs(texts.ok_or_else(|| invalid("a field of the body is no text"))?)
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub(super) fn need(&self, name: &str) -> Result<&str, Refusal> {
        let value = self.get(name);
        value.ok_or_else(|| invalid(&format!("{name} is missing")))
    }
}

fn invalid(description: &str) -> Refusal {
    Refusal::new("invalid_request", description)
}

/// Whether the client says that it can prove who it is.
pub(super) fn proves_itself(request: &Received, fields: &Fields) -> bool {
    request.header("authorization").is_some() || fields.get("client_secret").is_some()
}

/// Whether the client has proved who it is.
pub(super) fn authenticate(
    request: &Received,
    fields: &Fields,
    behaviour: &Behaviour,
    own: &Credentials,
) -> Result<(), Refusal> {
    let by_header = request.header("authorization").is_some();
    let by_body = fields.get("client_secret").is_some();
    if by_header && by_body {
        return Err(invalid("the client proves twice who it is"));
    }
    if fields
        .get("client_id")
        .is_some_and(|id| id != own.client_id)
    {
        return Err(Refusal::client("the client is not known"));
    }
    let is_proved = match behaviour.client_authentication {
        ClientAuthentication::Either if by_header => is_basic(request, own),
        ClientAuthentication::Either | ClientAuthentication::Body => is_body(fields, own),
        ClientAuthentication::Basic => is_basic(request, own),
        ClientAuthentication::Public => !by_header && !by_body && fields.get("client_id").is_some(),
    };
    if is_proved {
        Ok(())
    } else {
        Err(Refusal::client("the client did not prove who it is"))
    }
}

fn is_body(fields: &Fields, own: &Credentials) -> bool {
    fields.get("client_id") == Some(&own.client_id)
        && fields.get("client_secret") == Some(&own.client_secret)
}

/// RFC 6749 2.3.1 has both parts encoded as in a form; most clients leave them as they are.
fn is_basic(request: &Received, own: &Credentials) -> bool {
    let is = |sent: &str, own: &str| {
        sent == own || percent_decode_str(&sent.replace('+', " ")).decode_utf8_lossy() == own
    };
    request
        .basic()
        .is_some_and(|(id, secret)| is(&id, &own.client_id) && is(&secret, &own.client_secret))
}

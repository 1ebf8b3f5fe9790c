//! What clients want to reach with their credentials.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::behaviour::ApiKeyIn;
use super::records::Received;
use super::state::State;
use super::tokens::Family;

/// Whose token came in, or the answer to one that is not good (RFC 6750 3).
fn bearer<'a>(state: &'a State, request: &Received) -> Result<(String, &'a Family), Answer> {
    let Some(token) = request.authorization("bearer") else {
        let challenge = r#"Bearer realm="provider""#;
        let body = json!({"error": "a bearer token is missing"});
        return Err(Answer::json(401, &body).with("www-authenticate", challenge));
    };
    match state.tokens.check(token, state.now()) {
        Ok(family) => Ok((token.to_owned(), family)),
        Err(why) => {
            let challenge = format!(
                r#"Bearer realm="provider", error="invalid_token", error_description="{why}""#
            );
            let body = json!({"error": "invalid_token", "error_description": why});
            Err(Answer::json(401, &body).with("www-authenticate", &challenge))
        }
    }
}

/// The person behind a token, as OpenID Connect has it.
pub(super) fn userinfo(state: &State, request: &Received) -> Result<Answer, Answer> {
    let (_, family) = bearer(state, request)?;
    let body = json!({
        "sub": family.account,
        "name": family.account,
        "email": format!("{}@example.com", family.account),
    });
    Ok(Answer::json(200, &body))
}

/// Which token came in.
pub(super) fn me(state: &State, request: &Received) -> Result<Answer, Answer> {
    let (token, family) = bearer(state, request)?;
    let body = json!({
        "scheme": "bearer",
        "token": token,
        "sub": family.account,
        "grant": family.grant,
        "scope": family.scope,
    });
    Ok(Answer::json(200, &body))
}

/// The organisations that a consent is for.
pub(super) fn connections(state: &State, request: &Received) -> Result<Answer, Answer> {
    bearer(state, request)?;
    let names = state.behaviour.organisations.iter().zip(1..);
    let body = names.map(|(name, n)| {
        json!({
            "id": format!("connection-{n}"),
            "tenantId": format!("org-{n}"),
            "tenantName": name,
        })
    });
    Ok(Answer::json(200, &body.collect()))
}

/// Which key came in, and where.
pub(super) fn key(state: &State, request: &Received) -> Answer {
    let in_header = request.header("x-api-key").map(str::to_owned);
    let in_query = request.query_value("api_key");
    let found = match state.behaviour.api_key_in {
        ApiKeyIn::Header => in_header.map(|key| ("header", key)),
        ApiKeyIn::Query => in_query.map(|key| ("query", key)),
        ApiKeyIn::Either => in_header
            .map(|key| ("header", key))
            .or_else(|| in_query.map(|key| ("query", key))),
    };
    match found {
        Some((place, key)) if key == state.credentials.api_key => {
            let body = json!({"scheme": "api_key", "in": place, "key": key});
            Answer::json(200, &body)
        }
        Some(_) => Answer::json(401, &json!({"error": "the key is not known"})),
        None => Answer::json(401, &json!({"error": "the key is missing"})),
    }
}

/// Which name came in.
pub(super) fn basic(state: &State, request: &Received) -> Answer {
    let own = (&state.credentials.username, &state.credentials.password);
    match request.basic() {
        Some((name, secret)) if (&name, &secret) == own => {
            let body = json!({"scheme": "basic", "username": name});
            Answer::json(200, &body)
        }
        _ => {
            let body = json!({"error": "the name or the password is wrong"});
            let challenge = r#"Basic realm="provider", charset="UTF-8""#;
            Answer::json(401, &body).with("www-authenticate", challenge)
        }
    }
}

/// The request itself. What is there several times is a list.
pub(super) fn echo(request: &Received) -> Answer {
    let mut body = json!({
        "method": request.method,
        "path": request.path,
        "query": collected(request.query_pairs()),
        "raw_query": request.query,
        "headers": collected(request.headers.clone()),
    });
    match std::str::from_utf8(&request.body) {
        Ok(text) => body["body"] = json!(text),
        Err(_) => body["body_base64"] = json!(STANDARD.encode(&request.body)),
    }
    Answer::json(200, &body)
}

/// Sends the client to where `to` says, with the status that `status` says: credentials must not
/// follow it to another host.
pub(super) fn redirect(request: &Received) -> Answer {
    let to = request.query_value("to").unwrap_or_default();
    let status = request.query_value("status");
    let status = status.and_then(|status| status.parse().ok());
    Answer {
        status: status.unwrap_or(302),
        ..Answer::redirect(&to)
    }
}

fn collected(pairs: Vec<(String, String)>) -> Value {
    let mut all = Map::new();
    for (name, value) in pairs {
        match all.get_mut(&name) {
            None => drop(all.insert(name, json!(value))),
            Some(Value::Array(values)) => values.push(json!(value)),
            Some(first) => *first = json!([first.take(), value]),
        }
    }
    Value::Object(all)
}

//! Where tokens are given out and taken back.

use serde_json::{Map, Value, json};
use url::form_urlencoded;

use super::answer::{Answer, Refusal};
use super::authorize::take_code;
use super::behaviour::{Behaviour, ExpiresIn, TokenFormat};
use super::client::{Fields, authenticate, proves_itself};
use super::device::take_device;
use super::jwt;
use super::records::Received;
use super::state::State;
use super::tokens::Issued;

const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";
const JWT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// Gives out tokens for a grant.
pub(super) fn token(state: &mut State, request: &Received) -> Result<Answer, Refusal> {
    let issued = grant(state, request);
    if issued.is_err() {
        state.tokens.counters.refused += 1;
    }
    Ok(written(&issued?, &state.behaviour, request))
}

fn grant(state: &mut State, request: &Received) -> Result<Issued, Refusal> {
    let fields = Fields::of_body(request, state.behaviour.request_body)?;
    let grant = fields.need("grant_type")?;
    // What a signed assertion proves needs no secret of a client; who sends one all the same means it.
    if grant != JWT || proves_itself(request, &fields) {
        authenticate(request, &fields, &state.behaviour, &state.credentials)?;
    }
    let now = state.now();
    let scope = || fields.get("scope").map(str::to_owned);
    let (family, may_refresh) = match grant {
        "authorization_code" => (take_code(state, &fields)?, true),
        DEVICE => (take_device(state, &fields)?, true),
        "refresh_token" => {
            let token = fields.need("refresh_token")?;
            let scope = fields.get("scope");
            let behaviour = &state.behaviour;
            return state.tokens.refresh(token, scope, behaviour, now);
        }
        "client_credentials" => {
            let client = &state.credentials.client_id;
            (state.tokens.found(grant, client, scope()), false)
        }
        "password" => {
            let own = &state.credentials;
            let is_known = fields.need("username")? == own.username;
            if fields.need("password")? != own.password || !is_known {
                let description = "the name or the password is wrong";
                return Err(Refusal::new("invalid_grant", description));
            }
            (state.tokens.found(grant, &own.username, scope()), true)
        }
        JWT => {
            let account = jwt::check(state, fields.need("assertion")?)?;
            (state.tokens.found("jwt-bearer", &account, scope()), false)
        }
        _ => {
            let description = "this grant is not given here";
            return Err(Refusal::new("unsupported_grant_type", description));
        }
    };
    let behaviour = &state.behaviour;
    Ok(state.tokens.issue(family, behaviour, may_refresh, now))
}

/// Tokens as this provider writes them.
fn written(issued: &Issued, behaviour: &Behaviour, request: &Received) -> Answer {
    let mut own = Map::new();
    own.insert("access_token".into(), json!(issued.access));
    own.insert("token_type".into(), json!("Bearer"));
    let seconds = issued.lifetime.as_secs();
    match behaviour.expires_in {
        ExpiresIn::Number => drop(own.insert("expires_in".into(), json!(seconds))),
        ExpiresIn::Text => drop(own.insert("expires_in".into(), json!(seconds.to_string()))),
        ExpiresIn::Absent => (),
    }
    if let Some(refresh) = &issued.refresh {
        own.insert("refresh_token".into(), json!(refresh));
    }
    if let Some(scope) = &issued.scope {
        own.insert("scope".into(), json!(scope));
    }
    let mut body = match &behaviour.nested_in {
        Some(name) => Map::from_iter([(name.clone(), Value::Object(own))]),
        None => own,
    };
    body.extend(behaviour.extra.clone());
    let accepts_json = || {
        let accepted = request.header("accept").unwrap_or_default();
        accepted.contains("application/json")
    };
    let is_json = match behaviour.token_format {
        TokenFormat::Json => true,
        TokenFormat::Form => false,
        TokenFormat::FormUnlessAsked => accepts_json(),
    };
    let answer = if is_json {
        Answer::json(200, &Value::Object(body))
    } else {
        Answer::new(200, "application/x-www-form-urlencoded", form(&body))
    };
    answer.with("cache-control", "no-store")
}

fn form(body: &Map<String, Value>) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    for (name, value) in body {
        match value.as_str() {
            Some(text) => form.append_pair(name, text),
            None => form.append_pair(name, &value.to_string()),
        };
    }
    form.finish()
}

/// Takes a token back (RFC 7009). One that is not known is no error.
pub(super) fn revoke(state: &mut State, request: &Received) -> Result<Answer, Refusal> {
    let fields = Fields::of_body(request, state.behaviour.request_body)?;
    authenticate(request, &fields, &state.behaviour, &state.credentials)?;
    state.tokens.revoke(fields.need("token")?);
    Ok(Answer::new(200, "text/plain", ""))
}

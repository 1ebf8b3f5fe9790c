//! Where a person is sent to give consent.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use url::Url;

use super::answer::{Answer, Refusal};
use super::behaviour::{Consent, Pkce};
use super::client::Fields;
use super::credentials::secret;
use super::records::Received;
use super::state::State;
use super::tokens::later;

/// A code that went to a callback.
pub(super) struct Code {
    pub(super) redirect_uri: String,
    pub(super) challenge: Option<String>,
    pub(super) account: String,
    pub(super) scope: Option<String>,
    pub(super) ends_at: i64,
    /// The family that was made of it, once it is used.
    pub(super) family: Option<usize>,
}

/// Sends the browser back at once, with a code or with an error. What makes the callback itself
/// doubtful is said to the person instead: nobody is sent to an address that is not known.
pub(super) fn authorize(state: &mut State, request: &Received) -> Answer {
    let page = |text: &str| Answer::html(400, text);
    let Ok(fields) = Fields::of_pairs(request.query_pairs()) else {
        return page("a parameter is there twice");
    };
    if fields.get("client_id") != Some(&state.credentials.client_id) {
        return page("the client is not known");
    }
    let Some(callback) = fields.get("redirect_uri") else {
        return page("redirect_uri is missing");
    };
    let is_known = state.callbacks.is_empty() || state.callbacks.iter().any(|c| c == callback);
    let url = Url::parse(callback).ok();
    let url = url.filter(|url| is_known && url.fragment().is_none());
    let Some(mut url) = url else {
        return page("redirect_uri is not registered");
    };
    match decide(state, &fields, callback) {
        Ok(code) => {
            let mut pairs = url.query_pairs_mut();
            pairs.append_pair("code", &code);
            pairs.extend_pairs(&state.behaviour.callback_extra);
        }
        Err((error, description)) => {
            let mut pairs = url.query_pairs_mut();
            pairs.append_pair("error", error);
            pairs.append_pair("error_description", &description);
        }
    }
    if let Some(state) = fields.get("state") {
        url.query_pairs_mut().append_pair("state", state);
    }
    Answer::redirect(url.as_str())
}

fn decide(
    state: &mut State,
    fields: &Fields,
    callback: &str,
) -> Result<String, (&'static str, String)> {
    let invalid = |text: &str| Err(("invalid_request", text.to_owned()));
    if fields.get("response_type") != Some("code") {
        let description = "response_type must be code".to_owned();
        return Err(("unsupported_response_type", description));
    }
    let challenge = fields.get("code_challenge");
    // Without a method the challenge would be plain, which protects nothing.
    match (challenge, fields.get("code_challenge_method")) {
        (Some(challenge), Some("S256")) if challenge.len() == 43 => (),
        (None, None) if state.behaviour.pkce == Pkce::Optional => (),
        (None, None) => return invalid("code_challenge is missing"),
        _ => return invalid("code_challenge_method must be S256, with a challenge of SHA-256"),
    }
    if let Consent::Denied(description) = &state.behaviour.consent {
        return Err(("access_denied", description.clone()));
    }
    let code = secret(&state.tokens.marker, "code");
    let kept = Code {
        redirect_uri: callback.to_owned(),
        challenge: challenge.map(str::to_owned),
        account: state.behaviour.account.clone(),
        scope: fields.get("scope").map(str::to_owned),
        ends_at: later(state.now(), state.behaviour.code_lifetime),
        family: None,
    };
    state.codes.insert(code.clone(), kept);
    state.tokens.counters.codes += 1;
    Ok(code)
}

/// Takes a code; answers the family that begins with it.
pub(super) fn take_code(state: &mut State, fields: &Fields) -> Result<usize, Refusal> {
    let refused = |description| Err(Refusal::new("invalid_grant", description));
    let now = state.now();
    let redirect_uri = fields.need("redirect_uri")?;
    let Some(code) = state.codes.get_mut(fields.need("code")?) else {
        return refused("the code is not known");
    };
    if let Some(family) = code.family {
        state.tokens.counters.codes_reused += 1;
        state.tokens.end_family(family);
        return refused("the code was used before");
    }
    if code.ends_at <= now {
        return refused("the code has expired");
    }
    if code.redirect_uri != redirect_uri {
        return refused("redirect_uri is another one than the code was asked for with");
    }
    match (&code.challenge, fields.get("code_verifier")) {
        (None, None) => (),
        (Some(challenge), Some(verifier)) if is_answered(challenge, verifier) => (),
        // A verifier without a challenge: somebody may have taken the challenge off.
        _ => return refused("code_verifier does not fit"),
    }
    let scope = code.scope.clone();
    let family = state
        .tokens
        .found("authorization_code", &code.account, scope);
    code.family = Some(family);
    Ok(family)
}

/// RFC 7636 4.1 and 4.6.
fn is_answered(challenge: &str, verifier: &str) -> bool {
    let is_unreserved = |c: u8| c.is_ascii_alphanumeric() || b"-._~".contains(&c);
    let is_well_formed =
        (43..=128).contains(&verifier.len()) && verifier.bytes().all(is_unreserved);
    let digest = digest(&SHA256, verifier.as_bytes());
    is_well_formed && URL_SAFE_NO_PAD.encode(digest) == challenge
}

//! Consent for a device without a browser (RFC 8628).

use serde_json::json;

use super::answer::{Answer, Refusal};
use super::behaviour::Consent;
use super::client::{Fields, authenticate, proves_itself};
use super::credentials::{random, secret};
use super::records::Received;
use super::state::State;
use super::tokens::later;

/// A device that waits for consent.
pub(super) struct Device {
    pub(super) user_code: String,
    scope: Option<String>,
    ends_at: i64,
    /// When it may ask again.
    next_at: i64,
    /// For whom, or that it was denied.
    decision: Option<Result<String, ()>>,
    is_used: bool,
}

/// Gives a device its codes.
pub(super) fn begin(state: &mut State, request: &Received) -> Result<Answer, Refusal> {
    let fields = Fields::of_body(request, state.behaviour.request_body)?;
    // A client without a secret names itself; who sends one means it.
    if proves_itself(request, &fields) {
        authenticate(request, &fields, &state.behaviour, &state.credentials)?;
    } else if fields.need("client_id")? != state.credentials.client_id {
        return Err(Refusal::client("the client is not known"));
    }
    let code = secret(&state.tokens.marker, "device");
    let user_code = random(6).to_uppercase();
    let device = Device {
        user_code: user_code.clone(),
        scope: fields.get("scope").map(str::to_owned),
        ends_at: later(state.now(), state.behaviour.device_lifetime),
        next_at: 0,
        decision: None,
        is_used: false,
    };
    state.devices.insert(code.clone(), device);
    let at = format!("{}/activate", state.url);
    let body = json!({
        "device_code": code,
        "user_code": user_code,
        "verification_uri": at,
        "verification_uri_complete": format!("{at}?user_code={user_code}"),
        "expires_in": state.behaviour.device_lifetime.as_secs(),
        "interval": state.behaviour.device_interval.as_secs(),
    });
    Ok(Answer::json(200, &body).with("cache-control", "no-store"))
}

/// The page where a person decides, which happens at once.
pub(super) fn activate(state: &mut State, request: &Received) -> Answer {
    let code = request.query_value("user_code").unwrap_or_default();
    if decide(state, &code) {
        Answer::html(200, "You may go back to your device")
    } else {
        Answer::html(404, "the code is not known")
    }
}

/// Lets the person decide, as the provider behaves now; answers whether the code is known.
pub(super) fn decide(state: &mut State, user_code: &str) -> bool {
    let decision = match &state.behaviour.consent {
        Consent::Given => Ok(state.behaviour.account.clone()),
        Consent::Denied(_) => Err(()),
    };
    let mut devices = state.devices.values_mut();
    let Some(device) = devices.find(|device| device.user_code == user_code) else {
        return false;
    };
    device.decision = Some(decision);
    true
}

/// A device asks for its tokens; answers the family that begins with it.
pub(super) fn take_device(state: &mut State, fields: &Fields) -> Result<usize, Refusal> {
    let refused = |error, description| Err(Refusal::new(error, description));
    let now = state.now();
    let Some(device) = state.devices.get_mut(fields.need("device_code")?) else {
        return refused("invalid_grant", "the device code is not known");
    };
    if device.is_used {
        return refused("invalid_grant", "the device code was used before");
    }
    if device.ends_at <= now {
        return refused("expired_token", "the device code has expired");
    }
    let is_early = now < device.next_at;
    device.next_at = later(now, state.behaviour.device_interval);
    if is_early {
        return refused("slow_down", "the device asks too often");
    }
    match &device.decision {
        None => refused("authorization_pending", "the person has not decided"),
        Some(Err(())) => refused("access_denied", "the person has said no"),
        Some(Ok(account)) => {
            device.is_used = true;
            let scope = device.scope.clone();
            Ok(state.tokens.found("device_code", account, scope))
        }
    }
}

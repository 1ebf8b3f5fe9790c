//! When a token is renewed.

use std::time::Duration;

use marquetry_connector::{Auth, Definition, Grant, Refresh, Tokens};
use marquetry_model::Timestamp;

use super::opened::Opened;
use super::secret_values::SecretValues;

/// What a connection is looked at whether it works, where nothing else shows it.
pub(super) const CHECK_EVERY: Duration = Duration::from_secs(24 * 3600);
/// The same when the system could not be asked.
pub(super) const CHECK_AGAIN: Duration = Duration::from_secs(3600);
/// A token without an end is renewed as seldom, so that its refresh token lives on.
const KEEP_ALIVE: Duration = Duration::from_secs(24 * 3600);
/// How old one may be that is renewed before each run: what begins together shares it.
const SHARED: Duration = Duration::from_secs(300);
/// A token is renewed ahead of time no sooner than so many seconds after it was got, however short it lives: a run
/// renews it anyway.
const SOONEST: i64 = 30;
/// What a run needs beyond its own time limit (`spec/hub.md` 9.5).
pub(crate) const MARGIN: Duration = Duration::from_secs(300);
/// After a failure that may pass.
pub(super) const AFTER_FAILURE: Duration = Duration::from_secs(300);

/// What says when a token ends.
const LIFE: [&str; 2] = ["expires_in", "expires_at"];

/// A token as it was got, and what becomes of it.
pub(crate) struct Got {
    pub(crate) own: SecretValues,
    pub(crate) issued_at: Timestamp,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) refresh_at: Option<Timestamp>,
}

/// Puts the values of an answer over those that are there. A refresh token that is not renewed stays.
pub(crate) fn take_over(
    definition: &Definition,
    mut own: SecretValues,
    tokens: Tokens,
    now: Timestamp,
) -> Got {
    let (rule, assumed) = match &definition.auth {
        Auth::Oauth2(rules) => (rules.refresh, rules.lifetime_s),
        Auth::JwtBearer(_)
        | Auth::Oauth1(_)
        | Auth::ApiKey(_)
        | Auth::Basic(_)
        | Auth::AwsSigv4(_)
        | Auth::MutualTls(_)
        | Auth::Custom(_)
        | Auth::Fields(_) => (Refresh::Expiry, None),
    };
    let lifetime = tokens
        .lifetime_s
        .or(assumed.map(i64::from))
        .filter(|it| *it > 0);
    let values = SecretValues::new(tokens.values);
    if values.get("access_token").is_some() {
        // What was said of the old token is not true of the new one.
        own = own.only(|name| !LIFE.contains(&name));
    }
    own = own.with(&values);
    let expires_at = lifetime.map(|seconds| now.plus(secs(seconds)));
    if let Some((seconds, end)) = lifetime.zip(expires_at) {
        // Code finds both, also where the definition knows the lifetime and the answer does not say it.
        own.insert("expires_in", seconds.to_string());
        own.insert("expires_at", (end.as_millis() / 1000).to_string());
    }
    let refresh_at = match rule {
        Refresh::Never => None,
        Refresh::Always if can_renew(definition, &own) => Some(now.plus(KEEP_ALIVE)),
        Refresh::Expiry if can_renew(definition, &own) => lifetime
            .map(|seconds| now.plus(secs((seconds - ahead(definition, seconds)).max(SOONEST)))),
        // Nothing can be done before, and then somebody has to be told.
        Refresh::Always | Refresh::Expiry => expires_at,
    };
    Got {
        own,
        issued_at: now,
        expires_at,
        refresh_at,
    }
}

/// Whether a token can be got without a person.
pub(super) fn can_renew(definition: &Definition, own: &SecretValues) -> bool {
    match definition.auth.oauth2().map(|it| it.grant) {
        Some(Grant::AuthorizationCode | Grant::DeviceCode) => own.get("refresh_token").is_some(),
        Some(Grant::ClientCredentials | Grant::Password) | None => definition.auth.has_tokens(),
    }
}

/// How long before its end a token of such a lifetime is renewed ahead of time, in seconds: a quarter, at most an
/// hour.
fn ahead(definition: &Definition, lifetime: i64) -> i64 {
    let ahead = (lifetime / 4).clamp(1, 3600);
    window(definition).map_or(ahead, |window| ahead.min(i64::from(window)))
}

/// How long before the end of a token its provider renews it at the earliest, in seconds.
fn window(definition: &Definition) -> Option<u32> {
    definition.auth.oauth2()?.renew_within_s
}

fn secs(seconds: i64) -> Duration {
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}

/// Whether the token is to be renewed for something that takes as long as `wanted`.
pub(super) fn is_due(
    Opened {
        definition,
        connection,
        own,
        ..
    }: &Opened,
    wanted: Duration,
    now: Timestamp,
) -> bool {
    if !definition.auth.has_tokens() {
        return false;
    }
    let Some(issued) = connection.issued_at else {
        return true;
    };
    let age = now.since(issued);
    let rule = definition
        .auth
        .oauth2()
        .map_or(Refresh::Expiry, |it| it.refresh);
    if !can_renew(definition, own) {
        // To ask too early would end what is still good.
        return rule != Refresh::Never && connection.expires_at.is_some_and(|end| end <= now);
    }
    match (rule, connection.expires_at) {
        (Refresh::Never, _) | (Refresh::Expiry, None) => false,
        (Refresh::Always, _) => age >= SHARED,
        (Refresh::Expiry, Some(end)) => {
            let lifetime = end.since(issued);
            // One that lives shorter than it is wanted for is as fresh as can be while it is young.
            let young = age < SHARED.min(lifetime / 4);
            let wanted = wanted.max(Duration::from_secs(60).min(lifetime / 2));
            let window = window(definition).map(|it| Duration::from_secs(it.into()));
            let wanted = window.map_or(wanted, |window| wanted.min(window));
            !young && end.since(now) < wanted
        }
    }
}

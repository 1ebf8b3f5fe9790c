//! Who asks.

use std::marker::PhantomData;

use axum::extract::FromRequestParts;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{ACCEPT, AUTHORIZATION};
use http::request::Parts;
use http::{HeaderMap, HeaderName};
use marquetry_app::{Ctx, authenticate};
use marquetry_model::{Error, Scope};

use crate::error::ApiError;
use crate::state::Web;

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// What a route lets its caller do.
pub(crate) trait Permission: Send {
    /// The scope that stands for it; none: the use case alone asks.
    const SCOPE: Option<Scope>;
}

macro_rules! permissions {
    ($($(#[$doc:meta])* $name:ident),+) => {$(
        $(#[$doc])*
        pub(crate) enum $name {}

        impl Permission for $name {
            const SCOPE: Option<Scope> = Some(Scope::$name);
        }
    )+};
}

permissions! {
    /// To read.
    Read,
    /// To ask for runs.
    Sync,
    /// To change integrations, tenants, builds.
    Write,
    /// To write credentials.
    Credentials,
    /// To manage keys.
    Admin
}

/// Whoever has a key: the use case says which scope it takes.
pub(crate) enum AnyKey {}

impl Permission for AnyKey {
    const SCOPE: Option<Scope> = None;
}

/// The caller of an API route. It is the first argument of a handler, so that nothing else of the
/// request is looked at without a key that may do this. The use case asks again: other doors have
/// no such argument.
pub(crate) struct Caller<P = Read>(pub(crate) Ctx, pub(crate) PhantomData<P>);

impl<P: Permission> FromRequestParts<Web> for Caller<P> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, ApiError> {
        let key = api_key(&parts.headers).ok_or(Error::Unauthenticated)?;
        let ctx = authenticate(web.app(), key).await?;
        if let Some(scope) = P::SCOPE {
            ctx.require(scope)?;
        }
        Ok(Self(ctx, PhantomData))
    }
}

/// The caller of a page for people: the header, or the key as the password of a browser's own
/// form, which is asked for when there is neither.
pub(crate) async fn browser_caller(web: &Web, headers: &HeaderMap) -> Result<Ctx, ApiError> {
    if let Some(key) = api_key(headers) {
        return Ok(authenticate(web.app(), key).await?);
    }
    let found = match basic_password(headers) {
        Some(key) => authenticate(web.app(), &key).await,
        None => Err(Error::Unauthenticated),
    };
    found.map_err(|error| {
        if matches!(error, Error::Unauthenticated) && is_browser(headers) {
            ApiError::Prompt
        } else {
            error.into()
        }
    })
}

pub(super) fn api_key(headers: &HeaderMap) -> Option<&str> {
    headers.get(API_KEY)?.to_str().ok()
}

fn basic_password(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, coded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(coded.trim()).ok()?).ok()?;
    text.split_once(':')
        .map(|(_, password)| password.to_owned())
}

fn is_browser(headers: &HeaderMap) -> bool {
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|kinds| kinds.contains("text/html"))
}

//! The pages on which somebody connects a system: links, the way to a provider and back.
//!
//! No key is asked for: who has a link's address may write this one connection, and read nothing.

mod browser;
mod render;

use std::collections::BTreeMap;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::header::{LOCATION, SET_COOKIE};
use http::{HeaderMap, HeaderValue, StatusCode};
use marquetry_app::Ctx;
use marquetry_app::connect::callback::{callback_take, choice_take};
use marquetry_app::connect::device::device_poll;
use marquetry_app::connect::page::{LinkView, link_open, link_submit};
use marquetry_app::connect::{Choice, Next};
use marquetry_app::connectors::provisions::Input;
use marquetry_model::Error;
use std::sync::Arc;

use crate::error::ApiError;
use crate::pages;
use crate::reply;
use crate::state::Web;
use browser::Browser;

/// Where providers send a browser back to, as the original has it: it is registered with them.
pub(crate) const CALLBACK: &str = "/v0/author/callback/oauth2";

type Named = Result<Path<String>, PathRejection>;

/// Opens a link: its form, or the provider's page where there is nothing to enter.
pub(crate) async fn open(State(web): State<Web>, token: Named, headers: HeaderMap) -> Response {
    let Ok(Path(token)) = token else {
        return ApiError::NoRoute.into_response();
    };
    let ctx = Ctx::system(Arc::clone(web.app()));
    let view = match link_open(&ctx, &token).await {
        Ok(view) => view,
        Err(error) => return render::problem(&error),
    };
    if !view.fields.is_empty() || !view.consent {
        return render::form(&view, &token, &Input::new(), None);
    }
    let browser = Browser::of(&headers, &web.origin(&headers));
    let redirect = format!("{}{CALLBACK}", web.origin(&headers));
    let next = link_submit(&ctx, &token, Input::new(), browser.secret(), &redirect).await;
    match next {
        Ok(Next::Provider(url)) => browser.keep(found(&url)),
        Ok(next) => browser.keep(render::next(&next)),
        Err(error) => render::problem(&error),
    }
}

/// Takes what was entered.
pub(crate) async fn submit(
    State(web): State<Web>,
    token: Named,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Ok(Path(token)) = token else {
        return ApiError::NoRoute.into_response();
    };
    let ctx = Ctx::system(Arc::clone(web.app()));
    let view = match link_open(&ctx, &token).await {
        Ok(view) => view,
        Err(error) => return render::problem(&error),
    };
    let input = entered(&view, &body);
    let browser = Browser::of(&headers, &web.origin(&headers));
    let redirect = format!("{}{CALLBACK}", web.origin(&headers));
    let next = link_submit(&ctx, &token, input.clone(), browser.secret(), &redirect).await;
    match next {
        Ok(Next::Provider(url)) => browser.keep(render::leaving(&view.title, &url)),
        Ok(next) => browser.keep(render::next(&next)),
        Err(error @ Error::Invalid(_)) => render::form(&view, &token, &input, Some(&error)),
        Err(error) => render::problem(&error),
    }
}

/// The fields of a form that are the view's own.
fn entered(view: &LinkView, body: &[u8]) -> Input {
    let sent = pairs(body);
    let known = view.fields.iter().map(|it| &it.field.name);
    known
        .map(|name| (name.clone(), sent.get(name).cloned()))
        .collect()
}

fn pairs(text: &[u8]) -> BTreeMap<String, String> {
    let pairs: Vec<(String, String)> = serde_html_form::from_bytes(text).unwrap_or_default();
    // The first of a name counts: what is added behind it changes nothing.
    let mut all = BTreeMap::new();
    for (name, value) in pairs {
        all.entry(name).or_insert(value);
    }
    all
}

/// The way back from a provider.
pub(crate) async fn callback(
    State(web): State<Web>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let ctx = Ctx::system(Arc::clone(web.app()));
    let params = pairs(query.unwrap_or_default().as_bytes());
    let browser = Browser::of(&headers, &web.origin(&headers));
    match callback_take(&ctx, &params, browser.secret()).await {
        Ok(next) => render::next(&next),
        Err(error) => render::problem(&error),
    }
}

/// Takes what was chosen after consent.
pub(crate) async fn choose(State(web): State<Web>, headers: HeaderMap, body: Bytes) -> Response {
    let ctx = Ctx::system(Arc::clone(web.app()));
    let sent = pairs(&body);
    let token = sent.get("token").map(String::as_str).unwrap_or_default();
    let chosen = sent.get("choice").and_then(|it| it.parse().ok());
    let browser = Browser::of(&headers, &web.origin(&headers));
    let next = choice_take(&ctx, token, chosen.unwrap_or(usize::MAX), browser.secret()).await;
    match next {
        Ok(next) => render::next(&next),
        Err(error) => render::problem(&error),
    }
}

/// Looks whether a code was entered on another device.
pub(crate) async fn device(State(web): State<Web>, token: Named, headers: HeaderMap) -> Response {
    let Ok(Path(token)) = token else {
        return ApiError::NoRoute.into_response();
    };
    let ctx = Ctx::system(Arc::clone(web.app()));
    let browser = Browser::of(&headers, &web.origin(&headers));
    match device_poll(&ctx, &token, browser.secret()).await {
        Ok(next) => render::next(&next),
        Err(error) => render::problem(&error),
    }
}

/// What the pages are made of.
pub(crate) async fn asset(name: Named) -> Response {
    match name.ok().and_then(|Path(name)| pages::asset(&name)) {
        Some((kind, bytes)) => reply::answer(StatusCode::OK, kind, bytes),
        None => ApiError::NoRoute.into_response(),
    }
}

fn found(url: &str) -> Response {
    let Ok(location) = HeaderValue::from_str(url) else {
        return render::problem(&Error::internal("the provider's address is no header"));
    };
    let mut response = reply::answer(StatusCode::FOUND, "text/plain; charset=utf-8", "");
    response.headers_mut().insert(LOCATION, location);
    let policy = HeaderValue::from_static("no-referrer");
    response
        .headers_mut()
        .insert(http::header::REFERRER_POLICY, policy);
    response
}

fn with_cookie(mut response: Response, cookie: &str) -> Response {
    if let Ok(cookie) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}

/// A choice as a page shows it.
fn options(choice: &Choice) -> Vec<pages::Choice> {
    let options = choice.options.iter();
    options
        .map(|(number, title)| pages::Choice {
            id: number.to_string(),
            title: title.clone(),
        })
        .collect()
}

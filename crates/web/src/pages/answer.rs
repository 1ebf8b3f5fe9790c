//! The pages as answers, and what they are made of.

use askama::Template;
use axum::response::Response;
use http::header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY};
use http::{HeaderValue, StatusCode};

use crate::reply;

/// Forms are sent to us alone, and so are their redirects: `LeavingPage` says how to go on.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     base-uri 'none'; form-action 'self'; frame-ancestors ";

const SCRIPT: &[u8] = include_bytes!("../../assets/connect/connect.js");
const STYLE: &[u8] = include_bytes!("../../assets/connect/connect.css");

/// The text of a page.
pub(crate) fn html(page: &impl Template) -> String {
    page.render().expect("memory takes all that is written")
}

/// A page as an answer, which the origins in `framed_by` may show in a frame.
///
/// There is no `Cross-Origin-Opener-Policy`, since it would cut a window off from the page that
/// opened it and waits for its message. Without a referrer, browsers send `Origin: null` with the
/// forms: who wants to know where one came from looks at `Sec-Fetch-Site`.
pub(crate) fn page(status: StatusCode, html: String, framed_by: &[&str]) -> Response {
    let mut response = reply::answer(status, "text/html; charset=utf-8", html);
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, policy(framed_by));
    // The addresses of these pages let whoever has them connect something.
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// A file of the pages by its name: its type and its content.
pub(crate) fn asset(name: &str) -> Option<(&'static str, &'static [u8])> {
    match name {
        "connect.js" => Some(("text/javascript; charset=utf-8", SCRIPT)),
        "connect.css" => Some(("text/css; charset=utf-8", STYLE)),
        _ => None,
    }
}

fn policy(framed_by: &[&str]) -> HeaderValue {
    let origins: Vec<&str> = framed_by
        .iter()
        .copied()
        .filter(|origin| is_origin(origin))
        .collect();
    let ancestors = if origins.is_empty() {
        "'none'".to_owned()
    } else {
        origins.join(" ")
    };
    HeaderValue::try_from(format!("{POLICY}{ancestors}")).expect("origins are plain ASCII")
}

/// One that holds more could add directives of its own, or, as `*`, let in the whole web.
fn is_origin(text: &str) -> bool {
    let host = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-.:[]".contains(letter);
    host.is_some_and(|host| !host.is_empty() && host.chars().all(plain))
}

//! How requests come in and answers go out.

use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::answer::{Answer, Refusal};
use super::behaviour::{Trouble, take};
use super::records::Received;
use super::state::State;
use super::{api, authorize, device, oauth1, sigv4, token};

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// Takes connections for as long as it is awaited; they end with it.
pub(super) async fn serve(listener: TcpListener, state: Arc<Mutex<State>>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                let state = Arc::clone(&state);
                connections.spawn(async move {
                    let service = service_fn(|request| answer(&state, request));
                    let connection = http1::Builder::new();
                    let connection = connection.serve_connection(TokioIo::new(stream), service);
                    // A client may hang up, and a trouble may be that the provider does.
                    let _ = connection.await;
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// An error closes the connection.
async fn answer(
    state: &Mutex<State>,
    request: Request<Incoming>,
) -> Result<Response<Body>, io::Error> {
    let received = Received::read(request).await.map_err(io::Error::other)?;
    let (answer, after) = decide(&mut state.lock().unwrap(), received);
    tokio::time::sleep(after).await;
    let answer = answer.ok_or_else(|| io::Error::other("the provider hangs up"))?;
    Ok(response(answer))
}

/// What is answered, if anything, and after how long.
fn decide(state: &mut State, received: Received) -> (Option<Answer>, Duration) {
    let trouble = take(&mut state.planned, &received.path);
    let mut after = Duration::ZERO;
    let answer = match trouble {
        None => Some(route(state, &received)),
        Some(Trouble::Slow(delay)) => {
            after = delay;
            Some(route(state, &received))
        }
        Some(Trouble::Closed) => None,
        Some(Trouble::AnswerLost) => {
            route(state, &received);
            None
        }
        Some(Trouble::Status(status)) => Some(Answer::new(status, "text/plain", "out of order")),
        Some(Trouble::RateLimited(seconds)) => {
            let answer = Answer::json(429, &json!({"error": "rate_limited"}));
            Some(answer.with("retry-after", &seconds.to_string()))
        }
        Some(Trouble::OAuthError(error)) => Some(Refusal::new(&error, "planned").answer()),
        Some(Trouble::Echoed) => {
            let body = String::from_utf8_lossy(&received.body);
            let said = format!(
                "{body} {} {:?} is not good",
                received.query, received.headers
            );
            Some(Refusal::new("invalid_grant", &said).answer())
        }
        Some(Trouble::NotOk(error)) => {
            Some(Answer::json(200, &json!({"ok": false, "error": error})))
        }
        Some(Trouble::Html) => Some(Answer::html(200, "Please sign in")),
        Some(Trouble::Oversize(size)) => Some(Answer::oversize(size)),
    };
    state.requests.push(received);
    (answer, after)
}

fn route(state: &mut State, request: &Received) -> Answer {
    let either = |answer: Result<Answer, Answer>| answer.unwrap_or_else(|refused| refused);
    let oauth = |answer: Result<Answer, Refusal>| answer.unwrap_or_else(|why| why.answer());
    let is_echo = is_below(&request.path, "/api/echo");
    let names = request.headers.iter().map(|(name, _)| name);
    if !is_echo && names.filter(|name| *name == "authorization").count() > 1 {
        // Somebody on the way has added a credential to one that was there.
        return Answer::json(400, &json!({"error": "Authorization is there twice"}));
    }
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/authorize") => authorize::authorize(state, request),
        ("GET", "/activate") => device::activate(state, request),
        ("POST", "/token") => oauth(token::token(state, request)),
        ("POST", "/revoke") => oauth(token::revoke(state, request)),
        ("POST", "/device") => oauth(device::begin(state, request)),
        ("GET", "/userinfo") => either(api::userinfo(state, request)),
        (_, "/api/me") => either(api::me(state, request)),
        (_, "/api/connections") => either(api::connections(state, request)),
        (_, "/api/key") => api::key(state, request),
        (_, "/api/basic") => api::basic(state, request),
        (_, "/api/redirect") => api::redirect(request),
        (_, "/api/oauth1") => oauth1::oauth1(state, request),
        (_, path) if is_below(path, "/api/aws") => sigv4::aws(state, request),
        _ if is_echo => api::echo(request),
        (_, "/authorize" | "/activate" | "/token" | "/revoke" | "/device" | "/userinfo") => {
            Answer::json(405, &json!({"error": "the method is not taken here"}))
        }
        _ => Answer::json(404, &json!({"error": "there is nothing here"})),
    }
}

fn is_below(path: &str, folder: &str) -> bool {
    let rest = path.strip_prefix(folder);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn response(answer: Answer) -> Response<Body> {
    let mut response = Response::builder().status(answer.status);
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    let body = Full::new(answer.body);
    let body = if answer.tells_length {
        body.boxed_unsync()
    } else {
        // A body that passes through a function has no length that is known before.
        body.map_frame(|frame| frame).boxed_unsync()
    };
    response.body(body).unwrap()
}

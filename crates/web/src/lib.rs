//! The HTTP door: api/v2, OpenAPI, docs; no store.
//!
//! Invariants: a handler reads its input, calls one use case and renders the answer. Only
//! `error` knows status codes of failures. A route exists exactly when the OpenAPI document
//! describes it, because both come from the same line. Nothing here logs a query string.
#![warn(missing_docs)]

mod api;
mod around;
mod connect;
mod docs;
mod error;
mod extract;
mod health;
mod linger;
mod once;
mod openapi;
mod pages;
mod reply;
mod router;
mod sent;
mod serve;
mod state;
mod throttle;

pub use openapi::openapi;
pub use router::router;
pub use serve::serve;
pub use state::WebConfig;

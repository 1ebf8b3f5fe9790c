//! The third party that tests of credentials rely on is itself as strict as they need it.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod api;
mod client;
mod consent;
mod grants;
mod refresh;
mod troubles;

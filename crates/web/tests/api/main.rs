//! The door as its clients meet it, without an engine behind it.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod client;
mod contract;
mod corners;
mod docs;
mod document;
mod errors;
mod hostile;
mod journey;
mod keys;
mod lists;
mod logs;
mod operations;
mod paging;
mod polls;
mod push_hooks;
mod repeated;
mod reruns;
mod schedules;
mod server;
mod settings;
mod tenants;
mod triggers;
mod uploads;
mod validation;

//! The door as its clients meet it, without an engine behind it.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod bulk;
mod client;
mod contract;
mod corners;
mod defaults;
mod docs;
mod document;
mod errors;
mod explain;
mod faults;
mod hostile;
mod journey;
mod keys;
mod lists;
mod local_run;
mod logs;
mod lost;
mod nodes;
mod operations;
mod outputs;
mod paging;
mod polls;
mod push_hooks;
mod races;
mod repeated;
mod reruns;
mod retention;
mod rotation;
mod schedules;
mod sealed;
mod server;
mod settings;
mod soak;
mod tenants;
mod triggers;
mod turns;
mod uploads;
mod validation;

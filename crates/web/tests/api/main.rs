//! The door as its clients meet it, without an engine behind it.

mod client;
mod contract;
mod docs;
mod document;
mod errors;
mod hostile;
mod journey;
mod keys;
mod lists;
mod logs;
mod server;
mod tenants;
mod triggers;
mod validation;

//! The use cases, one file per resource: what the product decides.
//!
//! Invariants: every front door (API, command line, later the Hub) comes through here and gets
//! the same answer to the same act. Nothing here reads a clock, knows HTTP or writes SQL; a use
//! case opens one transaction, and nothing leaves the process while it is open.
#![warn(missing_docs)]

mod app;
mod auth;
mod ctx;
mod errors;
mod hints;
mod key_text;
mod lost;
mod places;
mod random;
mod vault;

pub mod builds;
pub mod environment;
pub mod health;
pub mod idempotency;
pub mod integration_secrets;
pub mod integrations;
pub mod keys;
pub mod learned;
pub mod lists;
pub mod logs;
pub mod metadata;
pub mod next_environment;
pub mod polls;
pub mod push_hooks;
pub mod releases;
pub mod repository;
pub mod reruns;
pub mod run_engine;
pub mod runs;
pub mod schedules;
pub mod settings;
pub mod tenants;
pub mod triggers;
pub mod uploads;

pub use app::{App, Limits, Settings};
pub use auth::{authenticate, bootstrap_key};
pub use ctx::{Ctx, Principal};
pub use hints::{Hints, Topic};
pub use marquetry_manifest::manifest_schema;
pub use marquetry_vault::{MasterKey, VaultError};
pub use places::{Place, Places};

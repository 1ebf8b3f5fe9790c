//! The use cases, one file per resource: what the product decides.
//!
//! Invariants: every front door (API, command line, later the Hub) comes through here and gets
//! the same answer to the same act. Nothing here reads a clock, knows HTTP or writes SQL; a use
//! case opens one transaction, and nothing leaves the process while it is open.
#![warn(missing_docs)]

mod app;
pub mod audit;
mod auth;
mod ctx;
mod errors;
mod hints;
mod key_text;
mod lost;
mod outbox;
mod places;
mod random;
mod secret_texts;
mod to_the_end;
mod vault;

pub mod builds;
pub mod bulk;
pub mod connect;
pub mod connections;
pub mod connectors;
pub mod dispatch;
pub mod environment;
pub mod explain;
pub mod health;
pub mod idempotency;
pub mod integration_secrets;
pub mod integrations;
pub mod jobs;
pub mod json;
pub mod key_rotation;
pub mod keys;
mod known;
pub mod learned;
pub mod lists;
pub mod logs;
pub mod metadata;
pub mod next_environment;
pub mod nodes;
pub mod polls;
pub mod push_hooks;
pub mod releases;
pub mod repository;
pub mod reruns;
pub mod retention;
pub mod run_engine;
pub mod runs;
pub mod schedules;
pub mod secret_forms;
pub mod secret_sweeps;
pub mod settings;
pub mod take_back;
pub mod tenant_secrets;
pub mod tenants;
pub mod triggers;
pub mod uploads;

pub use app::{App, Limits, Settings};
pub use auth::{authenticate, bootstrap_key};
pub use ctx::{Ctx, Principal};
pub use hints::{Hints, Topic};
pub use marquetry_manifest::manifest_schema;
pub use marquetry_vault::{MasterKey, VaultError};
pub use outbox::{Heard, Outbox};
pub use places::{Place, Places};

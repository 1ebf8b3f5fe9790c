//! What the product remembers: all SQL, both migration sets, the [`Store`] and its transactions.
//!
//! Invariants: the only crate that names a database driver. A query is a free function that takes
//! `&mut Tx`; nothing that takes a `Tx` opens another, and nothing here calls the network, runs
//! code or reads a clock (`now` is bound). One SQL text serves SQLite and PostgreSQL; where they
//! differ, the difference has a name in `dialect` and a test.
#![warn(missing_docs)]

mod dialect;
mod error;
mod migrate;
mod postgres;
mod query;
mod sqlite;
mod store;
mod value;

pub mod api_keys;
pub mod audit;
pub mod builds;
pub mod connect_attempts;
pub mod connect_links;
pub mod connections;
pub mod connectors;
pub mod data_keys;
pub mod decisions;
pub mod idempotency;
pub mod integration_secrets;
pub mod integrations;
pub mod logs;
pub mod nodes;
pub mod notices;
pub mod outputs;
pub mod polls;
pub mod provisions;
pub mod releases;
pub mod reruns;
pub mod retention;
pub mod run_views;
pub mod runs;
pub mod schedules;
pub mod sealed_rows;
pub mod secret_sweeps;
pub mod settings;
pub mod tenant_configs;
pub mod tenant_metadata;
pub mod tenant_secrets;
pub mod tenant_states;
pub mod tenant_views;
pub mod tenants;
pub mod trial;
pub mod triggers;
pub mod turns;

pub use error::{Error, Result};
pub use query::{Filter, List};
pub use store::{Options, ReadTx, Store, Tx, WriteTx, probe};

//! What the store promises, on both databases.
//!
//! `MARQUETRY_TEST_DATABASES` lists the databases under test (`sqlite`, `postgres`; `sqlite` when
//! it is not set), `MARQUETRY_TEST_POSTGRES` is the URL of a database of a PostgreSQL server in
//! which further databases may be made.
#![expect(
    clippy::unwrap_used,
    reason = "clippy's leave for tests does not reach the functions that they share"
)]

mod common;

mod api_keys;
mod artifacts;
mod audit;
mod builds;
mod claims;
mod connect_attempts;
mod connect_links;
mod connections;
mod connections_claim;
mod connectors;
mod data_keys;
mod decisions;
mod group_commit;
mod idempotency;
mod integration_secrets;
mod integrations;
mod kill;
mod lists;
mod logs;
mod nodes;
mod notices;
mod opening;
mod polls;
mod provisions;
mod releases;
mod reruns;
mod retention;
mod run_views;
mod runs;
mod runs_claim;
mod schedules;
mod schema;
mod sealed_rows;
mod secret_sweeps;
mod settings;
mod several;
mod tenant_metadata;
mod tenant_secrets;
mod tenant_states;
mod tenant_views;
mod tenants;
mod transactions;
mod trial;
mod triggers;
mod turns;
mod upgrades;

//! A real server in its own process, real repositories, real databases and a third party, for tests.
//!
//! Tests speak to the product as its users do: over HTTP and by its command line. What is here
//! only starts things, waits for conditions and cleans up.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![expect(
    clippy::disallowed_methods,
    reason = "tests start the product and git, and read what ./test exports"
)]

mod apart;
mod browser;
mod container_engine;
mod copies;
mod database;
mod ends;
mod gate;
mod growth;
mod http;
mod inside;
mod left_over;
mod older_nodes;
mod pair;
mod provider;
mod random;
mod removal;
mod repository;
mod scenario;
mod server;
mod skipped;
mod small_disk;
mod stand_in;
mod story;
mod tenants;
mod wait;

pub use apart::{Host, Network, way};
pub use browser::{Browser, PageSeen};
pub use container_engine::ContainerEngine;
pub use database::{Database, PostgresDatabase};
pub use gate::Gate;
pub use growth::Files;
pub use http::Http;
pub use inside::{BuildClaim, Inside, RunClaim};
pub use pair::Pair;
pub use provider::{
    ApiKeyIn, Behaviour, ClientAuthentication, Consent, Counters, Credentials, ExpiresIn, Pkce,
    Provider, Received, RefreshTokens, RequestBody, ServiceAccount, TokenFormat, Trouble,
};
pub use random::{Random, seed_to_repeat};
pub use repository::Repository;
pub use scenario::{Scenario, manifest, node_manifest};
pub use server::{Answer, MASTER_KEY, ServerOptions, TestServer};
pub use skipped::skipped;
pub use small_disk::SmallDisk;
pub use stand_in::StandIn;
pub use story::Story;
pub use tenants::tenant_named;
pub use wait::{eventually, never_within};

/// Makes a test for each database out of one body: `name::sqlite` and `name::postgres`. Which of
/// them really run is said by `MARQUETRY_TEST_DATABASES` (a list; SQLite alone by default).
#[macro_export]
macro_rules! both_databases {
    ($(#[$attribute:meta])* async fn $name:ident($database:ident) $body:block) => {
        mod $name {
            use super::*;

            async fn body($database: $crate::Database) $body

            $(#[$attribute])*
            #[tokio::test(flavor = "multi_thread")]
            async fn sqlite() {
                if $crate::Database::Sqlite.is_wanted() {
                    body($crate::Database::Sqlite).await;
                }
            }

            $(#[$attribute])*
            #[tokio::test(flavor = "multi_thread")]
            async fn postgres() {
                if $crate::Database::Postgres.is_wanted() {
                    body($crate::Database::Postgres).await;
                }
            }
        }
    };
}

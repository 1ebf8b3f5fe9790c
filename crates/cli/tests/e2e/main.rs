//! The product as its users meet it: a real process, real HTTP, real repositories, on both
//! databases.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod apart;
mod bench;
mod bundling;
mod chaos;
mod command_line;
mod connect;
mod containers;
mod crash;
mod demo;
mod disk;
mod environment;
mod fairness;
mod folders;
mod histories;
mod hostile;
mod idle;
mod limits;
mod manifests;
mod memory;
mod metadata;
mod narrowing;
mod nodes;
mod outage;
mod outlive;
mod prestart;
mod private;
mod pushes;
mod readers;
mod reruns;
mod sealed;
mod secrets;
mod settings;
mod stops;
mod storage;
mod toolchains;
mod tutorial;
mod upgrade;
mod upload;
mod usage;
mod walk;
mod wrong_clock;

use marquetry_testkit::{Database, ServerOptions, TestServer};

/// A server of the binary under test.
async fn server(database: Database) -> TestServer {
    TestServer::start(options(database)).await
}

fn options(database: Database) -> ServerOptions {
    ServerOptions::new(env!("CARGO_BIN_EXE_marquetry"), database)
}

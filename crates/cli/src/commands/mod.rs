//! The command line: what can be said, and who does it.

mod bench;
mod build;
mod builds;
mod bulk;
mod chaos;
mod config;
mod demo;
mod doctor;
#[cfg(test)]
mod document;
mod explain;
mod input;
mod integrations;
mod keys;
mod logs;
mod manifest;
mod nodes;
mod pack;
mod releases;
mod runs;
mod show;
mod sync;
mod tenants;
mod triggers;
mod version;

use clap::{Parser, Subcommand};

// What the demo and the benchmark do too.
pub(crate) use build::ended as build_ended;
pub(crate) use pack::archive;
pub(crate) use show::duration_ms;
pub(crate) use sync::{Taken, ask as sync_ask, ended as run_ended, taken as sync_taken};

use crate::config::{Environment, ServerConfig, ServerFlags, print_faults};
use crate::printer::Printer;
use crate::server;

/// The whole line.
#[derive(Debug, Parser)]
#[command(
    name = "marquetry",
    version,
    about = "Runs the integrations between your product and your customers' other systems",
    long_about = "Runs the integrations between your product and your customers' other systems.\n\n\
        An integration is code in a Git repository with a PANDIUM.yaml. Marquetry builds it to a \
        release, runs it in a sandbox for each customer (a tenant), and keeps status, output and log.",
    after_help = "New here? `marquetry demo` shows all of it in a minute.",
    after_long_help = "Examples:\n  \
        marquetry demo                                    see it work, on this machine\n  \
        marquetry serve                                   start the server\n  \
        marquetry integrations create crm-sync --repository-url https://git.example.com/crm.git\n  \
        marquetry build crm-sync                          build the tracking branch\n  \
        marquetry tenants create crm-sync acme            a customer\n  \
        marquetry sync crm-sync/acme --wait               run it now, with its log\n\n\
        Client commands speak to MARQUETRY_URL (http://127.0.0.1:8080) with the key in \
        MARQUETRY_API_KEY, or the one in ./marquetry-data/api-key.\n\n\
        Exit codes: 0 it worked, 1 it did not, 2 the command line is wrong; `sync --wait` and \
        `build` have more, see their help.",
    subcommand_required = true,
    arg_required_else_help = true
)]
pub(crate) struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the server.
    #[command(
        long_about = "Start the server.\n\nThe first start on empty storage makes an owner API key, prints it once \
            and writes it to <data-dir>/api-key.",
        after_long_help = "Examples:\n  \
            marquetry serve\n  \
            marquetry serve --listen 0.0.0.0:8080 --public-url https://marquetry.example.com\n  \
            MARQUETRY_DATABASE_URL=postgres://… marquetry serve --roles api,scheduler\n  \
            marquetry serve --config /etc/marquetry.toml"
    )]
    Serve(Box<ServerFlags>),
    /// See everything work once, with example integrations on this machine.
    Demo(demo::DemoArgs),
    /// Look at this machine: is everything there that the server and its runs need?
    Doctor(doctor::DoctorArgs),
    /// Measure how fast it is on this machine.
    Bench(bench::BenchArgs),
    /// Break nodes of its own under load, and check that every promise is kept.
    Chaos(Box<chaos::ChaosArgs>),
    /// Check the server's configuration.
    Config(config::ConfigArgs),
    /// API keys, and the master key.
    Keys(keys::KeysArgs),
    /// Manifests: check one, or get their schema for an editor.
    Manifest(manifest::ManifestArgs),
    /// Integrations: where the code is and how it runs.
    Integrations(integrations::IntegrationsArgs),
    /// Build a release of an integration.
    Build(build::BuildArgs),
    /// Builds so far.
    Builds(builds::BuildsArgs),
    /// Releases: what builds made.
    Releases(releases::ReleasesArgs),
    /// Tenants: customers of an integration.
    Tenants(tenants::TenantsArgs),
    /// Do the same to many tenants.
    Bulk(bulk::BulkArgs),
    /// Run an integration for a tenant now.
    Sync(sync::SyncArgs),
    /// Triggers: what asks for runs.
    Triggers(triggers::TriggersArgs),
    /// Runs so far.
    Runs(runs::RunsArgs),
    /// Why a tenant ran, waits, or did not run.
    Explain(explain::ExplainArgs),
    /// The log of a run.
    Logs(logs::LogsArgs),
    /// Nodes: the servers that share the database.
    Nodes(nodes::NodesArgs),
    /// Versions of this program and of the server's API.
    Version(version::VersionArgs),
}

/// Does what the line says; answers the exit code.
pub(crate) async fn run(
    line: CommandLine,
    environment: &Environment,
    to: &mut Printer,
) -> anyhow::Result<u8> {
    match line.command {
        Command::Serve(flags) => serve(&flags, environment, to).await,
        Command::Demo(args) => demo::run(args, environment, to).await,
        Command::Doctor(args) => doctor::run(&args, environment, to).await,
        Command::Bench(args) => bench::run(args, to).await,
        Command::Chaos(args) => chaos::run(*args, to).await,
        Command::Config(args) => Ok(config::run(&args, environment, to)),
        Command::Keys(args) => keys::run(args, to).await,
        Command::Manifest(args) => manifest::run(&args, to),
        Command::Integrations(args) => integrations::run(args, to).await,
        Command::Build(args) => build::run(args, to).await,
        Command::Builds(args) => builds::run(args, to).await,
        Command::Releases(args) => releases::run(args, to).await,
        Command::Tenants(args) => tenants::run(args, to).await,
        Command::Bulk(args) => bulk::run(args, to).await,
        Command::Sync(args) => sync::run(args, to).await,
        Command::Triggers(args) => triggers::run(args, to).await,
        Command::Runs(args) => runs::run(args, to).await,
        Command::Explain(args) => explain::run(args, to).await,
        Command::Logs(args) => logs::run(args, to).await,
        Command::Nodes(args) => nodes::run(args, to).await,
        Command::Version(args) => version::run(&args, to).await,
    }
}

async fn serve(
    flags: &ServerFlags,
    environment: &Environment,
    to: &mut Printer,
) -> anyhow::Result<u8> {
    match load(flags, environment, to) {
        Some(config) => server::serve(config, to).await,
        None => Ok(1),
    }
}

/// The configuration; where it has faults, they are printed and there is none.
fn load(flags: &ServerFlags, environment: &Environment, to: &mut Printer) -> Option<ServerConfig> {
    match ServerConfig::load(flags, environment) {
        Ok(config) => {
            for warning in &config.unknown_variables {
                to.warn(warning);
            }
            Some(config)
        }
        Err(error) => {
            print_faults(&error, false, to);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::CommandLine;

    #[test]
    fn the_command_line_is_consistent() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn every_command_and_option_explains_itself() {
        fn look(command: &clap::Command) {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            for argument in command.get_arguments() {
                let named = matches!(argument.get_id().as_str(), "help" | "version");
                assert!(
                    named || argument.get_help().is_some(),
                    "{} {}",
                    command.get_name(),
                    argument.get_id()
                );
            }
            command.get_subcommands().for_each(look);
        }
        look(&CommandLine::command());
    }
}

//! The server as `serve` and `demo` run it: announced, and ended in order.

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use super::{Choices, Server};
use crate::client::Client;
use crate::config::ServerConfig;
use crate::printer::Printer;

/// `PATH` where the server has none.
const USUAL_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// The first process of a run; it does not come back.
pub(crate) fn sandbox_main() -> Option<ExitCode> {
    marquetry_sandbox::helper_main()
}

/// Serves until SIGTERM or Ctrl-C; a second one ends at once.
pub(crate) async fn serve(config: ServerConfig, to: &mut Printer) -> anyhow::Result<u8> {
    log_to_stderr(&config)?;
    let server = Server::start(&config, Choices::default(), host_path()).await?;
    // Before anybody is told that it is there and may end it.
    let mut signals = Signals::new()?;
    if let Some((key, file)) = &server.new_key {
        to.note(&format!(
            "owner API key (shown once, kept in {}): {key}",
            file.display()
        ));
    }
    to.note(&format!("listening on {}", server.url));
    signals.next().await;
    let live = server.live_runs();
    if live > 0 {
        to.note(&format!(
            "stopping: {live} live runs get 30 s to end; once more to stop at once"
        ));
    }
    tokio::select! {
        left = server.stop(false) => match left? {
            0 => {}
            left => to.note(&format!(
                "{left} live runs go on; start the server again within a minute, and it takes them back"
            )),
        },
        () = signals.next() => to.note("stopped at once; live runs go on for some seconds, and the next start takes them back or closes them"),
    }
    Ok(0)
}

struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// A server in this process, for the demo.
pub(crate) struct Running {
    /// A client of it, with its owner key.
    pub(crate) client: Client,
    server: Server,
}

impl Running {
    /// Serves until SIGTERM or Ctrl-C, then ends in order.
    pub(crate) async fn until_stopped(self) -> anyhow::Result<()> {
        Signals::new()?.next().await;
        self.stop().await
    }

    /// Ends in order.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        self.server.stop(true).await.map(drop)
    }
}

/// Starts a server for the demo: with the best sandbox there is, on the next free port.
pub(crate) async fn start_for_demo(
    config: ServerConfig,
    to: &mut Printer,
) -> anyhow::Result<Running> {
    log_to_stderr(&config)?;
    let choices = Choices {
        next_free_port: true,
        best_sandbox: true,
    };
    let server = Server::start(&config, choices, host_path()).await?;
    let key = key(&config, &server)?;
    to.note(&format!("listening on {}", server.url));
    if let Some(sandbox) = &server.sandbox {
        to.note(&sandbox_sentence(sandbox));
    }
    let client = Client::new(&server.url, Some(key))?;
    Ok(Running { client, server })
}

fn sandbox_sentence(sandbox: &marquetry_sandbox::Sandbox) -> String {
    let missing: Vec<&str> = sandbox
        .report()
        .missing()
        .map(|part| part.name.as_str())
        .collect();
    match sandbox.mode() {
        marquetry_sandbox::Mode::Full => "sandbox: full".to_owned(),
        marquetry_sandbox::Mode::Degraded => format!(
            "sandbox: degraded, without {}; `marquetry doctor` says how to get them",
            missing.join(", ")
        ),
        marquetry_sandbox::Mode::Off => "sandbox: off".to_owned(),
    }
}

/// The key that was just made, was given, or lies in the data folder since the first start.
fn key(config: &ServerConfig, server: &Server) -> anyhow::Result<String> {
    if let Some((key, _)) = &server.new_key {
        return Ok(key.clone());
    }
    if let Some(key) = &config.bootstrap_api_key {
        return Ok(key.reveal().to_owned());
    }
    let file = server.data_dir().join("api-key");
    let key = std::fs::read_to_string(&file).with_context(|| {
        format!(
            "cannot read {}; give the demo another --data-dir",
            file.display()
        )
    })?;
    Ok(key.trim().to_owned())
}

fn host_path() -> OsString {
    std::env::var_os("PATH").unwrap_or_else(|| USUAL_PATH.into())
}

fn log_to_stderr(config: &ServerConfig) -> anyhow::Result<()> {
    let filter = filter(&config.log)?;
    let log = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(filter);
    log.try_init()
        .map_err(|error| anyhow::anyhow!("the log cannot be set up: {error}"))
}

/// PostgreSQL's notices are no news ("relation already exists, skipping"), yet its driver writes
/// them as such: they are shown to who asks for debug lines, or for the driver's.
fn filter(said: &str) -> anyhow::Result<EnvFilter> {
    let filter: EnvFilter = said.parse().context("the setting log cannot be read")?;
    let is_curious = filter.max_level_hint() > Some(LevelFilter::INFO);
    if is_curious || said.contains("tokio_postgres") {
        return Ok(filter);
    }
    Ok(filter.add_directive("tokio_postgres::connection=warn".parse()?))
}

#[cfg(test)]
mod tests {
    use super::filter;

    #[test]
    fn notices_of_the_database_are_for_who_asks() {
        for (said, quiet) in [
            ("info", true),
            ("warn,marquetry_engine=info", true),
            ("debug", false),
            ("info,marquetry_engine=debug", false),
            ("info,tokio_postgres=info", false),
        ] {
            let directives = filter(said).unwrap().to_string();
            let found = directives.contains("tokio_postgres::connection=warn");
            assert_eq!(found, quiet, "{directives}");
        }
        assert!(filter("marquetry_engine=loud").is_err());
    }
}

//! The server: its parts put together, started and stopped.

mod core_files;
mod folder;
mod master_key;
pub(crate) mod parts;
mod serving;

use std::ffi::OsString;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use marquetry_app::secret_sweeps::secrets_sweep;
use marquetry_app::{App, Ctx, bootstrap_key};
use marquetry_engine::{Engine, Neighbours, Presence};
use marquetry_sandbox::Sandbox;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::config::{Role, SandboxMode, ServerConfig};
use folder::DataFolder;
pub(crate) use folder::memory_of;
pub(crate) use serving::{sandbox_main, serve, start_for_demo};

/// Live runs get this long to end when the server is stopped.
const DRAIN: Duration = Duration::from_secs(30);

/// What differs between `serve` and `demo`.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Choices {
    /// Takes the next free port when the one asked for is taken.
    pub(crate) next_free_port: bool,
    /// Takes the best sandbox that there is instead of insisting on the one asked for.
    pub(crate) best_sandbox: bool,
}

/// A server that listens.
pub(crate) struct Server {
    pub(crate) url: String,
    /// The first owner key, when this start made it, and the file that it lies in.
    pub(crate) new_key: Option<(String, PathBuf)>,
    pub(crate) sandbox: Option<Sandbox>,
    engine: Option<Engine>,
    neighbours: Neighbours,
    presence: Presence,
    stop: oneshot::Sender<()>,
    web: JoinHandle<std::io::Result<()>>,
    folder: DataFolder,
}

impl Server {
    /// Opens everything and begins to serve. `host_path` is `PATH` for code that runs without a
    /// root of its own.
    pub(crate) async fn start(
        config: &ServerConfig,
        choices: Choices,
        host_path: OsString,
    ) -> anyhow::Result<Self> {
        core_files::forbid();
        let folder = DataFolder::open(&config.data_dir)?;
        let listener = bind(config.listen, choices.next_free_port)?;
        let app = parts::app(config, &folder).await?;
        app.blobs
            .check()
            .await
            .context("the blob store does not work")?;
        seal(&app).await;
        let new_key = first_key(config, &folder, &app).await?;
        let works = config.roles.iter().any(|role| *role != Role::Api);
        let neighbours = Neighbours::start(&app);
        let presence = Presence::new(&app, parts::about(config, &folder)).await?;
        let sandbox = if works {
            Some(start_sandbox(config, &folder, choices).await?)
        } else {
            None
        };
        let engine = match &sandbox {
            Some(sandbox) => {
                let settings = parts::engine_config(config, &folder, host_path)?;
                let prepared = parts::prepared(config, &folder).await?;
                let (app, sandbox) = (Arc::clone(&app), sandbox.clone());
                Some(Engine::start(app, sandbox, &presence, prepared, settings).await?)
            }
            None => None,
        };
        presence.announce().await?;
        let address = listener.local_addr()?;
        let url = format!("http://{address}");
        let router = marquetry_web::router(Arc::clone(&app), parts::web(config, &app));
        let (stop, stopped) = oneshot::channel::<()>();
        let web = tokio::spawn(marquetry_web::serve(listener, router, async {
            // Dropped or sent, both mean: stop.
            let _ = stopped.await;
        }));
        Ok(Self {
            url,
            new_key,
            sandbox,
            engine,
            neighbours,
            presence,
            stop,
            web,
            folder,
        })
    }

    /// Where the node keeps its files.
    pub(crate) fn data_dir(&self) -> &Path {
        &self.folder.path
    }

    /// Takes no more requests, lets live runs end for a while, stops. Answers how many runs go on without it, which
    /// are none where all shall end.
    pub(crate) async fn stop(mut self, all_end: bool) -> anyhow::Result<usize> {
        // If nobody listens, it has stopped already.
        let _ = self.stop.send(());
        let engine = async {
            match self.engine {
                Some(engine) => engine.shutdown(DRAIN, all_end).await,
                None => 0,
            }
        };
        let (left, ()) = tokio::join!(engine, self.presence.drain());
        if left == 0 {
            self.folder.free_memory();
        }
        self.presence.shutdown().await;
        self.neighbours.shutdown().await;
        self.web.await.context("the web server ended badly")??;
        Ok(left)
    }

    /// Runs of this node that are live.
    pub(crate) fn live_runs(&self) -> usize {
        self.engine.as_ref().map_or(0, Engine::live_runs)
    }
}

/// Seals secrets that a former version left open, before anybody is served: what is read or copied from
/// here on has none. A failure costs nobody more than waiting longer for it.
async fn seal(app: &Arc<App>) {
    match secrets_sweep(&Ctx::system(Arc::clone(app))).await {
        Ok(swept) if swept.sealed == 0 => {}
        Ok(swept) => tracing::info!(tenants = swept.sealed, "sealed settings that are secrets"),
        Err(error) => tracing::error!(
            error = &error as &dyn std::error::Error,
            "sealing settings that are secrets failed; it is tried again"
        ),
    }
}

fn bind(wanted: SocketAddr, next_free_port: bool) -> anyhow::Result<TcpListener> {
    let mut address = wanted;
    loop {
        match TcpListener::bind(address) {
            Ok(listener) => return Ok(listener),
            Err(error)
                if next_free_port
                    && error.kind() == std::io::ErrorKind::AddrInUse
                    && address.port() < wanted.port().saturating_add(100) =>
            {
                address.set_port(address.port() + 1);
            }
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
                anyhow::bail!(
                    "{wanted} is in use by another program; choose another with --listen"
                );
            }
            Err(error) => return Err(error).with_context(|| format!("cannot listen on {wanted}")),
        }
    }
}

async fn first_key(
    config: &ServerConfig,
    folder: &DataFolder,
    app: &App,
) -> anyhow::Result<Option<(String, PathBuf)>> {
    let given = config
        .bootstrap_api_key
        .as_ref()
        .map(crate::config::Hidden::reveal);
    let Some(key) = bootstrap_key(app, given).await? else {
        return Ok(None);
    };
    let file = folder.keep_key(&key)?;
    // Who gave a key knows it; a log need not.
    Ok(given.is_none().then_some((key, file)))
}

async fn start_sandbox(
    config: &ServerConfig,
    folder: &DataFolder,
    choices: Choices,
) -> anyhow::Result<Sandbox> {
    // A node that only schedules runs no code.
    let runs_code = config
        .roles
        .iter()
        .any(|role| matches!(role, Role::Runner | Role::Builder));
    let wanted = if runs_code {
        config.sandbox
    } else {
        SandboxMode::Off
    };
    let mut config = config.clone();
    config.containers = config.containers.filter(|_| runs_code);
    let config = &config;
    match parts::sandbox(config, folder, wanted).await {
        Err(error) if choices.best_sandbox && wanted == SandboxMode::Full => {
            tracing::warn!("the full sandbox is not to be had here: {error:#}");
            parts::sandbox(config, folder, SandboxMode::Degraded).await
        }
        started => started,
    }
}

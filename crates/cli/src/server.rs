//! The server inside the binary.

use std::process::ExitCode;

use crate::config::ServerConfig;
use crate::failure::Failure;
use crate::printer::Printer;

/// The first process of a run; none where this build has no sandbox.
pub(crate) fn sandbox_main() -> Option<ExitCode> {
    None
}

/// Serves until it is told to stop.
#[expect(clippy::unused_async, reason = "waits where the server is wired in")]
pub(crate) async fn serve(config: ServerConfig, to: &mut Printer) -> anyhow::Result<u8> {
    let listen = config.listen;
    to.note(&format!("would listen on http://{listen}"));
    Err(Failure::new("this build has no server yet").into())
}

/// A server in this process, for the demo.
pub(crate) struct Running {
    /// A client of it, with its owner key.
    pub(crate) client: crate::client::Client,
}

impl Running {
    /// Serves until Ctrl-C, then ends in order.
    pub(crate) async fn until_stopped(self) -> anyhow::Result<()> {
        tokio::signal::ctrl_c().await?;
        self.stop().await
    }

    /// Ends in order.
    #[expect(clippy::unused_async, reason = "waits where the server is wired in")]
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        Ok(())
    }
}

/// Starts a server for the demo: with the best sandbox there is, on the next free port.
#[expect(clippy::unused_async, reason = "waits where the server is wired in")]
pub(crate) async fn start_for_demo(
    config: ServerConfig,
    to: &mut Printer,
) -> anyhow::Result<Running> {
    to.note(&format!("would listen on http://{}", config.listen));
    Err(Failure::new("this build has no server yet").into())
}

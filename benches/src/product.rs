//! The product's server, and other programs that serve, in processes of their own.

use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use crate::client::KEY;

/// The processor that servers of the reading benchmarks get to themselves; the load takes the next.
const SERVER_CPU: &str = "0";

/// 32 bytes in base64: on PostgreSQL the product makes no key of its own. Nothing is worth hiding here.
const MASTER_KEY: &str = "YmVuY2gtYmVuY2gtYmVuY2gtYmVuY2gtYmVuY2gtMzI=";

/// A server that answers.
pub(crate) struct Served {
    pub(crate) address: String,
    /// From the start of the process until it took a connection.
    pub(crate) began: Instant,
    process: Child,
}

/// How to start the product.
#[derive(Debug, Clone)]
pub(crate) struct ProductOptions<'a> {
    pub(crate) binary: &'a Path,
    pub(crate) data_dir: &'a Path,
    pub(crate) database_url: Option<&'a str>,
    pub(crate) roles: &'a str,
    pub(crate) sandbox: &'a str,
    pub(crate) run_slots: usize,
    pub(crate) pinned: bool,
}

impl ProductOptions<'_> {
    /// Starts it and waits until it listens.
    pub(crate) fn start(&self) -> anyhow::Result<Served> {
        self.start_by(on_cpu(self.pinned, self.binary))
    }

    /// The same by a command that becomes the product's program.
    pub(crate) fn start_by(&self, mut command: Command) -> anyhow::Result<Served> {
        let address = free_address()?;
        command
            .args(["serve", "--log", "warn", "--listen", &address, "--data-dir"])
            .arg(self.data_dir)
            .args(["--roles", self.roles, "--sandbox", self.sandbox])
            .args(["--run-slots", &self.run_slots.to_string()])
            .env("MARQUETRY_BOOTSTRAP_API_KEY", KEY);
        if let Some(url) = self.database_url {
            command.env("MARQUETRY_DATABASE_URL", url);
            command.env("MARQUETRY_MASTER_KEY", MASTER_KEY);
        }
        std::fs::create_dir_all(self.data_dir)?;
        let log = self.data_dir.with_extension("log");
        Served::start(command, address, &log)
    }
}

/// A command that keeps to one processor if it shall.
pub(crate) fn on_cpu(pinned: bool, program: &Path) -> Command {
    if !pinned {
        return Command::new(program);
    }
    let mut command = Command::new("taskset");
    command.args(["-c", SERVER_CPU]).arg(program);
    command
}

/// An address with a port that is free now.
pub(crate) fn free_address() -> anyhow::Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

impl Served {
    /// Starts a program and waits until it takes connections at the address.
    pub(crate) fn start(command: Command, address: String, log: &Path) -> anyhow::Result<Self> {
        Self::start_within(command, address, log, Duration::from_secs(60))
    }

    /// The same for one that may take long.
    pub(crate) fn start_within(
        mut command: Command,
        address: String,
        log: &Path,
        patience: Duration,
    ) -> anyhow::Result<Self> {
        let output = File::options().create(true).append(true).open(log)?;
        command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output);
        let began = Instant::now();
        let process = command.spawn().context("the server cannot be started")?;
        let mut served = Self {
            address,
            began,
            process,
        };
        let until = began + patience;
        while TcpStream::connect(&served.address).is_err() {
            if let Some(status) = served.process.try_wait()? {
                bail!("the server ended with {status}; see {}", log.display());
            }
            if Instant::now() > until {
                bail!("the server does not listen; see {}", log.display());
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        Ok(served)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Ends it as an operator does.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        self.end().context("the server did not end")
    }

    /// Ends it without asking, where it cannot end what it has begun.
    pub(crate) fn kill(mut self) -> anyhow::Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }

    fn end(&mut self) -> anyhow::Result<()> {
        if self.process.try_wait()?.is_some() {
            return Ok(());
        }
        Command::new("kill").arg(self.pid().to_string()).status()?;
        let until = Instant::now() + Duration::from_secs(20);
        while self.process.try_wait()?.is_none() {
            if Instant::now() > until {
                self.process.kill()?;
                self.process.wait()?;
                bail!("killed after 20 s");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // A benchmark that fails already has said why.
        let _ = self.end();
    }
}

//! The load: kept connections, each of which sends its next request when it has its answer.

use std::io::Write as _;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::LocalSet;

/// Before this time nothing is counted.
const WARM_UP: Duration = Duration::from_millis(300);

/// The options of a load.
#[derive(Debug, Args)]
pub(crate) struct LoadOptions {
    /// Where the server is; it must be this machine.
    #[arg(long)]
    address: String,
    /// How many connections.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// For how long.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// A JSON list of whole requests; sent in turn.
    #[arg(long)]
    requests: PathBuf,
}

/// What came of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Loaded {
    pub(crate) per_second: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) answers: usize,
}

/// Loads and prints the result.
pub(crate) fn main(options: &LoadOptions) -> anyhow::Result<()> {
    ensure!(
        options.address.starts_with("127.0.0.1:"),
        "only this machine may be loaded"
    );
    ensure!(
        options.connections <= 1_000 && options.seconds <= 60.0,
        "that is too much"
    );
    let text = std::fs::read_to_string(&options.requests)?;
    let requests: Vec<String> = serde_json::from_str(&text)?;
    ensure!(!requests.is_empty(), "there is no request");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let loaded = LocalSet::new().block_on(&runtime, all(options, requests))?;
    writeln!(std::io::stdout(), "{}", serde_json::to_string(&loaded)?)?;
    Ok(())
}

async fn all(options: &LoadOptions, requests: Vec<String>) -> anyhow::Result<Loaded> {
    let requests = Rc::new(requests);
    let from = Instant::now() + WARM_UP;
    let until = from + Duration::from_secs_f64(options.seconds);
    let mut tasks = Vec::new();
    for number in 0..options.connections {
        let stream = TcpStream::connect(&options.address).await?;
        stream.set_nodelay(true)?;
        let connection = Connection {
            stream,
            buffer: Vec::with_capacity(64 << 10),
        };
        // Each begins elsewhere in the list.
        let start = number * requests.len() / options.connections;
        let requests = Rc::clone(&requests);
        tasks.push(tokio::task::spawn_local(
            connection.run(requests, start, from, until),
        ));
    }
    let mut micros = Vec::new();
    for task in tasks {
        micros.extend(task.await??);
    }
    ensure!(!micros.is_empty(), "nothing was answered in time");
    micros.sort_unstable();
    let at = |percent: usize| f64::from(micros[(micros.len() - 1) * percent / 100]);
    Ok(Loaded {
        per_second: micros.len() as f64 / options.seconds,
        p50_us: at(50),
        p99_us: at(99),
        answers: micros.len(),
    })
}

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    async fn run(
        mut self,
        requests: Rc<Vec<String>>,
        start: usize,
        from: Instant,
        until: Instant,
    ) -> anyhow::Result<Vec<u32>> {
        let mut micros = Vec::new();
        for request in requests.iter().cycle().skip(start) {
            let begun = Instant::now();
            self.stream.write_all(request.as_bytes()).await?;
            self.answer()
                .await
                .with_context(|| request.lines().next().unwrap_or("").to_owned())?;
            let ended = Instant::now();
            if ended >= until {
                break;
            }
            if ended >= from {
                let taken = ended.duration_since(begun).as_micros();
                micros.push(u32::try_from(taken).unwrap_or(u32::MAX));
            }
        }
        Ok(micros)
    }

    /// Reads one answer, which must be a success, and forgets it.
    async fn answer(&mut self) -> anyhow::Result<()> {
        self.buffer.clear();
        let mut whole = None;
        loop {
            let had = self.buffer.len();
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                bail!("the server closed the connection");
            }
            if whole.is_none() {
                whole = head(&self.buffer, had)?;
            }
            match whole {
                Some(length) if self.buffer.len() == length => return Ok(()),
                Some(length) => ensure!(self.buffer.len() < length, "more than one answer"),
                None => {}
            }
        }
    }
}

/// The length of head and body, once the head is there.
fn head(buffer: &[u8], had: usize) -> anyhow::Result<Option<usize>> {
    let from = had.saturating_sub(3);
    let Some(end) = buffer[from..]
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
    else {
        return Ok(None);
    };
    let end = from + end + 4;
    let head = std::str::from_utf8(&buffer[..end])?;
    ensure!(
        head.get(9..10) == Some("2"),
        "{}",
        String::from_utf8_lossy(buffer)
    );
    for line in head.split("\r\n").skip(1) {
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            return Ok(Some(end + value.trim().parse::<usize>()?));
        }
    }
    bail!("an answer without a length: {head}")
}

/// Runs a load in a process of its own, on the processor that the server does not have.
pub(crate) fn apart(
    address: &str,
    requests: &std::path::Path,
    seconds: f64,
) -> anyhow::Result<Loaded> {
    let output = std::process::Command::new("taskset")
        .args(["-c", "1"])
        .arg(std::env::current_exe()?)
        .args([
            "load",
            "--address",
            address,
            "--seconds",
            &seconds.to_string(),
        ])
        .arg("--requests")
        .arg(requests)
        .output()?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(serde_json::from_slice(&output.stdout)?)
}

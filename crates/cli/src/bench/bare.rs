//! The limit of what runs cost: the same command, started by a loop that keeps nothing.

use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::ensure;

use crate::load;

/// How long each of `count` takes, one after another, and how many a second are started with
/// `at_once` at a time.
pub(super) async fn measure(
    command: &'static str,
    count: usize,
    at_once: usize,
    span: Duration,
) -> anyhow::Result<(Vec<Duration>, f64)> {
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let began = Instant::now();
        once(command).await?;
        times.push(began.elapsed());
    }
    let rate = load::rate(at_once, span, || once(command)).await?;
    Ok((times, rate))
}

/// Fixed commands of the benchmark's own, with nothing of anybody's in them.
async fn once(command: &str) -> anyhow::Result<()> {
    let output = tokio::process::Command::new("/bin/sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .await?;
    ensure!(
        output.status.success(),
        "{command} ended with {}",
        output.status
    );
    Ok(())
}

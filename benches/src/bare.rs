//! The limit of what runs cost: the same command, started by a loop that keeps nothing.

use std::io::Read as _;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

/// What every run of the benchmarks executes, and what it prints.
pub(crate) const COMMAND: &str = "echo hi";

/// `/bin/sh -c 'echo hi'`, started with `posix_spawn`.
pub(crate) const SHELL: &[&str] = &["/bin/sh", "-c", COMMAND];
/// The same in namespaces of its own, in the cheapest form that starts at all.
pub(crate) const BWRAP: &[&str] = &[
    "bwrap",
    "--unshare-all",
    "--ro-bind",
    "/",
    "/",
    "/bin/sh",
    "-c",
    COMMAND,
];

/// Starts it once, reads its output and waits for its end.
pub(crate) fn once(command: &[&str]) -> anyhow::Result<Duration> {
    timed(Command::new(command[0]).args(&command[1..]), b"hi\n")
}

/// The same for Node with nothing to do. Of the caller's variables it has what a run has: one that
/// names further certificates, for example, doubles the time of a start.
pub(crate) fn node() -> anyhow::Result<Duration> {
    let mut command = Command::new("node");
    command.args(["-e", "0"]).env_clear();
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    timed(&mut command, b"")
}

fn timed(command: &mut Command, printed: &[u8]) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("{} cannot be started", command.get_program().display()))?;
    let mut output = Vec::new();
    let mut stdout = child.stdout.take().context("it has a pipe")?;
    stdout.read_to_end(&mut output)?;
    let status = child.wait()?;
    ensure!(
        status.success() && output == printed,
        "{command:?} ended with {status}"
    );
    Ok(begun.elapsed())
}

/// How many a second, `at_once` at a time.
pub(crate) fn rate(command: &[&str], count: usize, at_once: usize) -> anyhow::Result<f64> {
    let left = AtomicUsize::new(count);
    let take = || {
        left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1))
            .is_ok()
    };
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let loops: Vec<_> = (0..at_once)
            .map(|_| {
                scope.spawn(|| {
                    while take() {
                        once(command)?;
                    }
                    anyhow::Ok(())
                })
            })
            .collect();
        for one in loops {
            one.join().expect("a loop does not panic")?;
        }
        anyhow::Ok(())
    })?;
    Ok(count as f64 / begun.elapsed().as_secs_f64())
}

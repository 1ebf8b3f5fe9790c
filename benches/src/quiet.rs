//! Whether the machine does anything besides the benchmark.

use std::time::{Duration, Instant};

use anyhow::Context as _;

/// Above this share of all processors in use, nothing is measured if it can wait.
const BUSY: f64 = 0.08;
/// How long one look takes.
const LOOK: Duration = Duration::from_millis(500);

/// Waits until the machine is idle, `patience` at most. Answers whether it is. The load average
/// would not do: it remembers the round before, which was ours.
pub(crate) fn wait(patience: Duration) -> anyhow::Result<bool> {
    let until = Instant::now() + patience;
    loop {
        if busy_share()? < BUSY {
            return Ok(true);
        }
        if Instant::now() > until {
            return Ok(false);
        }
    }
}

fn busy_share() -> anyhow::Result<f64> {
    let (busy, all) = ticks()?;
    std::thread::sleep(LOOK);
    let (busy_later, all_later) = ticks()?;
    Ok((busy_later - busy) / (all_later - all).max(1.0))
}

fn ticks() -> anyhow::Result<(f64, f64)> {
    let text = std::fs::read_to_string("/proc/stat")?;
    let line = text.lines().next().context("/proc/stat is empty")?;
    let numbers: Vec<f64> = line
        .split_whitespace()
        .skip(1)
        .map_while(|n| n.parse().ok())
        .collect();
    let all: f64 = numbers.iter().take(8).sum();
    // Columns 3 and 4 are idle and waiting for the disk.
    let idle: f64 = numbers.iter().skip(3).take(2).sum();
    Ok((all - idle, all))
}

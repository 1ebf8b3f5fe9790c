//! What the kernel tells of a process: its memory, its time on a processor, its children.

use anyhow::Context as _;

/// Linux counts the time of processes in hundredths of a second for everybody who asks.
const TICKS_PER_SECOND: f64 = 100.0;

/// Anonymous memory of a process, and of all that come from it, in MB.
pub(crate) fn memory(pid: u32) -> anyhow::Result<(f64, f64)> {
    let mut others = 0.0;
    for child in descendants(pid)? {
        others += anonymous(child)?;
    }
    Ok((anonymous(pid)?, others))
}

/// Seconds that a process, and all that live and come from it, had a processor.
pub(crate) fn cpu_seconds(pid: u32) -> anyhow::Result<f64> {
    let mut all = own_cpu_seconds(pid)?;
    for child in descendants(pid)? {
        all += own_cpu_seconds(child)?;
    }
    Ok(all)
}

/// All processes that come from this one.
pub(crate) fn descendants(pid: u32) -> anyhow::Result<Vec<u32>> {
    let mut found = Vec::new();
    let mut parents = vec![pid];
    while let Some(parent) = parents.pop() {
        let children = children(parent)?;
        found.extend(&children);
        parents.extend(children);
    }
    Ok(found)
}

fn children(pid: u32) -> anyhow::Result<Vec<u32>> {
    let mut found = Vec::new();
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let list = std::fs::read_to_string(task?.path().join("children"))?;
        found.extend(
            list.split_whitespace()
                .filter_map(|id| id.parse::<u32>().ok()),
        );
    }
    Ok(found)
}

fn anonymous(pid: u32) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    let kib: f64 = line
        .and_then(|line| line.split_whitespace().next())
        .context("the kernel tells RssAnon")?
        .parse()?;
    Ok(kib * 1024.0 / 1e6)
}

/// Seconds that a process alone had a processor.
pub(crate) fn own_cpu_seconds(pid: u32) -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name of a program may hold spaces and brackets; what follows it may not.
    let (_, rest) = stat.rsplit_once(')').context("the kernel tells a name")?;
    let times: Vec<f64> = rest
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|ticks| ticks.parse().ok())
        .collect();
    Ok(times.iter().sum::<f64>() / TICKS_PER_SECOND)
}

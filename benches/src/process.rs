//! What the kernel tells of a process: its memory and its children.

use anyhow::Context as _;

/// Anonymous memory of a process, and of all that come from it, in MB.
pub(crate) fn memory(pid: u32) -> anyhow::Result<(f64, f64)> {
    let mut others = 0.0;
    for child in descendants(pid)? {
        others += anonymous(child)?;
    }
    Ok((anonymous(pid)?, others))
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

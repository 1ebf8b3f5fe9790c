//! Watching the size of writable mounts.
//!
//! A bound folder has no size limit of its own (project quotas are not to be had everywhere), so it
//! is measured again and again while the child runs.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::spec::{Access, Mount};

/// Shortest time between two measurements.
const INTERVAL: Duration = Duration::from_millis(500);

/// A measurement may take this part of the time at most.
const SHARE: u32 = 20;

/// Folders with their limits.
pub(crate) struct DiskWatch {
    folders: Vec<(PathBuf, u64)>,
    next: tokio::time::Instant,
}

impl DiskWatch {
    /// The mounts that have a limit.
    pub(crate) fn new(mounts: &[Mount]) -> Self {
        let folders = mounts
            .iter()
            .filter_map(|mount| match mount.access {
                Access::ReadWrite {
                    max_bytes: Some(max),
                } => Some((mount.source.clone(), max)),
                Access::ReadWrite { max_bytes: None } | Access::ReadOnly => None,
            })
            .collect();
        Self {
            folders,
            next: tokio::time::Instant::now() + INTERVAL,
        }
    }

    /// Resolves when a folder is over its limit. Cancel-safe; may be called again.
    pub(crate) async fn over(&mut self) {
        if self.folders.is_empty() {
            return std::future::pending().await;
        }
        loop {
            tokio::time::sleep_until(self.next).await;
            let folders = self.folders.clone();
            let started = Instant::now();
            let over = tokio::task::spawn_blocking(move || {
                folders.iter().any(|(folder, max)| size(folder) > *max)
            });
            let over = over.await.unwrap_or(false);
            let pause = INTERVAL.max(started.elapsed() * SHARE);
            self.next = tokio::time::Instant::now() + pause;
            if over {
                return;
            }
        }
    }
}

/// Bytes on disk below a folder. Entries that vanish meanwhile count nothing; links are not
/// followed.
fn size(folder: &Path) -> u64 {
    let mut total = 0;
    let mut waiting = vec![folder.to_path_buf()];
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(data) = entry.metadata() else {
                continue;
            };
            total += data.blocks() * 512;
            if data.is_dir() {
                waiting.push(entry.path());
            }
        }
    }
    total
}

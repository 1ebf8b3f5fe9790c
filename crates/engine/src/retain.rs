//! Removes what is kept no longer: rows and blobs, by one node of them all, and this node's own caches.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use marquetry_app::retention::{Removed, retain};

use crate::inner::Inner;
use crate::step::remove_tree;

/// After a start there is enough to do.
const FIRST: Duration = Duration::from_secs(300);
const PAUSE: Duration = Duration::from_secs(3600);
/// A step rests so many times as long as it took: the reaper has a tenth of the writer at most.
const REST: u32 = 9;
/// A package cache, or an unpacked release, that was not used for so long leaves.
const UNUSED: Duration = Duration::from_secs(30 * 24 * 3600);

pub(crate) async fn run_loop(inner: Arc<Inner>) {
    let mut pause = FIRST;
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = inner.stop.cancelled() => return,
        }
        pause = PAUSE;
        inner.presence.compare().await;
        if !inner.may_go_on().await {
            return;
        }
        tokio::select! {
            () = look(&inner) => {}
            () = inner.stop.cancelled() => return,
        }
    }
}

async fn look(inner: &Inner) {
    if inner.config.roles.scheduler {
        match retain(&inner.ctx, REST).await {
            Ok(removed) if removed == Removed::default() => {}
            Ok(removed) => tracing::info!(
                runs = removed.runs,
                rows = removed.rows,
                blobs = removed.blobs,
                "removed what is kept no longer"
            ),
            Err(error) => tracing::error!(
                error = &error as &dyn std::error::Error,
                "removing what is kept no longer failed"
            ),
        }
    }
    let now = Duration::from_millis(u64::try_from(inner.ctx.now().as_millis()).unwrap_or(0));
    let Some(before) = SystemTime::UNIX_EPOCH.checked_add(now.saturating_sub(UNUSED)) else {
        return;
    };
    inner.artifacts.evict_unused(before).await;
    remove_unused(&inner.config.cache_dir, before).await;
}

/// Removes the package caches of integrations that were not built for long.
async fn remove_unused(folder: &Path, before: SystemTime) {
    let Ok(mut entries) = tokio::fs::read_dir(folder).await else {
        // No build was made here yet.
        return;
    };
    while let Ok(Some(entry)) = entries.next_entry().await {
        let used = entry.metadata().await.and_then(|about| about.modified());
        if used.is_ok_and(|used| used < before) {
            remove_tree(&entry.path()).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_what_was_not_used_for_long_leaves() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["1", "2"] {
            std::fs::create_dir_all(folder.path().join(name).join("npm")).unwrap();
        }
        let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
        let one = std::fs::File::open(folder.path().join("1")).unwrap();
        one.set_modified(old).unwrap();
        remove_unused(folder.path(), old + Duration::from_secs(1)).await;
        assert!(!folder.path().join("1").exists());
        assert!(folder.path().join("2/npm").exists());
        remove_unused(&folder.path().join("none"), old).await;
    }
}

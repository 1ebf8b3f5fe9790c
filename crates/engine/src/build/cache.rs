//! The package cache of an integration: what package managers fetched, for the next build.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use marquetry_model::Timestamp;
use marquetry_sandbox::Access;

use super::work::{BuildError, Site};
use crate::step::remove_tree;

/// The integration's package cache; answers where the build sees it. Never shared between
/// integrations: one could poison the other's packages.
pub(super) async fn cache(site: &mut Site<'_, '_>) -> Result<PathBuf, BuildError> {
    const INSIDE: &str = "/cache";
    let mounted = site
        .layout
        .mounts
        .iter()
        .find(|m| m.target.as_os_str() == INSIDE);
    if let Some(mount) = mounted {
        return Ok(site.layout.path_of(mount).to_owned());
    }
    let folder = site
        .inner
        .config
        .cache_dir
        .join(site.integration.id.to_string());
    let most = site.inner.config.build.cache_bytes;
    if let Some(bytes) = make_room(&folder, most).await {
        let mib = bytes >> 20;
        site.log
            .say(&format!("the package cache had {mib} MiB and was emptied"));
    }
    let made = tokio::fs::create_dir_all(&folder).await;
    made.map_err(|e| BuildError::platform("the package cache could not be made", e))?;
    note_use(&folder, site.inner.ctx.now());
    Ok(site.layout.mount(
        folder,
        INSIDE,
        Access::ReadWrite {
            max_bytes: Some(most),
        },
    ))
}

/// Removes a cache that is more than half full; answers how much it had. Nobody else empties it, and a
/// build that finds it full would be killed for it each time.
async fn make_room(folder: &Path, most: u64) -> Option<u64> {
    let bytes = size(folder.to_owned()).await;
    let bytes = bytes.filter(|bytes| *bytes > most / 2)?;
    remove_tree(folder).await;
    Some(bytes)
}

/// A folder's own time says when a build last used it: see `retain`.
fn note_use(folder: &Path, now: Timestamp) {
    let now = Duration::from_millis(u64::try_from(now.as_millis()).unwrap_or(0));
    let noted = std::fs::File::open(folder)
        .and_then(|folder| folder.set_modified(SystemTime::UNIX_EPOCH + now));
    if let Err(error) = noted {
        // It leaves too early then, and is filled again.
        tracing::warn!(folder = %folder.display(), %error, "the use of a package cache could not be noted");
    }
}

/// The bytes of all files below a folder; none where it cannot be said.
async fn size(folder: PathBuf) -> Option<u64> {
    tokio::task::spawn_blocking(move || bytes_below(&folder))
        .await
        .ok()
}

fn bytes_below(folder: &Path) -> u64 {
    let mut bytes = 0;
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(data) if data.is_dir() => open.push(entry.path()),
                Ok(data) => bytes += data.len(),
                // Gone, or not ours to read: not counted.
                Err(_) => {}
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn files_are_counted_and_links_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/b");
        std::fs::create_dir_all(&deep).unwrap();
        std::fs::write(deep.join("one"), [0; 1000]).unwrap();
        std::fs::write(folder.path().join("two"), [0; 24]).unwrap();
        std::os::unix::fs::symlink("/usr", deep.join("link")).unwrap();
        let bytes = size(folder.path().to_owned()).await.unwrap();
        assert!((1024..1100).contains(&bytes), "{bytes}");
        assert_eq!(size(folder.path().join("none")).await, Some(0));
    }

    #[tokio::test]
    async fn a_cache_is_emptied_before_it_is_full() {
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path().join("1");
        std::fs::create_dir_all(cache.join("npm")).unwrap();
        std::fs::write(cache.join("npm/one"), [0; 1000]).unwrap();
        assert_eq!(make_room(&cache, 2_000).await, None, "half is not more");
        assert!(cache.join("npm/one").exists());
        assert_eq!(make_room(&cache, 1_999).await, Some(1_000));
        assert!(!cache.exists());
        assert_eq!(make_room(&cache, 1_999).await, None, "there is none");
    }

    #[test]
    fn a_build_makes_its_cache_young() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("one"), "old").unwrap();
        note_use(folder.path(), Timestamp::from_millis(4_000_000_000_000));
        let noted = folder.path().metadata().unwrap().modified().unwrap();
        let noted = noted.duration_since(SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(noted.as_millis(), 4_000_000_000_000);
    }
}

//! Artifacts, unpacked once per node and shared by all runs.

use std::collections::HashMap;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::SystemTime;

use crate::archive::{
    ArchiveError, ExtractLimits, clean_temporary_now, remove_tree_aside, unpack_from,
};
use crate::blob_ref::{BlobRef, Kind};
use crate::blobs::Blobs;
use crate::blocking::blocking;
use crate::cache_use::{Candidate, Unpacked, Uses};
use crate::digest::Sha256;
use crate::error::BlobError;

/// Why an artifact is not there to be used.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The reference is not that of an artifact.
    #[error("blob {blob} is not an artifact")]
    NotAnArtifact {
        /// The reference.
        blob: BlobRef,
    },
    /// The artifact could not be fetched.
    #[error("artifact {blob} could not be fetched")]
    Fetch {
        /// The artifact.
        blob: BlobRef,
        /// The cause.
        #[source]
        source: BlobError,
    },
    /// The artifact could not be unpacked.
    #[error("artifact {blob} could not be unpacked")]
    Unpack {
        /// The artifact.
        blob: BlobRef,
        /// The cause.
        #[source]
        source: ArchiveError,
    },
    /// The folder of the cache cannot be used.
    #[error("artifact cache {} cannot be used", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The cause.
        #[source]
        source: ArchiveError,
    },
}

/// A folder of unpacked artifacts, named by their hashes. A folder under such a name is complete,
/// was checked against its hash, and is read only. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ArtifactCache(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    dir: PathBuf,
    limits: ExtractLimits,
    /// How many bytes may lie there before what is not used leaves.
    most_bytes: u64,
    uses: Arc<Uses>,
    /// Two who make room at once would make it twice.
    evicting: tokio::sync::Mutex<()>,
    /// One lock for each artifact somebody is unpacking, so that others wait instead of doing it
    /// again.
    unpacking: Mutex<HashMap<Sha256, Weak<tokio::sync::Mutex<()>>>>,
}

impl ArtifactCache {
    /// Opens the cache in `dir`, makes the folder (readable by everybody, as runs have other
    /// users) if it is missing, and removes what a crash has left unfinished there. With over
    /// `most_bytes` in it, those not used for longest leave, and never one that is in use.
    pub async fn open(
        dir: &Path,
        limits: ExtractLimits,
        most_bytes: u64,
    ) -> Result<Self, CacheError> {
        let path = dir.to_owned();
        let prepared = blocking(move || prepare(&path)).await;
        prepared.map_err(|source| CacheError::Folder {
            path: dir.to_owned(),
            source,
        })?;
        Ok(Self(Arc::new(Inner {
            dir: dir.to_owned(),
            limits,
            most_bytes,
            uses: Arc::default(),
            evicting: tokio::sync::Mutex::default(),
            unpacking: Mutex::default(),
        })))
    }

    /// The unpacked artifact; fetches and unpacks it if it is not there. The hash of all that was
    /// fetched is checked before the folder appears. It stays while the answer is held.
    pub async fn ensure(&self, artifact: &BlobRef, blobs: &Blobs) -> Result<Unpacked, CacheError> {
        let blob = *artifact;
        let inner = &self.0;
        let into = inner.folder(&blob)?;
        let (unpacked, leaves) = inner.uses.begin(blob.sha256, into.clone());
        if !leaves && is_there(&into) {
            return Ok(unpacked);
        }
        let turn = inner.turn(blob.sha256);
        let _turn = turn.lock().await;
        if is_there(&into) {
            return Ok(unpacked);
        }
        let stored = blobs.stored(&blob).await;
        let stored = stored.map_err(|source| CacheError::Fetch { blob, source })?;
        let limits = inner.limits.clone();
        let made = blocking(move || unpack_from(stored, Some(blob.sha256), &into, &limits)).await;
        made.map_err(|source| CacheError::Unpack { blob, source })?;
        // Nobody waits for what makes room for others.
        let cache = self.clone();
        tokio::spawn(async move { cache.evict().await });
        Ok(unpacked)
    }

    /// Removes what was not used for longest until the cache has its size. What is in use, or cannot
    /// be removed, stays. Happens by itself after unpacking.
    pub async fn evict(&self) {
        let _alone = self.0.evicting.lock().await;
        let inner = Arc::clone(&self.0);
        let found = blocking(move || inner.uses.candidates(&inner.dir)).await;
        let mut sum: u64 = found.iter().map(|one| one.bytes).sum();
        for one in found {
            if sum <= self.0.most_bytes {
                return;
            }
            if self.leave(&one).await {
                sum -= one.bytes;
            }
        }
    }

    /// Removes what was unpacked before this time and not used since the cache was opened.
    pub async fn evict_unused(&self, before: SystemTime) {
        let _alone = self.0.evicting.lock().await;
        let inner = Arc::clone(&self.0);
        let found = blocking(move || inner.uses.candidates(&inner.dir)).await;
        for one in found.iter().filter(|one| one.is_unused_since(before)) {
            self.leave(one).await;
        }
    }

    /// Removes one that nobody uses; answers whether it is gone.
    async fn leave(&self, one: &Candidate) -> bool {
        let turn = self.0.turn(one.sha256);
        let Ok(_turn) = turn.try_lock() else {
            return false;
        };
        if !self.0.uses.leave(one.sha256) {
            return false;
        }
        let path = self.0.dir.join(one.sha256.to_string());
        let removed = blocking(move || remove_tree_aside(&path)).await;
        self.0.uses.left(one.sha256);
        removed.is_ok()
    }

    /// Removes the unpacked artifact, which nobody may be using. Not having it is no error.
    pub async fn remove(&self, artifact: &BlobRef) -> Result<(), CacheError> {
        let blob = *artifact;
        let path = self.0.folder(&blob)?;
        let removed = blocking(move || remove_tree_aside(&path)).await;
        removed.map_err(|source| CacheError::Unpack { blob, source })
    }
}

impl Inner {
    fn folder(&self, blob: &BlobRef) -> Result<PathBuf, CacheError> {
        match blob.kind {
            Kind::Artifact => Ok(self.dir.join(blob.sha256.to_string())),
            Kind::Log | Kind::Payload | Kind::Source => {
                Err(CacheError::NotAnArtifact { blob: *blob })
            }
        }
    }

    /// The lock of that artifact; locks nobody holds or waits for are forgotten.
    fn turn(&self, sha256: Sha256) -> Arc<tokio::sync::Mutex<()>> {
        let mut unpacking = self
            .unpacking
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        unpacking.retain(|_, turn| turn.strong_count() > 0);
        if let Some(turn) = unpacking.get(&sha256).and_then(Weak::upgrade) {
            return turn;
        }
        let turn = Arc::new(tokio::sync::Mutex::new(()));
        unpacking.insert(sha256, Arc::downgrade(&turn));
        turn
    }
}

fn is_there(folder: &Path) -> bool {
    folder.symlink_metadata().is_ok_and(|found| found.is_dir())
}

fn prepare(dir: &Path) -> Result<(), ArchiveError> {
    let made = DirBuilder::new().recursive(true).mode(0o755).create(dir);
    made.map_err(|source: io::Error| ArchiveError::Io {
        action: "make folder",
        path: dir.to_owned(),
        source,
    })?;
    clean_temporary_now(dir).map(drop)
}

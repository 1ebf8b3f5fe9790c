//! The store of blobs: keep, look up, remove, and a check that it works.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use aws_lc_rs::rand;
use bytes::Bytes;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};

use crate::blob_ref::{BlobRef, Kind};
use crate::blocking::blocking;
use crate::digest::Sha256;
use crate::error::BlobError;
use crate::location::{self, LocationError, Opened, S3Settings};

/// zstd's level for what is compressed at rest: its default, fast enough to go unnoticed.
pub(crate) const ZSTD_LEVEL: i32 = 3;

/// Immutable content under the hash of that content, in a folder or in a bucket. Cheap to clone.
///
/// - What `put` has acknowledged survives a power cut (in a folder: file and folders are synced).
/// - The same content of the same kind is stored once. Putting it again renews its age, so a
///   cleaner that deletes only what nobody refers to *and* is older than any unfinished use never
///   takes a blob that has just been put.
/// - Nothing is ever changed in place; readers keep what they have opened.
#[derive(Clone)]
pub struct Blobs {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) prefix: ObjectPath,
    /// The local folder, when the store is one.
    pub(crate) folder: Option<PathBuf>,
}

impl fmt::Debug for Blobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blobs({}, {})", self.store, self.prefix)
    }
}

impl Blobs {
    /// Opens `file:DIR` (made with mode 0700 where it is missing) or `s3://BUCKET/PREFIX`.
    ///
    /// A bucket is not contacted here: use [`Blobs::check`]. Unfinished large uploads to a bucket
    /// are best removed by a lifecycle rule of the bucket.
    pub fn open(location: &str, s3: &S3Settings) -> Result<Self, LocationError> {
        let Opened {
            store,
            prefix,
            folder,
        } = location::open(location, s3)?;
        Ok(Self {
            store,
            prefix,
            folder,
        })
    }

    /// Keeps `content` and answers its address once it is durable.
    pub async fn put(&self, kind: Kind, content: Bytes) -> Result<BlobRef, BlobError> {
        let (sha256, at_rest) = blocking(move || prepare(kind, content)).await;
        let blob = BlobRef { kind, sha256 };
        let payload = PutPayload::from_bytes(at_rest);
        self.store
            .put(&self.object_path(&blob), payload)
            .await
            .map_err(|source| BlobError::about(blob, "store a blob", source))?;
        Ok(blob)
    }

    /// Whether the blob is there.
    pub async fn exists(&self, blob: &BlobRef) -> Result<bool, BlobError> {
        match self.store.head(&self.object_path(blob)).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(source) => Err(BlobError::about(*blob, "look up a blob", source)),
        }
    }

    /// Removes the blob; removing what is not there is no error.
    pub async fn delete(&self, blob: &BlobRef) -> Result<(), BlobError> {
        match self.store.delete(&self.object_path(blob)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(source) => Err(BlobError::about(*blob, "delete a blob", source)),
        }
    }

    /// Writes, reads and removes a small object, to see that the location can be used.
    pub async fn check(&self) -> Result<(), BlobError> {
        let mut content = [0; 16];
        rand::fill(&mut content).expect("the system gives random bytes");
        // A name of its own, as other nodes may check at the same time.
        let name = Sha256::of(&content).to_string();
        let path = self.prefix.clone().join("check").join(name);
        let failed = |action| move |source| BlobError::Store { action, source };

        let payload = PutPayload::from_bytes(Bytes::copy_from_slice(&content));
        self.store
            .put(&path, payload)
            .await
            .map_err(failed("write a test object"))?;
        let read = async { self.store.get(&path).await?.bytes().await };
        let read = read.await.map_err(failed("read its test object"));
        // Before judging what was read: the object must not stay behind.
        self.store
            .delete(&path)
            .await
            .map_err(failed("delete its test object"))?;
        if read? != content.as_slice() {
            return Err(BlobError::Unfaithful);
        }
        Ok(())
    }

    /// `<prefix>/<kind>/<two digits>/<hash><ending>`: small folders, and an ending that tells an
    /// operator which tool opens it.
    pub(crate) fn object_path(&self, blob: &BlobRef) -> ObjectPath {
        let hash = blob.sha256.to_string();
        let ending = match blob.kind {
            Kind::Artifact => ".tar.zst",
            Kind::Log | Kind::Payload => ".zst",
            Kind::Source => ".tar.gz",
        };
        self.kind_path(blob.kind)
            .join(&hash[..2])
            .join(format!("{hash}{ending}"))
    }

    /// Where the blobs of `kind` stand.
    pub(crate) fn kind_path(&self, kind: Kind) -> ObjectPath {
        self.prefix.clone().join(kind.as_str())
    }
}

/// The hash of the content, and the content in its form at rest.
fn prepare(kind: Kind, content: Bytes) -> (Sha256, Bytes) {
    let sha256 = Sha256::of(&content);
    let at_rest = if kind.is_compressed() {
        let compressed = zstd::bulk::compress(&content, ZSTD_LEVEL);
        Bytes::from(compressed.expect("compressing into memory cannot fail"))
    } else {
        content
    };
    (sha256, at_rest)
}

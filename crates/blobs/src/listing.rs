//! Walking over all blobs of a kind in pages, for cleaners.

use std::time::SystemTime;

use futures_util::TryStreamExt;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};

use crate::blob_ref::{BlobRef, Kind};
use crate::blobs::Blobs;
use crate::digest::Sha256;
use crate::error::BlobError;

/// One blob of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedBlob {
    /// Its address.
    pub blob: BlobRef,
    /// Bytes at rest (compressed, where the kind is).
    pub stored_bytes: u64,
    /// When it was last put, by the store's clock.
    pub put_at: SystemTime,
}

/// A page of a listing, in the order of the hashes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// The blobs.
    pub blobs: Vec<ListedBlob>,
    /// Hand this in to get the next page; none after the last.
    pub next: Option<BlobRef>,
}

impl Blobs {
    /// The blob as it is now, if it is there.
    pub async fn find(&self, blob: &BlobRef) -> Result<Option<ListedBlob>, BlobError> {
        match self.store.head(&self.object_path(blob)).await {
            Ok(object) => Ok(self.listed(blob.kind, &object)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(source) => Err(BlobError::about(*blob, "look up a blob", source)),
        }
    }

    /// Up to `limit` (at least one) blobs of `kind` that follow `after`. Objects that are not
    /// blobs are passed over.
    pub async fn list(
        &self,
        kind: Kind,
        after: Option<&BlobRef>,
        limit: usize,
    ) -> Result<Page, BlobError> {
        let limit = limit.max(1);
        let mut blobs = Vec::new();
        let start = after.map(|blob| self.object_path(blob));
        if self.folder.is_some() {
            // A folder lists in no order; its 256 parts are small enough to be sorted one by one.
            let first = after.map_or(0, |blob| blob.sha256.0[0]);
            for shard in first..=u8::MAX {
                let path = self.kind_path(kind).join(format!("{shard:02x}"));
                let mut found = self
                    .list_from(kind, &path, start.as_ref(), usize::MAX)
                    .await?;
                found.sort_by_key(|listed| listed.blob);
                blobs.extend(found);
                if blobs.len() > limit {
                    break;
                }
            }
        } else {
            let path = self.kind_path(kind);
            blobs = self
                .list_from(kind, &path, start.as_ref(), limit + 1)
                .await?;
        }
        let has_more = blobs.len() > limit;
        blobs.truncate(limit);
        let last = blobs.last().map(|listed| listed.blob);
        Ok(Page {
            blobs,
            next: last.filter(|_| has_more),
        })
    }

    async fn list_from(
        &self,
        kind: Kind,
        path: &ObjectPath,
        after: Option<&ObjectPath>,
        limit: usize,
    ) -> Result<Vec<ListedBlob>, BlobError> {
        let objects = match after {
            Some(after) => self.store.list_with_offset(Some(path), after),
            None => self.store.list(Some(path)),
        };
        let mut objects = objects.map_err(|source| BlobError::Store {
            action: "list blobs",
            source,
        });
        let mut blobs = Vec::new();
        while blobs.len() < limit
            && let Some(object) = objects.try_next().await?
        {
            blobs.extend(self.listed(kind, &object));
        }
        Ok(blobs)
    }

    /// The blob that `object` is, if it stands exactly where that blob would.
    fn listed(&self, kind: Kind, object: &ObjectMeta) -> Option<ListedBlob> {
        let name = object.location.filename()?;
        let hash = name.split('.').next()?;
        let sha256: Sha256 = hash.parse().ok()?;
        let blob = BlobRef { kind, sha256 };
        (self.object_path(&blob) == object.location).then(|| ListedBlob {
            blob,
            stored_bytes: object.size,
            put_at: object.last_modified.into(),
        })
    }
}

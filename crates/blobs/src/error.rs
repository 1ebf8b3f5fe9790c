//! What can go wrong with a blob.

use std::io;
use std::path::PathBuf;

use crate::blob_ref::BlobRef;

/// Why a blob could not be kept, found or read.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// There is no such blob.
    #[error("blob {blob} does not exist")]
    NotFound {
        /// The blob that was asked for.
        blob: BlobRef,
    },
    /// The content is larger than the caller allowed.
    #[error("blob {blob} holds more than the allowed {limit} bytes")]
    TooLarge {
        /// The blob that was asked for.
        blob: BlobRef,
        /// The caller's limit in bytes.
        limit: u64,
    },
    /// What is stored is not what was put.
    #[error("blob {blob} is damaged: its content has another hash; restore it from a backup")]
    Corrupt {
        /// The blob that was asked for.
        blob: BlobRef,
    },
    /// The stored bytes could not be read or decompressed.
    #[error("blob {blob} could not be read")]
    Read {
        /// The blob that was asked for.
        blob: BlobRef,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The worker that reads or writes ended without an answer.
    #[error("transfer of a blob broke off")]
    BrokenOff,
    /// A local file that was to be stored could not be read.
    #[error("file {} could not be read", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A local file changed while it was being stored.
    #[error("file {} changed while it was being stored", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// The store refused or did not answer.
    #[error("blob store could not {action}")]
    Store {
        /// What was tried, for the sentence above.
        action: &'static str,
        /// The cause.
        #[source]
        source: object_store::Error,
    },
    /// Unfinished files could not be removed.
    #[error("blobs folder {} could not be cleaned", path.display())]
    Clean {
        /// The folder.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The store answered a test read with something else than what had just been written.
    #[error("blob store does not give back what was written to it")]
    Unfaithful,
}

impl BlobError {
    /// A store's error about `blob`, with "not found" told apart.
    pub(crate) fn about(blob: BlobRef, action: &'static str, source: object_store::Error) -> Self {
        if matches!(source, object_store::Error::NotFound { .. }) {
            Self::NotFound { blob }
        } else {
            Self::Store { action, source }
        }
    }
}

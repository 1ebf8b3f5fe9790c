//! Artifacts, logs and payloads on object storage; content addresses; signed log links.
//!
//! - [`Blobs`] keeps immutable content under the SHA-256 of that content, in a local folder or in
//!   an S3-compatible bucket. What it has acknowledged survives a power cut.
//! - [`pack`] and [`unpack`] turn a built folder into one reproducible archive and back. Both sides
//!   expect hostile input: the folder was written by a build's code, the archive may be anything.
//!   [`extract_tar`] is the safe extraction on its own, for other tar streams.
//! - [`ArtifactCache`] unpacks each artifact once per node.
//! - [`LogLinkSigner`] makes the short-lived links under which a log can be read without a key.
//!
//! Deliberately absent: tables and retention rules (callers decide what to delete), the clock and
//! the process environment (both are arguments).

mod archive;
mod blob_ref;
mod blobs;
mod blocking;
mod cache;
mod cache_use;
mod chunks;
mod digest;
mod error;
mod listing;
mod location;
mod reading;
mod signing;
mod source;
mod unfinished;
mod upload;

pub use archive::{
    ArchiveError, ExtractLimits, ExtractMode, Extracted, LinkPolicy, PackLimits, Packed,
    clean_temporary, extract_tar, pack, unpack,
};
pub use blob_ref::{BlobRef, Kind, ParseBlobRefError};
pub use blobs::Blobs;
pub use cache::{ArtifactCache, CacheError};
pub use cache_use::Unpacked;
pub use digest::{ParseSha256Error, Sha256};
pub use error::BlobError;
pub use listing::{ListedBlob, Page};
pub use location::{LocationError, S3Settings};
pub use reading::BlobStream;
pub use signing::{LinkError, LogLinkSigner};
pub use source::SourceError;

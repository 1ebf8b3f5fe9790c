//! What can go wrong while packing and unpacking.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::digest::Sha256;

/// Why a folder could not be packed or an archive not be unpacked. Names inside the archive are
/// relative to its root; they may hold any byte, so they are shown escaped.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// A file or folder could not be used.
    #[error("could not {action} {path:?}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The contents of all files together are too large.
    #[error(
        "files add up to more than the allowed {limit} bytes (at {path:?}); remove what is not needed to run or raise the limit"
    )]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
        /// The file that went over it.
        path: PathBuf,
    },
    /// There are too many files, folders and links.
    #[error(
        "more than the allowed {limit} files, folders and links; remove what is not needed to run or raise the limit"
    )]
    TooMany {
        /// The limit.
        limit: u64,
    },
    /// A symbolic link leaves the folder.
    #[error(
        "link {path:?} points outside of the folder, to {target:?}; replace it by a relative link that stays inside, or by a copy"
    )]
    LinkOutside {
        /// The link.
        path: PathBuf,
        /// Where it points.
        target: PathBuf,
    },
    /// Following all links takes too many steps.
    #[error("symbolic links are too many and too entangled to be checked; remove some")]
    LinksEntangled,
    /// A device, a pipe or a socket.
    #[error("{path:?} is a {kind}; only files, folders and symbolic links are allowed; remove it")]
    Special {
        /// Its name.
        path: PathBuf,
        /// What it is.
        kind: &'static str,
    },
    /// A path is longer than a program could use.
    #[error("path {path:?}… is longer than 4095 bytes; shorten it")]
    PathTooLong {
        /// How the path begins.
        path: PathBuf,
    },
    /// A file or folder was changed by somebody while it was read.
    #[error("{path:?} changed while it was being packed")]
    Changed {
        /// Its name.
        path: PathBuf,
    },
    /// A name in the archive is empty, absolute or has `..` in it.
    #[error("archive holds the unsafe name {path:?}")]
    UnsafeName {
        /// The name.
        path: PathBuf,
    },
    /// A name in the archive leads through something that is not a folder.
    #[error("archive holds {path:?}, which leads through a link or a file")]
    NotBelowFolder {
        /// The name.
        path: PathBuf,
    },
    /// A name stands twice in the archive.
    #[error("archive holds {path:?} twice")]
    Duplicate {
        /// The name.
        path: PathBuf,
    },
    /// The target of a hard link is not a file that came before it.
    #[error(
        "archive holds the hard link {path:?} to {target:?}, which is no file before it in the archive"
    )]
    HardLink {
        /// The link.
        path: PathBuf,
        /// Its target.
        target: PathBuf,
    },
    /// The archive uses a form that is not taken.
    #[error("archive holds {path:?} as {what}, which is not supported")]
    Unsupported {
        /// The name.
        path: PathBuf,
        /// The form.
        what: &'static str,
    },
    /// The archive is damaged or is no archive.
    #[error("archive is damaged or not a tar archive")]
    Malformed {
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The archive could not be fetched to its end.
    #[error("archive could not be read to its end")]
    Stream {
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The archive is not the one that was asked for.
    #[error("archive has the hash {found} instead of {expected}; it is damaged")]
    WrongHash {
        /// The hash asked for.
        expected: Sha256,
        /// The hash of what came.
        found: Sha256,
    },
}

/// Bytes of a name as a path, for an error.
pub(super) fn shown(name: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(name))
}

/// Turns a system error about `path` into an [`ArchiveError`].
pub(super) fn io_error<E: Into<io::Error>>(
    action: &'static str,
    path: impl Into<PathBuf>,
) -> impl FnOnce(E) -> ArchiveError {
    let path = path.into();
    move |source| ArchiveError::Io {
        action,
        path,
        source: source.into(),
    }
}

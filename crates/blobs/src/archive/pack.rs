//! A built folder becomes one archive, the same bytes for the same content.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags, fstat, open, openat, readlinkat};

use super::dirs::OPEN_FOLDER;
use super::error::{ArchiveError, io_error, shown};
use super::links::{LinkPolicy, Links};
use super::tar_write::{Content, TarWriter};
use super::walk::{Visit, walk};
use crate::blobs::ZSTD_LEVEL;
use crate::blocking::blocking;
use crate::digest::{HashingWriter, Sha256};

/// How much may be packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackLimits {
    /// Bytes of all files together, before compression. A hard link counts as a file of its own.
    pub max_bytes: u64,
    /// Files, folders and links.
    pub max_entries: u64,
    /// Which symbolic links are kept.
    pub links: LinkPolicy,
}

impl Default for PackLimits {
    /// 1 GiB in half a million entries.
    fn default() -> Self {
        Self {
            max_bytes: 1024 * 1024 * 1024,
            max_entries: 500_000,
            links: LinkPolicy::default(),
        }
    }
}

/// A finished archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// The hash of the archive file; its address as an artifact.
    pub sha256: Sha256,
    /// The size of the archive file in bytes.
    pub bytes: u64,
    /// Bytes of all files before compression.
    pub content_bytes: u64,
    /// Regular files in it.
    pub files: u64,
}

/// Packs what is in `folder` into the new file `out` (a zstd-compressed tar), which must not exist
/// and must stand where the folder's owner cannot write.
///
/// Only names, contents, exec bits and link targets count: owners, times, other mode bits,
/// attributes and shared inodes are dropped. Devices, pipes, sockets and links that leave the
/// folder are errors. Nothing outside of the folder is ever read, even if somebody exchanges
/// folders and links meanwhile. After an error there is no `out`.
pub async fn pack(folder: &Path, limits: PackLimits, out: &Path) -> Result<Packed, ArchiveError> {
    let (folder, out) = (folder.to_owned(), out.to_owned());
    blocking(move || pack_now(&folder, &limits, &out)).await
}

fn pack_now(folder: &Path, limits: &PackLimits, out: &Path) -> Result<Packed, ArchiveError> {
    // `create_new` also refuses a link in that place.
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(out)
        .map_err(io_error("create archive", out))?;
    let packed = write_archive(folder, limits, out, file);
    if packed.is_err() {
        // The first error is the one to tell.
        let _ = std::fs::remove_file(out);
    }
    packed
}

fn write_archive(
    folder: &Path,
    limits: &PackLimits,
    out: &Path,
    file: File,
) -> Result<Packed, ArchiveError> {
    let failed = |source: io::Error| io_error("write archive", out)(source);
    let root = open(folder, OPEN_FOLDER, Mode::empty()).map_err(io_error("open folder", folder))?;
    let hashing = HashingWriter::new(BufWriter::new(file));
    let encoder = zstd::Encoder::new(hashing, ZSTD_LEVEL).map_err(failed)?;
    let mut packer = Packer {
        tar: TarWriter::new(encoder),
        links: Links::default(),
        limit: limits.max_bytes,
        content_bytes: 0,
        files: 0,
        out,
    };
    walk(root, limits.max_entries, |visit| packer.add(visit))?;
    // Only now are all links known that a path may lead through.
    packer.links.check(&limits.links)?;
    let Packer {
        tar,
        content_bytes,
        files,
        ..
    } = packer;
    let hashing = tar
        .finish()
        .and_then(zstd::Encoder::finish)
        .map_err(failed)?;
    let (sha256, bytes, writer) = hashing.finish();
    writer
        .into_inner()
        .map_err(|error| failed(error.into_error()))?;
    Ok(Packed {
        sha256,
        bytes,
        content_bytes,
        files,
    })
}

struct Packer<'a, W: io::Write> {
    tar: TarWriter<W>,
    links: Links,
    limit: u64,
    content_bytes: u64,
    files: u64,
    out: &'a Path,
}

impl<W: io::Write> Packer<'_, W> {
    fn add(&mut self, visit: &Visit<'_>) -> Result<(), ArchiveError> {
        let special = |kind| {
            Err(ArchiveError::Special {
                path: shown(visit.path),
                kind,
            })
        };
        match visit.file_type() {
            FileType::Directory => self.append(visit, Content::Folder),
            FileType::RegularFile => self.add_file(visit),
            FileType::Symlink => self.add_link(visit),
            FileType::Fifo => special("named pipe"),
            FileType::Socket => special("socket"),
            FileType::CharacterDevice | FileType::BlockDevice => special("device"),
            FileType::Unknown => special("thing of unknown type"),
        }
    }

    fn append(&mut self, visit: &Visit<'_>, content: Content<'_>) -> Result<(), ArchiveError> {
        let written = self.tar.append(visit.path, content, io::empty());
        written.map_err(io_error("write archive", self.out))
    }

    fn add_link(&mut self, visit: &Visit<'_>) -> Result<(), ArchiveError> {
        let target = readlinkat(visit.folder, visit.name, Vec::new());
        let target = target.map_err(io_error("read link", shown(visit.path)))?;
        let target = target.as_bytes();
        self.links.add(visit.path, target)?;
        self.append(visit, Content::Link { target })
    }

    fn add_file(&mut self, visit: &Visit<'_>) -> Result<(), ArchiveError> {
        let failed = |source| io_error("open", shown(visit.path))(source);
        // Should it have become a pipe meanwhile, opening must not wait for a writer.
        let flags =
            OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = openat(visit.folder, visit.name, flags, Mode::empty()).map_err(failed)?;
        let stat = fstat(&file).map_err(failed)?;
        let changed = || ArchiveError::Changed {
            path: shown(visit.path),
        };
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(changed());
        }
        let size = u64::try_from(stat.st_size).map_err(|_| changed())?;
        self.content_bytes = self.content_bytes.saturating_add(size);
        if self.content_bytes > self.limit {
            return Err(ArchiveError::TooLarge {
                limit: self.limit,
                path: shown(visit.path),
            });
        }
        self.files += 1;
        let content = Content::File {
            is_executable: stat.st_mode & 0o111 != 0,
            size,
        };
        let mut data = Exactly {
            inner: File::from(file).take(size),
            fault: None,
        };
        let written = self.tar.append(visit.path, content, &mut data);
        match data.fault {
            Some(source) => Err(io_error("read", shown(visit.path))(source)),
            None if data.inner.limit() > 0 => Err(changed()),
            None => written.map_err(io_error("write archive", self.out)),
        }
    }
}

/// Reads a file, and keeps a read error apart from errors of the archive that is being written.
struct Exactly {
    inner: io::Take<File>,
    fault: Option<io::Error>,
}

impl Read for Exactly {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buffer).map_err(|error| {
            let kind = error.kind();
            if kind != io::ErrorKind::Interrupted {
                self.fault = Some(error);
            }
            kind.into()
        })
    }
}

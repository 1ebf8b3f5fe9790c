//! Safe extraction of a tar stream into an empty folder. It trusts nothing in the stream.
//!
//! Folders are opened part by part without following links, files are only ever made new, and
//! symbolic links are made last, after all of them were checked together: nothing can be written
//! through one.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;

use rustix::fs::{FileType, Mode, OFlags, fchmod, fstat, openat, symlinkat};
use rustix::io::Errno;

use super::MAX_PATH;
use super::dirs::{Dirs, Missing, OPEN_FOLDER, split};
use super::error::{ArchiveError, io_error, shown};
use super::links::{LinkPolicy, Links};
use super::tar_read::{Member, malformed, read_tar};
use super::walk::walk;

/// How much may be extracted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtractLimits {
    /// Bytes of all files together.
    pub max_bytes: u64,
    /// Entries of the archive plus folders made on the way.
    pub max_entries: u64,
    /// Which symbolic links are accepted.
    pub links: LinkPolicy,
}

impl Default for ExtractLimits {
    /// 1 GiB; more entries than the same default for packing, as long names take entries too.
    fn default() -> Self {
        Self {
            max_bytes: 1024 * 1024 * 1024,
            max_entries: 2_000_000,
            links: LinkPolicy::default(),
        }
    }
}

/// What the extracted files may be used for. Of the modes in the archive only the exec bit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExtractMode {
    /// Everybody may read: files 0444 or 0555, folders 0555.
    ReadOnly,
    /// The owner may also write: files 0644 or 0755, folders 0755.
    Writable,
}

/// What was extracted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Extracted {
    /// Regular files.
    pub files: u64,
    /// Bytes of all files together.
    pub bytes: u64,
}

/// Extracts the (uncompressed) tar stream into the empty folder that `root` is open on. Blocks:
/// call it on a blocking thread.
///
/// Refused, with what was written left to the caller to remove: names that are absolute or climb,
/// links that leave the folder, hard links to anything but an earlier file, names that stand twice
/// or lead through links, devices and pipes, sparse files, and more than `limits` allow.
pub fn extract_tar(
    stream: impl Read,
    root: OwnedFd,
    limits: &ExtractLimits,
    mode: ExtractMode,
) -> Result<Extracted, ArchiveError> {
    let kept = root.try_clone().map_err(io_error("open folder", "."))?;
    let mut extractor = Extractor {
        dirs: Dirs::new(root),
        links: Links::default(),
        limits,
        mode,
        done: Extracted::default(),
    };
    read_tar(stream, limits.max_entries, |name, member, data| {
        extractor.add(name, member, data)
    })?;
    extractor.make_links()?;
    seal_folders(kept, mode)?;
    Ok(extractor.done)
}

struct Extractor<'a> {
    dirs: Dirs,
    links: Links,
    limits: &'a ExtractLimits,
    mode: ExtractMode,
    done: Extracted,
}

impl Extractor<'_> {
    fn add(
        &mut self,
        name: &[u8],
        member: Member,
        data: &mut dyn Read,
    ) -> Result<(), ArchiveError> {
        let path = clean(name)?;
        if path.is_empty() && member == Member::Folder {
            return Ok(());
        }
        if path.is_empty() {
            return Err(ArchiveError::UnsafeName { path: shown(name) });
        }
        match member {
            Member::Folder => self.folder(&path, &path).map(drop),
            Member::File {
                is_executable,
                size,
            } => self.add_file(&path, is_executable, size, data),
            Member::HardLink { target } => self.add_copy(&path, &target),
            Member::SymbolicLink { target } => {
                if target.len() > MAX_PATH || target.contains(&0) {
                    return Err(ArchiveError::UnsafeName { path: shown(name) });
                }
                if self.links.add(&path, &target)? {
                    Ok(())
                } else {
                    Err(ArchiveError::Duplicate { path: shown(&path) })
                }
            }
        }
    }

    /// Opens the folder at `path` and makes what is missing of it, for the sake of `entry`.
    fn folder(&mut self, path: &[u8], entry: &[u8]) -> Result<OwnedFd, ArchiveError> {
        if self.links.on_the_way(path) {
            return Err(ArchiveError::NotBelowFolder { path: shown(entry) });
        }
        let folder = match self.dirs.open(path, Missing::Make) {
            Ok(folder) => folder
                .try_clone_to_owned()
                .map_err(io_error("open folder", shown(path)))?,
            Err(Errno::NOTDIR | Errno::LOOP) => {
                return Err(ArchiveError::NotBelowFolder { path: shown(entry) });
            }
            Err(error) => return Err(io_error("make folder", shown(path))(error)),
        };
        if self.dirs.made() > self.limits.max_entries {
            return Err(ArchiveError::TooMany {
                limit: self.limits.max_entries,
            });
        }
        Ok(folder)
    }

    fn add_file(
        &mut self,
        path: &[u8],
        is_executable: bool,
        size: u64,
        data: &mut dyn Read,
    ) -> Result<(), ArchiveError> {
        // By the claim, before the first byte: a bomb costs nothing.
        self.done.bytes = self.done.bytes.saturating_add(size);
        if self.done.bytes > self.limits.max_bytes {
            return Err(ArchiveError::TooLarge {
                limit: self.limits.max_bytes,
                path: shown(path),
            });
        }
        self.done.files += 1;
        let mut file = self.new_file(path)?;
        copy_exactly(path, data, &mut file, size)?;
        let mode = self.mode.of_file(is_executable);
        fchmod(&file, mode).map_err(io_error("set the mode of", shown(path)))
    }

    fn new_file(&mut self, path: &[u8]) -> Result<File, ArchiveError> {
        let (parent, name) = split(path);
        let folder = self.folder(parent, path)?;
        if self.links.has(path) {
            return Err(ArchiveError::Duplicate { path: shown(path) });
        }
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match openat(&folder, name, flags, Mode::RUSR | Mode::WUSR) {
            Ok(file) => Ok(File::from(file)),
            Err(Errno::EXIST) => Err(ArchiveError::Duplicate { path: shown(path) }),
            Err(error) => Err(io_error("create", shown(path))(error)),
        }
    }

    /// A hard link becomes a copy, so that it counts like any file.
    fn add_copy(&mut self, path: &[u8], target: &[u8]) -> Result<(), ArchiveError> {
        let refused = || ArchiveError::HardLink {
            path: shown(path),
            target: shown(target),
        };
        let target = clean(target).map_err(|_| refused())?;
        let (parent, name) = split(&target);
        let folder = self
            .dirs
            .open(parent, Missing::Fail)
            .map_err(|_| refused())?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let source = openat(folder, name, flags, Mode::empty()).map_err(|_| refused())?;
        let stat = fstat(&source).map_err(io_error("look at", shown(&target)))?;
        let size = u64::try_from(stat.st_size);
        match (FileType::from_raw_mode(stat.st_mode), size) {
            (FileType::RegularFile, Ok(size)) => {
                let mut data = File::from(source);
                self.add_file(path, stat.st_mode & 0o111 != 0, size, &mut data)
            }
            _ => Err(refused()),
        }
    }

    fn make_links(&mut self) -> Result<(), ArchiveError> {
        self.links.check(&self.limits.links)?;
        let links = std::mem::take(&mut self.links);
        for (path, target) in links.sorted() {
            if links.on_the_way(split(path).0) {
                return Err(ArchiveError::NotBelowFolder { path: shown(path) });
            }
            let (parent, name) = split(path);
            let folder = self.folder(parent, path)?;
            match symlinkat(target, &folder, name) {
                Ok(()) => {}
                Err(Errno::EXIST) => return Err(ArchiveError::Duplicate { path: shown(path) }),
                Err(error) => return Err(io_error("create link", shown(path))(error)),
            }
        }
        Ok(())
    }
}

impl ExtractMode {
    fn of_file(self, is_executable: bool) -> Mode {
        Mode::from_raw_mode(match (self, is_executable) {
            (Self::ReadOnly, false) => 0o444,
            (Self::ReadOnly, true) => 0o555,
            (Self::Writable, false) => 0o644,
            (Self::Writable, true) => 0o755,
        })
    }

    fn of_folder(self) -> Mode {
        // A folder's mode is that of a file one may run.
        self.of_file(true)
    }
}

/// The parts of a name without empty ones and `.`; an error if it is absolute or climbs.
fn clean(name: &[u8]) -> Result<Vec<u8>, ArchiveError> {
    let refused = || ArchiveError::UnsafeName {
        path: shown(&name[..name.len().min(200)]),
    };
    let mut path = Vec::with_capacity(name.len());
    for part in name.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => return Err(refused()),
            part => {
                if !path.is_empty() {
                    path.push(b'/');
                }
                path.extend_from_slice(part);
            }
        }
    }
    if name.is_empty() || name.starts_with(b"/") || name.contains(&0) {
        return Err(refused());
    }
    if path.len() > MAX_PATH {
        return Err(ArchiveError::PathTooLong {
            path: shown(&path[..200]),
        });
    }
    Ok(path)
}

fn copy_exactly(
    path: &[u8],
    data: &mut dyn Read,
    file: &mut File,
    size: u64,
) -> Result<(), ArchiveError> {
    let mut buffer = [0; 16 * 1024];
    let mut left = size;
    while left > 0 {
        let wanted = usize::try_from(left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let read = match data.read(&mut buffer[..wanted]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Ok(0) => return Err(malformed(io::ErrorKind::UnexpectedEof.into())),
            read => read.map_err(malformed)?,
        };
        io::Write::write_all(file, &buffer[..read]).map_err(io_error("write", shown(path)))?;
        left -= read as u64;
    }
    Ok(())
}

/// Gives all folders their final mode, once nothing more has to be made in them.
fn seal_folders(root: OwnedFd, mode: ExtractMode) -> Result<(), ArchiveError> {
    let mode = mode.of_folder();
    fchmod(&root, mode).map_err(io_error("set the mode of", "."))?;
    walk(root, u64::MAX, |visit| {
        if visit.file_type() != FileType::Directory {
            return Ok(());
        }
        let folder = openat(visit.folder, visit.name, OPEN_FOLDER, Mode::empty());
        let sealed = folder.and_then(|folder| fchmod(folder, mode));
        sealed.map_err(io_error("set the mode of", shown(visit.path)))
    })
}

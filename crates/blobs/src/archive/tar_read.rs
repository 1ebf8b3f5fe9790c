//! Reading a tar stream entry by entry, with bounded memory and without anything that two readers
//! could understand differently.
//!
//! The library's own handling of long names is not used: it loads a name of any size into memory.

use std::io::{self, Read};

use tar::{Archive, Entry, EntryType, Header};

use super::error::{ArchiveError, shown};

/// Largest entry that carries names for the next one. Names are under 4 KiB; PAX headers of other
/// programs may also hold attributes.
const MAX_EXTENSION: u64 = 1024 * 1024;

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Member {
    Folder,
    File { is_executable: bool, size: u64 },
    SymbolicLink { target: Vec<u8> },
    HardLink { target: Vec<u8> },
}

/// Names from extension entries, for the entry that follows them.
#[derive(Default)]
struct Extensions {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
}

/// Calls `visit` with the name of each entry as it is written in the archive, what it is, and its
/// data. Fails after `max_entries` headers.
pub(super) fn read_tar(
    stream: impl Read,
    max_entries: u64,
    mut visit: impl FnMut(&[u8], Member, &mut dyn Read) -> Result<(), ArchiveError>,
) -> Result<(), ArchiveError> {
    let mut archive = Archive::new(stream);
    let entries = archive.entries().map_err(malformed)?.raw(true);
    let mut extensions = Extensions::default();
    let mut left = max_entries;
    for entry in entries {
        let mut entry = entry.map_err(malformed)?;
        left = left
            .checked_sub(1)
            .ok_or(ArchiveError::TooMany { limit: max_entries })?;
        if extensions.take_in(&mut entry)? {
            continue;
        }
        let Extensions { path, link, size } = std::mem::take(&mut extensions);
        let path = path.unwrap_or_else(|| entry.header().path_bytes().into_owned());
        let link = link.or_else(|| entry.header().link_name_bytes().map(|link| link.to_vec()));
        if size.is_some_and(|size| size != entry.size()) {
            return Err(unsupported(&path, "an entry with two sizes"));
        }
        let member = member(entry.header(), &path, link, entry.size())?;
        visit(&path, member, &mut entry)?;
    }
    Ok(())
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "what is not known here must be refused, today's types and tomorrow's"
)]
fn member(
    header: &Header,
    path: &[u8],
    link: Option<Vec<u8>>,
    size: u64,
) -> Result<Member, ArchiveError> {
    let kind = header.entry_type();
    let no_data = || {
        if size == 0 {
            Ok(())
        } else {
            Err(unsupported(path, "a folder or link with data"))
        }
    };
    let target = || {
        link.filter(|link| !link.is_empty())
            .ok_or_else(|| unsupported(path, "a link to nothing"))
    };
    match kind {
        // Before there was a type for folders, a final slash made one.
        EntryType::Regular if path.ends_with(b"/") && size == 0 => Ok(Member::Folder),
        EntryType::Regular | EntryType::Continuous => {
            let mode = header.mode().map_err(malformed)?;
            Ok(Member::File {
                is_executable: mode & 0o111 != 0,
                size,
            })
        }
        EntryType::Directory => no_data().map(|()| Member::Folder),
        EntryType::Symlink => {
            no_data().and_then(|()| Ok(Member::SymbolicLink { target: target()? }))
        }
        EntryType::Link => no_data().and_then(|()| Ok(Member::HardLink { target: target()? })),
        EntryType::Char | EntryType::Block => Err(special(path, "device")),
        EntryType::Fifo => Err(special(path, "named pipe")),
        EntryType::GNUSparse => Err(unsupported(path, "a sparse file")),
        _ => Err(unsupported(path, "an entry of an unknown type")),
    }
}

impl Extensions {
    /// Takes in an extension entry; `false` for any other entry.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "all other types are told apart by `member`"
    )]
    fn take_in<R: Read>(&mut self, entry: &mut Entry<'_, R>) -> Result<bool, ArchiveError> {
        let kind = entry.header().entry_type();
        match kind {
            EntryType::GNULongName => {
                let name = without_nul(extension_data(entry)?);
                set_once(&mut self.path, name)?;
            }
            EntryType::GNULongLink => {
                let name = without_nul(extension_data(entry)?);
                set_once(&mut self.link, name)?;
            }
            EntryType::XHeader => {
                let data = extension_data(entry)?;
                self.take_in_pax(&data)?;
            }
            // Defaults for all entries: Git keeps the commit's hash there, names have no place in it.
            EntryType::XGlobalHeader => {
                extension_data(entry)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// `<length> <key>=<value>\n`, one after the other. A value may hold line ends, so only the
    /// length tells where it ends.
    fn take_in_pax(&mut self, mut data: &[u8]) -> Result<(), ArchiveError> {
        while !data.is_empty() {
            let (key, value, rest) = pax_record(data).ok_or_else(bad_pax)?;
            match key {
                b"path" => set_once(&mut self.path, value.to_vec())?,
                b"linkpath" => set_once(&mut self.link, value.to_vec())?,
                b"size" => {
                    let size = str::from_utf8(value)
                        .ok()
                        .and_then(|size| size.parse().ok());
                    set_once(&mut self.size, size.ok_or_else(bad_pax)?)?;
                }
                key if key.starts_with(b"GNU.sparse.") => {
                    let path = self.path.clone().unwrap_or_default();
                    return Err(unsupported(&path, "a sparse file"));
                }
                _ => {}
            }
            data = rest;
        }
        Ok(())
    }
}

fn pax_record(data: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = data.iter().position(|byte| *byte == b' ')?;
    let length: usize = str::from_utf8(&data[..space]).ok()?.parse().ok()?;
    let (record, rest) = data.split_at_checked(length)?;
    let record = record.get(space + 1..)?.strip_suffix(b"\n")?;
    let equals = record.iter().position(|byte| *byte == b'=')?;
    Some((&record[..equals], &record[equals + 1..], rest))
}

fn extension_data<R: Read>(entry: &mut Entry<'_, R>) -> Result<Vec<u8>, ArchiveError> {
    if entry.size() > MAX_EXTENSION {
        return Err(unsupported(b"", "an extension header over 1 MiB"));
    }
    let size = entry.size();
    let mut data = Vec::new();
    entry.read_to_end(&mut data).map_err(malformed)?;
    if data.len() as u64 != size {
        return Err(malformed(io::ErrorKind::UnexpectedEof.into()));
    }
    Ok(data)
}

/// Two names for one entry could be told apart by another reader.
fn set_once<T>(slot: &mut Option<T>, value: T) -> Result<(), ArchiveError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(unsupported(b"", "an entry with two names or sizes")),
    }
}

fn without_nul(mut name: Vec<u8>) -> Vec<u8> {
    if name.last() == Some(&0) {
        name.pop();
    }
    name
}

fn bad_pax() -> ArchiveError {
    unsupported(b"", "an extension header that breaks its format")
}

pub(super) fn malformed(source: io::Error) -> ArchiveError {
    ArchiveError::Malformed { source }
}

fn special(path: &[u8], kind: &'static str) -> ArchiveError {
    ArchiveError::Special {
        path: shown(path),
        kind,
    }
}

fn unsupported(path: &[u8], what: &'static str) -> ArchiveError {
    ArchiveError::Unsupported {
        path: shown(path),
        what,
    }
}

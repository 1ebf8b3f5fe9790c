//! Writing a tar stream whose bytes depend on names, contents and exec bits only.

use std::io::{self, Read, Write};

use tar::{Builder, EntryType, Header};

/// Names up to this many bytes fit into a header; the field is one longer for a final NUL.
const SHORT: usize = 99;

/// The name GNU tar gives to entries that carry a long name.
const LONG_NAME: &[u8] = b"././@LongLink";

/// What an entry is.
#[derive(Clone, Copy)]
pub(super) enum Content<'a> {
    Folder,
    File { is_executable: bool, size: u64 },
    Link { target: &'a [u8] },
}

/// Writes entries with fixed owner, time and modes.
pub(super) struct TarWriter<W: Write> {
    builder: Builder<W>,
}

impl<W: Write> TarWriter<W> {
    pub(super) fn new(out: W) -> Self {
        Self {
            builder: Builder::new(out),
        }
    }

    /// Writes one entry; `data` must yield the bytes of a file, as many as its size says.
    pub(super) fn append(
        &mut self,
        path: &[u8],
        content: Content<'_>,
        data: impl Read,
    ) -> io::Result<()> {
        let mut header = Header::new_gnu();
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(0);
        header.set_mode(0o755);
        match content {
            Content::Folder => header.set_entry_type(EntryType::Directory),
            Content::File {
                is_executable,
                size,
            } => {
                header.set_entry_type(EntryType::Regular);
                header.set_size(size);
                header.set_mode(if is_executable { 0o755 } else { 0o644 });
            }
            Content::Link { target } => {
                header.set_entry_type(EntryType::Symlink);
                self.append_long(EntryType::GNULongLink, target)?;
                header.set_link_name_literal(&target[..target.len().min(SHORT)])?;
            }
        }
        self.append_long(EntryType::GNULongName, path)?;
        set_name(&mut header, path);
        header.set_cksum();
        self.builder.append(&header, data)
    }

    /// Ends the archive.
    pub(super) fn finish(self) -> io::Result<W> {
        self.builder.into_inner()
    }

    /// The extra entry before one whose name does not fit.
    fn append_long(&mut self, kind: EntryType, name: &[u8]) -> io::Result<()> {
        if name.len() <= SHORT {
            return Ok(());
        }
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(name.len() as u64 + 1);
        set_name(&mut header, LONG_NAME);
        header.set_cksum();
        self.builder.append(&header, name.chain(&[0][..]))
    }
}

/// Sets the name as it is: the library's own way cleans it as if it were for this system's files.
fn set_name(header: &mut Header, name: &[u8]) {
    let length = name.len().min(SHORT);
    header.as_old_mut().name[..length].copy_from_slice(&name[..length]);
}

//! Unpacking a source folder that somebody sent.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::Path;

use flate2::read::MultiGzDecoder;

use crate::archive::{ArchiveError, ExtractLimits, ExtractMode, Extracted, extract_tar};
use crate::blob_ref::BlobRef;
use crate::blobs::Blobs;
use crate::blocking::blocking;
use crate::error::BlobError;

/// What an entry costs in a tar stream besides its content: its header and its padding, and as much
/// again for a long name.
const PER_ENTRY: u64 = 2_048;

/// Why a source folder is not there to be built.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The archive could not be fetched.
    #[error("the archive could not be fetched")]
    Fetch(#[source] BlobError),
    /// The archive could not be unpacked.
    #[error("the archive could not be unpacked")]
    Unpack(#[source] ArchiveError),
}

impl Blobs {
    /// Unpacks a `.tar.gz` into the empty folder `into`, for its owner to change. It is refused as
    /// [`extract_tar`] says; what was written until then is left to the caller to remove.
    pub async fn extract_source(
        &self,
        blob: &BlobRef,
        into: &Path,
        limits: ExtractLimits,
    ) -> Result<Extracted, SourceError> {
        let stored = self.stored(blob).await.map_err(SourceError::Fetch)?;
        let into = into.to_owned();
        let work = move || extract(stored, &into, &limits);
        blocking(work).await.map_err(SourceError::Unpack)
    }
}

fn extract(
    stored: impl Read,
    into: &Path,
    limits: &ExtractLimits,
) -> Result<Extracted, ArchiveError> {
    let root = File::open(into).map_err(|source| ArchiveError::Io {
        action: "open folder",
        path: into.to_owned(),
        source,
    })?;
    let most = limits
        .max_entries
        .saturating_mul(PER_ENTRY)
        .saturating_add(limits.max_bytes);
    let stream = Bounded {
        inner: MultiGzDecoder::new(stored),
        left: most,
    };
    extract_tar(stream, OwnedFd::from(root), limits, ExtractMode::Writable)
}

/// Fails where a stream becomes longer than all that it may hold: headers upon headers count as no
/// file.
struct Bounded<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        let left = self.left.checked_sub(read as u64);
        self.left = left.ok_or_else(|| {
            io::Error::other("it holds more than all files that it may hold would need")
        })?;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use bytes::Bytes;

    use super::*;
    use crate::blob_ref::Kind;
    use crate::location::S3Settings;

    fn tar(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, content) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            builder.append_data(&mut header, name, *content).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    async fn unpacked(
        archive: Vec<u8>,
        limits: ExtractLimits,
    ) -> (tempfile::TempDir, Result<Extracted, String>) {
        let folder = tempfile::tempdir().unwrap();
        let location = format!("file:{}", folder.path().join("blobs").display());
        let blobs = Blobs::open(&location, &S3Settings::default()).unwrap();
        let blob = blobs.put(Kind::Source, Bytes::from(archive)).await.unwrap();
        let into = folder.path().join("into");
        std::fs::create_dir(&into).unwrap();
        let done = blobs.extract_source(&blob, &into, limits).await;
        let done = done.map_err(|error| {
            let cause = std::error::Error::source(&error).unwrap();
            let below = cause.source().map(ToString::to_string);
            format!("{cause}; {}", below.unwrap_or_default())
        });
        (folder, done)
    }

    #[tokio::test]
    async fn an_archive_in_several_parts_is_unpacked_for_its_owner() {
        let whole = tar(&[("a/b.txt", b"one"), ("c", b"")]);
        let (start, end) = whole.split_at(600);
        let archive = [gzip(start), gzip(end)].concat();
        let (folder, done) = unpacked(archive, ExtractLimits::default()).await;
        assert_eq!(done, Ok(Extracted { files: 2, bytes: 3 }));
        let file = folder.path().join("into/a/b.txt");
        assert_eq!(std::fs::read(&file).unwrap(), b"one");
        assert!(!file.metadata().unwrap().permissions().readonly());
    }

    #[tokio::test]
    async fn what_is_too_much_or_no_archive_is_refused() {
        let little = ExtractLimits {
            max_bytes: 1_000,
            max_entries: 4,
            ..ExtractLimits::default()
        };
        let long = "x/".repeat(120);
        let names: Vec<String> = (0..5).map(|n| format!("{long}{n}")).collect();
        let many: Vec<(&str, &[u8])> = names.iter().map(|n| (n.as_str(), &b""[..])).collect();
        for (archive, why) in [
            (gzip(&tar(&[("a", &[0; 1_001])])), "1000 bytes"),
            (gzip(&tar(&many)), "allowed 4 files"),
            (gzip(b"no tar at all, and too short"), "damaged"),
            (b"\x1f\x8b\x08 but nothing else".to_vec(), "damaged"),
            (gzip(&tar(&[("a", b"cut")]))[..40].to_vec(), "damaged"),
        ] {
            let (_folder, done) = unpacked(archive, little.clone()).await;
            let error = done.unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }

    #[tokio::test]
    async fn headers_without_end_end() {
        // One extension header that claims a megabyte, under a limit of a few kilobytes.
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::XHeader);
        header.set_size(1 << 20);
        header.set_path("x").unwrap();
        header.set_cksum();
        let mut archive = header.as_bytes().to_vec();
        archive.resize(2 << 20, b'x');
        let little = ExtractLimits {
            max_bytes: 1_000,
            max_entries: 4,
            ..ExtractLimits::default()
        };
        let (_folder, done) = unpacked(gzip(&archive), little).await;
        assert!(done.unwrap_err().contains("more than all files"));
    }
}

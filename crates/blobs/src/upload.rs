//! Keeping a file without loading it: hash first, then send in parts.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use object_store::{MultipartUpload, ObjectStoreExt, WriteMultipart};

use crate::blob_ref::{BlobRef, Kind};
use crate::blobs::{Blobs, ZSTD_LEVEL};
use crate::blocking::blocking;
use crate::chunks::{ChunkWriter, Chunks};
use crate::digest::{HashingReader, Sha256};
use crate::error::BlobError;

/// Files up to this many bytes go in one request; also the size of a part of larger ones. S3 wants
/// at least 5 MiB and allows 10,000 parts, so this reaches 80 GB.
const PART: usize = 8 * 1024 * 1024;

/// Parts on their way at once.
const PARTS_IN_FLIGHT: usize = 3;

impl Blobs {
    /// Keeps the content of the file at `path`, as [`Blobs::put`] does, with bounded memory.
    ///
    /// The file is read twice, because its address must be known before the first byte is sent; a
    /// file that changes in between is an error and leaves nothing behind.
    pub async fn put_file(&self, kind: Kind, path: &Path) -> Result<BlobRef, BlobError> {
        let file = path.to_owned();
        match blocking(move || look_at(&file)).await? {
            Looked::Small(content) => self.put(kind, content).await,
            Looked::Large(sha256) => self.put_parts(BlobRef { kind, sha256 }, path).await,
        }
    }

    async fn put_parts(&self, blob: BlobRef, path: &Path) -> Result<BlobRef, BlobError> {
        let upload = self
            .store
            .put_multipart(&self.object_path(&blob))
            .await
            .map_err(|source| BlobError::about(blob, "begin an upload", source))?;
        let file = path.to_owned();
        let chunks = Chunks::produce(move |out| send_file(blob, file, out));
        send_parts(blob, upload, chunks).await?;
        Ok(blob)
    }
}

async fn send_parts(
    blob: BlobRef,
    upload: Box<dyn MultipartUpload>,
    mut chunks: Chunks,
) -> Result<(), BlobError> {
    let mut parts = WriteMultipart::new_with_chunk_size(upload, PART);
    while let Some(chunk) = chunks.next().await {
        let sent = match chunk {
            Ok(chunk) => {
                parts.put(chunk);
                let room = parts.wait_for_capacity(PARTS_IN_FLIGHT).await;
                room.map_err(|source| BlobError::about(blob, "upload a part", source))
            }
            Err(error) => Err(error),
        };
        if let Err(error) = sent {
            // The first error is the one to tell; parts that stay behind are invisible.
            let _ = parts.abort().await;
            return Err(error);
        }
    }
    // `finish` cleans up by itself when it fails.
    match parts.finish().await {
        Ok(_) => Ok(()),
        Err(source) => Err(BlobError::about(blob, "complete an upload", source)),
    }
}

enum Looked {
    Small(Bytes),
    Large(Sha256),
}

/// Loads a small file, hashes a large one.
fn look_at(path: &Path) -> Result<Looked, BlobError> {
    let failed = |source| BlobError::File {
        path: path.to_owned(),
        source,
    };
    let mut file = File::open(path).map_err(failed)?;
    let mut start = Vec::new();
    let mut first = Read::by_ref(&mut file).take(PART as u64 + 1);
    first.read_to_end(&mut start).map_err(failed)?;
    if start.len() <= PART {
        return Ok(Looked::Small(Bytes::from(start)));
    }
    let mut reader = HashingReader::new(start.as_slice().chain(file));
    io::copy(&mut reader, &mut io::sink()).map_err(failed)?;
    Ok(Looked::Large(reader.finish().0))
}

/// Writes the file in its form at rest, and fails at the end if it is not the one that was hashed.
fn send_file(blob: BlobRef, path: PathBuf, out: &mut ChunkWriter) -> Result<(), BlobError> {
    let sent = File::open(&path).and_then(|file| {
        let mut reader = HashingReader::new(file);
        copy_at_rest(blob.kind, &mut reader, out)?;
        Ok(reader.finish().0)
    });
    match sent {
        Ok(sha256) if sha256 == blob.sha256 => Ok(()),
        Ok(_) => Err(BlobError::Changed { path }),
        Err(source) => Err(BlobError::File { path, source }),
    }
}

fn copy_at_rest(kind: Kind, from: &mut impl Read, out: &mut ChunkWriter) -> io::Result<()> {
    if kind.is_compressed() {
        let mut encoder = zstd::Encoder::new(&mut *out, ZSTD_LEVEL)?;
        io::copy(from, &mut encoder)?;
        encoder.finish()?;
    } else {
        io::copy(from, out)?;
    }
    out.flush()
}

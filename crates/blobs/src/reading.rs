//! Reading blobs: whole, in part, or as a stream; always checked against the address where the
//! whole passes by, and never larger than the caller allows.

use std::io::{self, Read, Write};
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt, stream};
use object_store::{GetResult, ObjectStoreExt};
use tokio::runtime::Handle;

use crate::blob_ref::BlobRef;
use crate::blobs::Blobs;
use crate::blocking::blocking;
use crate::chunks::{ChunkWriter, Chunks};
use crate::digest::HashingReader;
use crate::error::BlobError;

/// The content of a blob in chunks. If it ends without an error, all of it came and its hash was
/// right.
pub struct BlobStream(BoxStream<'static, Result<Bytes, BlobError>>);

impl Stream for BlobStream {
    type Item = Result<Bytes, BlobError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next_unpin(context)
    }
}

impl Blobs {
    /// The whole content, at most `limit` bytes of it, checked against the address.
    pub async fn get(&self, blob: &BlobRef, limit: u64) -> Result<Bytes, BlobError> {
        let blob = *blob;
        let reader = self.stored(&blob).await?;
        let content = blocking(move || {
            let mut content = Vec::new();
            copy_checked(blob, reader, limit, &mut content).map(|()| content)
        });
        content.await.map(Bytes::from)
    }

    /// The whole content as a stream of at most `limit` bytes, checked against the address at its
    /// end.
    pub async fn stream(&self, blob: &BlobRef, limit: u64) -> Result<BlobStream, BlobError> {
        let blob = *blob;
        let reader = self.stored(&blob).await?;
        let chunks =
            Chunks::produce(move |out: &mut ChunkWriter| copy_checked(blob, reader, limit, out));
        let next = async |mut chunks: Chunks| chunks.next().await.map(|chunk| (chunk, chunks));
        Ok(BlobStream(stream::unfold(chunks, next).boxed()))
    }

    /// The bytes of `range`, cut at the end of the content; empty when the range lies behind it.
    ///
    /// A part cannot be checked against the address. Of a compressed kind, everything before the
    /// range is decompressed as well.
    pub async fn get_range(&self, blob: &BlobRef, range: Range<u64>) -> Result<Bytes, BlobError> {
        let blob = *blob;
        if !blob.kind.is_compressed() {
            return self.get_stored_range(blob, range).await;
        }
        let reader = self.stored(&blob).await?;
        let part = blocking(move || {
            let mut reader = at_rest_decoded(blob, reader)?;
            let length = range.end.saturating_sub(range.start);
            io::copy(
                &mut Read::by_ref(&mut reader).take(range.start),
                &mut io::sink(),
            )?;
            let mut part = Vec::new();
            reader.take(length).read_to_end(&mut part)?;
            Ok(part)
        });
        let part = part.await;
        let part = part.map_err(|source| BlobError::Read { blob, source })?;
        Ok(Bytes::from(part))
    }

    async fn get_stored_range(&self, blob: BlobRef, range: Range<u64>) -> Result<Bytes, BlobError> {
        let path = self.object_path(&blob);
        let failed = |source| BlobError::about(blob, "read a blob", source);
        let size = self.store.head(&path).await.map_err(failed)?.size;
        let range = range.start..range.end.min(size);
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        self.store.get_range(&path, range).await.map_err(failed)
    }

    /// The blob as it is stored, to be read on a blocking thread.
    pub(crate) async fn stored(&self, blob: &BlobRef) -> Result<BlockingReader, BlobError> {
        let found = self.store.get(&self.object_path(blob)).await;
        let found = found.map_err(|source| BlobError::about(*blob, "read a blob", source))?;
        Ok(BlockingReader::new(found))
    }
}

/// Copies the content to `out`; an error if it is over `limit` or has another hash.
fn copy_checked(
    blob: BlobRef,
    stored: BlockingReader,
    limit: u64,
    out: &mut impl Write,
) -> Result<(), BlobError> {
    let copy = || {
        let decoded = at_rest_decoded(blob, stored)?;
        // One byte more than allowed tells "just fits" from "too large".
        let mut reader = HashingReader::new(decoded.take(limit.saturating_add(1)));
        let mut left = limit;
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let read = match reader.read(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => read?,
            };
            if read == 0 || read as u64 > left {
                return Ok((read == 0).then(|| reader.finish().0));
            }
            left -= read as u64;
            out.write_all(&buffer[..read])?;
        }
    };
    match copy() {
        Ok(Some(sha256)) if sha256 == blob.sha256 => Ok(()),
        Ok(Some(_)) => Err(BlobError::Corrupt { blob }),
        Ok(None) => Err(BlobError::TooLarge { blob, limit }),
        Err(source) => Err(BlobError::Read { blob, source }),
    }
}

/// The content of the blob from its form at rest.
fn at_rest_decoded(blob: BlobRef, stored: BlockingReader) -> io::Result<Box<dyn Read>> {
    if blob.kind.is_compressed() {
        Ok(Box::new(zstd::Decoder::new(stored)?))
    } else {
        Ok(Box::new(stored))
    }
}

/// Reads an object from a blocking thread while the runtime fetches it.
pub(crate) struct BlockingReader {
    runtime: Handle,
    stream: BoxStream<'static, object_store::Result<Bytes>>,
    chunk: Bytes,
    /// Once the transfer has failed, every further read says so: a decoder that was handed the
    /// error may hide it, and its caller must not take what follows for the end.
    failed: Option<Arc<object_store::Error>>,
}

impl BlockingReader {
    /// Must be made inside the runtime, and read outside of its async threads.
    fn new(found: GetResult) -> Self {
        Self {
            runtime: Handle::current(),
            stream: found.into_stream(),
            chunk: Bytes::new(),
            failed: None,
        }
    }
}

impl Read for BlockingReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() {
            if let Some(error) = &self.failed {
                return Err(io::Error::other(Arc::clone(error)));
            }
            match self.runtime.block_on(self.stream.next()) {
                Some(Ok(chunk)) => self.chunk = chunk,
                Some(Err(error)) => self.failed = Some(Arc::new(error)),
                None => return Ok(0),
            }
        }
        let read = self.chunk.len().min(buffer.len());
        self.chunk.copy_to_slice(&mut buffer[..read]);
        Ok(read)
    }
}

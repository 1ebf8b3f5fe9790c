//! A pipe from blocking work (reading, compressing) to async code, in bounded chunks.

use std::io::{self, Write};

use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc;

use crate::error::BlobError;

/// Bytes per chunk.
const CHUNK: usize = 256 * 1024;

/// Chunks that may wait for the reader; with [`CHUNK`] it bounds the memory of one transfer.
const WAITING: usize = 4;

/// `Ok(None)` is the proper end: a worker that dies would otherwise look like a short content.
type Message = Result<Option<Bytes>, BlobError>;

/// The reading end.
pub(crate) struct Chunks {
    messages: mpsc::Receiver<Message>,
    is_over: bool,
}

/// The writing end, on a blocking thread. Fails with `BrokenPipe` once the reader is gone.
pub(crate) struct ChunkWriter {
    messages: mpsc::Sender<Message>,
    buffer: BytesMut,
}

impl Chunks {
    /// Starts `work` on a blocking thread; what it writes comes out of the returned end, then its
    /// error if it fails.
    pub(crate) fn produce<W>(work: W) -> Self
    where
        W: FnOnce(&mut ChunkWriter) -> Result<(), BlobError> + Send + 'static,
    {
        let (sender, messages) = mpsc::channel(WAITING);
        tokio::task::spawn_blocking(move || {
            let mut writer = ChunkWriter {
                messages: sender,
                buffer: BytesMut::with_capacity(CHUNK),
            };
            let last = work(&mut writer).map(|()| None);
            // A reader that has gone away wants neither the rest nor the result.
            if writer.flush().is_ok() {
                let _ = writer.messages.blocking_send(last);
            }
        });
        Self {
            messages,
            is_over: false,
        }
    }

    /// The next chunk; `None` after the last. An error is the last thing to come.
    pub(crate) async fn next(&mut self) -> Option<Result<Bytes, BlobError>> {
        if self.is_over {
            return None;
        }
        match self.messages.recv().await {
            Some(Ok(Some(chunk))) => Some(Ok(chunk)),
            Some(Ok(None)) => {
                self.is_over = true;
                None
            }
            Some(Err(error)) => {
                self.is_over = true;
                Some(Err(error))
            }
            None => {
                self.is_over = true;
                Some(Err(BlobError::BrokenOff))
            }
        }
    }
}

impl Write for ChunkWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(CHUNK - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..taken]);
        if self.buffer.len() == CHUNK {
            self.flush()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let full = std::mem::replace(&mut self.buffer, BytesMut::with_capacity(CHUNK));
        self.messages
            .blocking_send(Ok(Some(full.freeze())))
            .map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn chunks_arrive_in_order_and_end() {
        let content: Vec<u8> = (0..1_000_000_u32).flat_map(u32::to_le_bytes).collect();
        let expected = content.clone();
        let mut chunks = Chunks::produce(move |writer| {
            writer.write_all(&content).expect("the reader stays");
            Ok(())
        });
        let mut received = Vec::new();
        while let Some(chunk) = chunks.next().await {
            received.extend_from_slice(&chunk.unwrap());
        }
        assert!(received == expected);
        assert!(chunks.next().await.is_none());
    }

    #[tokio::test]
    async fn a_worker_that_dies_is_an_error_not_an_end() {
        let mut chunks = Chunks::produce(|writer| {
            writer.write_all(b"half").expect("the reader stays");
            writer.flush().expect("the reader stays");
            panic!("planned");
        });
        assert_eq!(chunks.next().await.unwrap().unwrap(), "half");
        assert!(matches!(
            chunks.next().await,
            Some(Err(BlobError::BrokenOff))
        ));
        assert!(chunks.next().await.is_none());
    }
}

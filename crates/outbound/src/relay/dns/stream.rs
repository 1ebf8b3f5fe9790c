//! DNS over TCP: each message behind its length in two bytes.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::Transport;
use crate::relay::shared::Shared;
use crate::relay::stats::add;

/// How long an asker may take for its next query, and to take an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest query that is read; none that is worth an answer is longer.
const LARGEST_QUERY: u16 = 4096;

/// Answers one query after the other until the asker is done or too slow.
pub(in crate::relay) async fn serve_stream(
    shared: &Shared,
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
) {
    loop {
        let query = tokio::time::timeout(PATIENCE, read_query(&mut stream)).await;
        let Ok(Ok(query)) = query else { return };
        add(&shared.stats.queries, 1);
        let Some(reply) = super::answer(shared, &query, Transport::Tcp).await else {
            return;
        };
        let sent = tokio::time::timeout(PATIENCE, write_reply(&mut stream, &reply)).await;
        let Ok(Ok(())) = sent else { return };
    }
}

async fn read_query(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let length = stream.read_u16().await?;
    if length > LARGEST_QUERY {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut query = vec![0; usize::from(length)];
    stream.read_exact(&mut query).await?;
    Ok(query)
}

async fn write_reply(stream: &mut (impl AsyncWrite + Unpin), reply: &[u8]) -> io::Result<()> {
    let length = u16::try_from(reply.len()).expect("an answer over TCP is bounded");
    // one write, so that the length does not travel alone
    let message = [&length.to_be_bytes(), reply].concat();
    stream.write_all(&message).await?;
    stream.flush().await
}

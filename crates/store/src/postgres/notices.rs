//! A connection that listens.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{AsyncMessage, Client, Config, Connection, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{PATIENCE, tls_config};
use crate::{Error, Result};

type Line = Connection<Socket, <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream>;

/// What came in on a connection of its own, which nobody else uses: it is driven by who reads it.
pub(crate) struct PgNotices {
    line: Line,
    heard: VecDeque<String>,
    /// The connection ends when it is dropped.
    _client: Client,
}

pub(super) async fn listen(config: &Config) -> Result<PgNotices> {
    let tls = MakeRustlsConnect::new(tls_config()?);
    let begin = async {
        let (client, mut line) = config.connect(tls).await?;
        let mut heard = VecDeque::new();
        {
            let told = client.batch_execute("LISTEN marquetry");
            tokio::pin!(told);
            poll_fn(|context| {
                // The answer comes over the line, so that is read first.
                if let Poll::Ready(failed) = read(&mut line, &mut heard, context) {
                    return Poll::Ready(Err(failed));
                }
                told.as_mut().poll(context).map_err(Error::from)
            })
            .await?;
        }
        Ok(PgNotices {
            line,
            heard,
            _client: client,
        })
    };
    let begun = tokio::time::timeout(PATIENCE, begin).await;
    begun.unwrap_or(Err(Error::Silent))
}

impl PgNotices {
    pub(crate) async fn next(&mut self) -> Result<String> {
        poll_fn(|context| {
            if let Some(word) = self.heard.pop_front() {
                return Poll::Ready(Ok(word));
            }
            let ended = read(&mut self.line, &mut self.heard, context);
            match self.heard.pop_front() {
                Some(word) => Poll::Ready(Ok(word)),
                None => Poll::Ready(Err(ready!(ended))),
            }
        })
        .await
    }
}

/// Keeps what there is to read; ready only when the connection is over.
fn read(line: &mut Line, heard: &mut VecDeque<String>, context: &mut Context<'_>) -> Poll<Error> {
    loop {
        match ready!(Pin::new(&mut *line).get_mut().poll_message(context)) {
            Some(Ok(AsyncMessage::Notification(word))) => {
                heard.push_back(word.payload().to_owned());
            }
            // Notices of the server's own say nothing to us.
            Some(Ok(_)) => {}
            Some(Err(error)) => return Poll::Ready(error.into()),
            None => return Poll::Ready(Error::Silent),
        }
    }
}

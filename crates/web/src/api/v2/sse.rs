//! Logs as server-sent events.
//!
//! One event holds whole lines, each as one `data:` line; its id is the byte of the log where the
//! next event begins, so that a client that comes back misses and repeats nothing, even when the
//! log was moved to the blob store meanwhile.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use futures_util::stream;
use http::{HeaderMap, StatusCode};
use marquetry_app::logs::{self, LogCursor, LogOf};
use marquetry_app::{Ctx, Topic};
use marquetry_model::Error;

use crate::reply;

/// How long silence may last before a comment shows that the connection is alive.
const ALIVE: Duration = Duration::from_secs(15);
/// A log that another node writes gives no hints here.
const LOOK: Duration = Duration::from_secs(1);
/// The most bytes of one event; a longer line is cut.
const EVENT: usize = 64 << 10;

/// A follower of one log.
struct Follower {
    ctx: Ctx,
    of: LogOf,
    topic: Topic,
    cursor: LogCursor,
    /// What was read and not yet sent.
    rest: BytesMut,
    /// Whether nothing comes behind `rest`.
    complete: bool,
    /// How long nothing was sent.
    silent: Duration,
    done: bool,
}

/// A stream of what the log holds and what comes, until its run or build is over.
pub(super) async fn follow(ctx: Ctx, of: LogOf, headers: &HeaderMap) -> Result<Response, Error> {
    let topic = logs::log_topic(&ctx, of).await?;
    let offset = headers
        .get("last-event-id")
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .unwrap_or(0);
    let follower = Follower {
        ctx,
        of,
        topic,
        cursor: LogCursor::at(offset),
        rest: BytesMut::new(),
        complete: false,
        silent: Duration::ZERO,
        done: false,
    };
    let events = stream::try_unfold(follower, |mut follower| async move {
        if follower.done {
            return Ok(None);
        }
        let event = follower.next().await?;
        Ok::<_, Error>(Some((Bytes::from(event), follower)))
    });
    let kind = "text/event-stream";
    Ok(reply::answer(
        StatusCode::OK,
        kind,
        Body::from_stream(events),
    ))
}

impl Follower {
    /// The next event or comment.
    async fn next(&mut self) -> Result<String, Error> {
        let app = Arc::clone(&self.ctx.app);
        loop {
            if let Some(lines) = self.take_lines() {
                self.silent = Duration::ZERO;
                return Ok(self.event(&lines));
            }
            if self.complete {
                self.done = true;
                let status = logs::log_status(&self.ctx, self.of).await?;
                return Ok(format!("event: end\ndata: {status}\n\n"));
            }
            // Registered before looking, so that what comes meanwhile is not missed.
            let listener = app.hints.listen(self.topic);
            let hint = listener.next();
            let (bytes, complete) = logs::log_next(&self.ctx, self.of, &mut self.cursor).await?;
            self.complete = complete;
            self.rest.extend_from_slice(&bytes);
            if complete || !bytes.is_empty() {
                continue;
            }
            if tokio::time::timeout(LOOK, hint).await.is_err() {
                self.silent += LOOK;
            }
            if self.silent >= ALIVE {
                self.silent = Duration::ZERO;
                return Ok(": alive\n\n".to_owned());
            }
        }
    }

    /// Whole lines, a part of one that is very long, or the end of the log.
    fn take_lines(&mut self) -> Option<Bytes> {
        let window = &self.rest[..self.rest.len().min(EVENT)];
        let end = match window.iter().rposition(|byte| *byte == b'\n') {
            Some(place) => place + 1,
            None if self.rest.len() > EVENT => char_end(window),
            None if self.complete => window.len(),
            None => 0,
        };
        (end > 0).then(|| self.rest.split_to(end).freeze())
    }

    fn event(&self, lines: &[u8]) -> String {
        let id = self.cursor.offset() - self.rest.len() as u64;
        let mut event = format!("id: {id}\n");
        let text = String::from_utf8_lossy(lines);
        for line in text.strip_suffix('\n').unwrap_or(&text).split('\n') {
            event.push_str("data: ");
            // A carriage return would end the line of the event.
            event.push_str(&line.trim_end_matches('\r').replace('\r', " "));
            event.push('\n');
        }
        event.push('\n');
        event
    }
}

/// Where the last whole character ends.
fn char_end(bytes: &[u8]) -> usize {
    let is_inner = |byte: u8| byte & 0b1100_0000 == 0b1000_0000;
    let last = bytes.iter().rposition(|byte| !is_inner(*byte)).unwrap_or(0);
    let whole = std::str::from_utf8(&bytes[last..]).is_ok();
    if whole || last == 0 {
        bytes.len()
    } else {
        last
    }
}

#[cfg(test)]
mod tests {
    use super::char_end;

    #[test]
    fn a_character_is_never_cut() {
        let text = "aä€".as_bytes();
        assert_eq!(char_end(text), 6);
        assert_eq!(char_end(&text[..5]), 3);
        assert_eq!(char_end(&text[..4]), 3);
        assert_eq!(char_end(&text[..2]), 1);
        assert_eq!(char_end(&[0x80, 0x80]), 2);
    }
}

//! Following a log that is still being written.
//!
//! The data of each event is one or more whole lines of the log, without the end of the last one;
//! the event `end` says that no more will come. A connection that breaks is taken up again where it was, by the last event's
//! id.

use std::time::Duration;

use reqwest::Method;
use reqwest::header::ACCEPT;

use super::sse::{Event, Parser};
use super::{Client, ClientError};

/// How often a broken connection is taken up again without anything new in between.
const ATTEMPTS: u32 = 8;
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// Why following ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Followed {
    /// The log is complete.
    ToTheEnd,
    /// Whoever took the pieces wants no more.
    Stopped,
}

/// Hands the pieces of a log to `take` until it is complete or `take` answers false.
pub(crate) async fn follow(
    client: &Client,
    path: &str,
    mut take: impl FnMut(&str) -> bool,
) -> Result<Followed, ClientError> {
    let mut last_id: Option<String> = None;
    let mut failed = 0;
    loop {
        let before = last_id.clone();
        match once(client, path, &mut last_id, &mut take).await {
            Ok(Some(how)) => return Ok(how),
            Err(error) if !worth_another_try(&error) => return Err(error),
            Err(error) if failed >= ATTEMPTS => return Err(error),
            // Nobody was there from the start: no use in waiting.
            Err(error @ ClientError::Unreachable { .. }) if last_id.is_none() => return Err(error),
            Ok(None) | Err(_) => {}
        }
        failed = if last_id == before { failed + 1 } else { 0 };
        if failed > ATTEMPTS {
            // The server closes again and again without a word: it has nothing more to say.
            return Ok(Followed::ToTheEnd);
        }
        tokio::time::sleep(FIRST_PAUSE * failed.max(1)).await;
    }
}

fn worth_another_try(error: &ClientError) -> bool {
    matches!(
        error,
        ClientError::Unreachable { .. } | ClientError::Broken { .. } | ClientError::Busy { .. }
    )
}

/// One connection; none when it closed before the end.
async fn once(
    client: &Client,
    path: &str,
    last_id: &mut Option<String>,
    take: &mut impl FnMut(&str) -> bool,
) -> Result<Option<Followed>, ClientError> {
    let mut request = client
        .request(Method::GET, path)?
        .header(ACCEPT, "text/event-stream");
    if let Some(id) = last_id {
        request = request.header("last-event-id", id.as_str());
    }
    let mut response = client.send(request).await?;
    if !response.status().is_success() {
        let status = response.status();
        let text = client.body(response).await?;
        let text = String::from_utf8_lossy(&text);
        return Err(ClientError::refused(status, &text, client.key.is_some()));
    }
    let mut parser = Parser::default();
    let mut events: Vec<Event> = Vec::new();
    while let Some(bytes) = response
        .chunk()
        .await
        .map_err(|source| client.broken(source))?
    {
        let fed = parser.feed(&bytes, &mut events);
        for event in events.drain(..) {
            if event.name == "end" {
                return Ok(Some(Followed::ToTheEnd));
            }
            *last_id = event.id;
            let mut lines = event.data;
            lines.push('\n');
            if !take(&lines) {
                return Ok(Some(Followed::Stopped));
            }
        }
        fed.map_err(|_| ClientError::EventTooLarge)?;
    }
    Ok(None)
}

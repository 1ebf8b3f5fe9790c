//! Having an image ready, which may take minutes, unless somebody stops what wants it meanwhile.

use marquetry_sandbox::{Child, Error, Image, Spec};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::inner::Inner;
use crate::pump::Stopped;
use crate::signals::{Signal, Stop};

/// Why there is none.
pub(crate) enum NotReady {
    /// The engine cannot have it.
    Failed(Error),
    /// Nobody wants it any more.
    Stopped(Stopped),
}

/// The image, where there shall be one, and a turn to start.
async fn image(
    inner: &Inner,
    name: Option<&str>,
    signal: &watch::Receiver<Signal>,
    end: Instant,
) -> Result<Option<Image>, NotReady> {
    let Some(name) = name else {
        return Ok(None);
    };
    let (mut signal, mut leaving) = (signal.clone(), signal.clone());
    tokio::select! {
        biased;
        why = stopped(&mut signal, end) => Err(NotReady::Stopped(why)),
        // What has no process cannot live on without this server.
        _ = leaving.wait_for(|signal| signal.stop != Stop::No) => {
            Err(NotReady::Stopped(Stopped::Shutdown))
        }
        image = inner.sandbox.prepare(name) => image.map(Some).map_err(NotReady::Failed),
    }
}

/// Starts a child in the image, where there shall be one. Once more, where that fails: an image may have been removed,
/// and nothing has begun.
pub(crate) async fn spawn(
    inner: &Inner,
    name: Option<&str>,
    signal: &watch::Receiver<Signal>,
    end: Instant,
    spec: impl Fn(Option<Image>) -> Spec,
) -> Result<Child, NotReady> {
    let first = inner
        .sandbox
        .spawn(spec(image(inner, name, signal, end).await?))
        .await;
    match first {
        Err(Error::Setup { reason }) if name.is_some() => {
            tracing::warn!(image = name, reason, "a container did not start; once more");
            let again = spec(image(inner, name, signal, end).await?);
            inner.sandbox.spawn(again).await
        }
        first => first,
    }
    .map_err(NotReady::Failed)
}

/// Why what has no process must stop, when it must.
pub(crate) async fn stopped(signal: &mut watch::Receiver<Signal>, end: Instant) -> Stopped {
    let asked = signal.wait_for(|signal| signal.lost || signal.cancel || signal.stop == Stop::End);
    match tokio::time::timeout_at(end, asked).await {
        Ok(Ok(signal)) if signal.lost => Stopped::Lost,
        Ok(Ok(signal)) if signal.cancel => Stopped::Cancelled,
        // Who would tell is gone: the server ends.
        Ok(_) => Stopped::Shutdown,
        Err(_) => Stopped::Timeout,
    }
}

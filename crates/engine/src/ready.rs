//! Having an image ready, which may take minutes, unless somebody stops what wants it meanwhile.

use marquetry_sandbox::{Error, Image};
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
pub(crate) async fn image(
    inner: &Inner,
    name: Option<&str>,
    signal: &watch::Receiver<Signal>,
    end: Instant,
) -> Result<Option<Image>, NotReady> {
    let Some(name) = name else {
        return Ok(None);
    };
    let mut signal = signal.clone();
    tokio::select! {
        biased;
        why = stopped(&mut signal, end) => Err(NotReady::Stopped(why)),
        image = inner.sandbox.prepare(name) => image.map(Some).map_err(NotReady::Failed),
    }
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

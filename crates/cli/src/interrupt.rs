//! Ctrl-C, or SIGTERM, while something is awaited.

use std::future::{Future, pending};

use tokio::signal::unix::{SignalKind, signal};

/// The exit code that shells give a command ended by Ctrl-C.
pub(crate) const CODE: u8 = 130;

/// What `work` answers, or none when the user presses Ctrl-C or ends it before.
pub(crate) async fn unless<T>(work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        answer = work => Some(answer),
        // Where the signal cannot be listened to, it ends the process as it always did.
        Ok(()) = tokio::signal::ctrl_c() => None,
        () = terminated() => None,
    }
}

async fn terminated() {
    match signal(SignalKind::terminate()) {
        Ok(mut signals) => drop(signals.recv().await),
        Err(_) => pending().await,
    }
}

//! Work that blocks (disk, compression, hashing) goes to the runtime's blocking threads.

/// Runs `work` on a blocking thread and waits for it. If the caller stops waiting, the work still
/// runs to its end.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(failed) => match failed.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Only a runtime that is shutting down drops blocking work, and it drops this caller
            // too: there is nobody left to answer.
            Err(_) => std::future::pending().await,
        },
    }
}

//! Waiting for conditions instead of sleeping.

use std::time::{Duration, Instant};

/// How long a condition may take on a loaded machine before the test fails.
const LONGEST: Duration = Duration::from_secs(90);
const PAUSE: Duration = Duration::from_millis(20);

/// Asks until there is an answer; panics, naming the condition, when there is none for long.
pub async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut ask: impl FnMut() -> F,
) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(start.elapsed() < LONGEST, "{what}: not within {LONGEST:?}");
        tokio::time::sleep(PAUSE).await;
    }
}

/// Asks for a while and panics if the answer is ever yes.
pub async fn never_within<F: Future<Output = bool>>(
    what: &str,
    time: Duration,
    mut ask: impl FnMut() -> F,
) {
    let start = Instant::now();
    while start.elapsed() < time {
        assert!(!ask().await, "{what}");
        tokio::time::sleep(PAUSE).await;
    }
}

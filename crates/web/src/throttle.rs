//! Words that many would say at the same time, said once in a while.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Lets one in each interval speak, and counts the others.
pub(crate) struct Throttle {
    every: Duration,
    state: Mutex<State>,
}

struct State {
    last: Option<Instant>,
    silent: u64,
}

impl Throttle {
    /// One that lets the first speak.
    pub(crate) const fn new(every: Duration) -> Self {
        Self {
            every,
            state: Mutex::new(State {
                last: None,
                silent: 0,
            }),
        }
    }

    /// Whether to speak now: then, how many were silent since somebody last did.
    pub(crate) fn pass(&self, now: Instant) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let is_soon = |last: Instant| now.saturating_duration_since(last) < self.every;
        if state.last.is_some_and(is_soon) {
            state.silent += 1;
            return None;
        }
        state.last = Some(now);
        Some(std::mem::take(&mut state.silent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_each_interval_speaks_for_the_others() {
        let throttle = Throttle::new(Duration::from_secs(1));
        let begin = Instant::now();
        let at = |ms| throttle.pass(begin + Duration::from_millis(ms));
        assert_eq!(at(0), Some(0));
        assert_eq!((at(1), at(999)), (None, None));
        assert_eq!(at(1_000), Some(2));
        assert_eq!(at(5_000), Some(0));
    }
}

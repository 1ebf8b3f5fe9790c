//! What is to happen when, servers that take one after another, and how late things were.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

/// Since the beginning.
pub(super) type Instant = Duration;

/// What is to happen, in order; what is to happen at the same time, in the order in which it was added.
pub(super) struct Agenda<T> {
    ahead: BinaryHeap<Reverse<(Instant, u64, T)>>,
    added: u64,
}

impl<T: Ord> Default for Agenda<T> {
    fn default() -> Self {
        Self {
            ahead: BinaryHeap::new(),
            added: 0,
        }
    }
}

impl<T: Ord> Agenda<T> {
    pub(super) fn add(&mut self, at: Instant, what: T) {
        self.ahead.push(Reverse((at, self.added, what)));
        self.added += 1;
    }

    pub(super) fn next(&mut self) -> Option<(Instant, T)> {
        let Reverse((at, _, what)) = self.ahead.pop()?;
        Some((at, what))
    }
}

/// Several that do the same. Each job goes to the one that is free first; jobs come in order of time.
pub(super) struct Servers {
    free: BinaryHeap<Reverse<Instant>>,
    busy: Duration,
}

impl Servers {
    pub(super) fn new(count: u64) -> Self {
        Self {
            free: (0..count.max(1)).map(|_| Reverse(Duration::ZERO)).collect(),
            busy: Duration::ZERO,
        }
    }

    /// Does a job that comes at this time and takes so long; answers when it is done.
    pub(super) fn take(&mut self, at: Instant, takes: Duration) -> Instant {
        let free = self.free.pop().map_or(at, |Reverse(free)| free);
        let done = free.max(at) + takes;
        self.free.push(Reverse(done));
        self.busy += takes;
        done
    }

    /// How long each of them was in use, in seconds.
    pub(super) fn busy(&self) -> f64 {
        self.busy.as_secs_f64() / self.free.len() as f64
    }
}

/// How late things were.
#[derive(Default)]
pub(super) struct Delays(Vec<Duration>);

impl Delays {
    pub(super) fn add(&mut self, late: Duration) {
        self.0.push(late);
    }

    pub(super) fn percentile(&mut self, part: usize) -> Duration {
        self.0.sort_unstable();
        let at = (self.0.len() * part).div_ceil(100).saturating_sub(1);
        self.0.get(at).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_servers_do_three_jobs_in_two_turns() {
        let mut servers = Servers::new(2);
        let second = Duration::from_secs(1);
        let ends = [0, 0, 500].map(|at| servers.take(Duration::from_millis(at), second));
        assert_eq!(ends, [second, second, 2 * second]);
        assert!((servers.busy() - 1.5).abs() < 1e-9);
    }

    #[test]
    fn an_agenda_has_an_order() {
        let mut agenda = Agenda::default();
        for (at, what) in [(2, 'c'), (1, 'b'), (1, 'a')] {
            agenda.add(Duration::from_secs(at), what);
        }
        let order: String = std::iter::from_fn(|| agenda.next())
            .map(|(_, what)| what)
            .collect();
        assert_eq!(order, "bac");
    }

    #[test]
    fn percentiles_are_values_that_were_there() {
        let mut delays = Delays((1..=200).map(Duration::from_secs).collect());
        let found = [50, 99].map(|part| delays.percentile(part));
        assert_eq!(found, [100, 198].map(Duration::from_secs));
    }
}

//! Chance that can be repeated.

use marquetry_model::Chance;

/// The choices of one history.
pub struct Random(Chance);

impl Random {
    /// The same seed, the same choices.
    pub fn new(seed: u64) -> Self {
        Self(Chance::new(seed))
    }

    /// Less than `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        self.0.below(end)
    }

    /// Once in `times`.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// One of them; none of none.
    pub fn pick<T: Clone>(&mut self, of: &[T]) -> Option<T> {
        (!of.is_empty()).then(|| of[self.below(of.len())].clone())
    }
}

/// The seed that whoever repeats a failure names in `MARQUETRY_TEST_SEED`.
pub fn seed_to_repeat() -> Option<u64> {
    let seed = std::env::var("MARQUETRY_TEST_SEED").ok()?;
    Some(seed.parse().expect("MARQUETRY_TEST_SEED is a number"))
}

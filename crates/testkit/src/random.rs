//! Chance that can be repeated: SplitMix64.

/// The choices of one history.
pub struct Random(u64);

impl Random {
    /// The same seed, the same choices.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Less than `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).expect("a number of things fits");
        usize::try_from(self.next() % end).expect("less than a usize")
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

//! Chance that can be repeated.

/// SplitMix64: the same seed, the same choices, in each version of this program.
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// The choices of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to `end`, with it.
    pub fn upto(&mut self, end: u64) -> u64 {
        let number = self.number();
        end.checked_add(1).map_or(number, |count| number % count)
    }

    /// Less than `end`, or 0.
    pub fn below(&mut self, end: usize) -> usize {
        let last = u64::try_from(end.saturating_sub(1)).unwrap_or(u64::MAX);
        usize::try_from(self.upto(last)).unwrap_or(0)
    }
}

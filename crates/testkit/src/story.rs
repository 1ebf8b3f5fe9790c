//! What a random history did.

/// The last steps of it that are told; its seed repeats all of them.
const TOLD: usize = 200;

/// What was done, for whoever has to find out why it was wrong: a test that fails tells it.
pub struct Story {
    seed: u64,
    steps: Vec<String>,
}

impl Story {
    /// Of the history that this seed makes.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            steps: Vec::new(),
        }
    }

    /// Notes a step.
    pub fn tell(&mut self, step: impl Into<String>) {
        self.steps.push(step.into());
    }
}

impl Drop for Story {
    #[expect(clippy::print_stderr, reason = "the output of a test that fails")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {}, after these last steps:", self.seed);
            let before = self.steps.len().saturating_sub(TOLD);
            for (number, step) in self.steps.iter().enumerate().skip(before) {
                eprintln!("{number:4} {step}");
            }
        }
    }
}

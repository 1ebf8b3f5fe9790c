//! What could not be tried.

use std::io::Write as _;

/// Notes that something is not tried here, and why. `./test` says it at its end, because nobody reads
/// what a test prints that passes.
#[expect(clippy::print_stderr, reason = "the output of tests")]
pub fn skipped(why: &str) {
    eprintln!("SKIPPED: {why}");
    if let Some(path) = std::env::var_os("MARQUETRY_TEST_SKIPPED") {
        let file = std::fs::File::options()
            .append(true)
            .create(true)
            .open(path);
        // One write for each line: other tests add theirs.
        file.unwrap()
            .write_all(format!("{why}\n").as_bytes())
            .unwrap();
    }
}

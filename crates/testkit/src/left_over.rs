//! The processes that a server starts beside the runs, which may outlive it.

use std::process::Command;
use std::time::{Duration, Instant};

/// Those of one server, over all its starts.
#[derive(Debug, Default)]
pub(crate) struct Helpers(Vec<u32>);

impl Helpers {
    /// Notes those that a server has now.
    pub(crate) fn note(&mut self, server: u32) {
        let tasks = std::fs::read_dir(format!("/proc/{server}/task"));
        for task in tasks.into_iter().flatten().flatten() {
            let children = std::fs::read_to_string(task.path().join("children"));
            let children = children.unwrap_or_default();
            let children = children.split_whitespace().map(|pid| pid.parse().unwrap());
            self.0.extend(children.filter(|pid| is_helper(*pid)));
        }
    }

    /// Ends them, and so the runs that they hold.
    pub(crate) fn kill(&mut self) {
        let until = Instant::now() + Duration::from_secs(10);
        for pid in self.0.drain(..) {
            while is_helper(pid) && Instant::now() < until {
                let _ = Command::new("kill")
                    .args(["-KILL", &pid.to_string()])
                    .output();
                std::thread::sleep(Duration::from_millis(2));
            }
        }
    }
}

/// Whether this process is one, and not another that has got its number.
fn is_helper(pid: u32) -> bool {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    line.split(|byte| *byte == 0)
        .any(|part| part == b"__sandbox")
}

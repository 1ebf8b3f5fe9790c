//! Nodes: servers that share a database.

use std::time::Duration;

use crate::words::words;
use crate::{NodeId, Timestamp};

/// A node whose clock differs more than this from the database's claims nothing, in milliseconds: what is
/// due, and whose lease has ended, is told by clocks.
const TOLERATED_MS: u64 = 2_000;

words! {
    /// What can be said of a node.
    NodeStatus {
        /// It tells that it lives.
        Live = "Live",
        /// It takes nothing more and waits for what it runs.
        Draining = "Draining",
        /// It lives, and claims nothing, because its clock is wrong.
        WrongClock = "WrongClock",
        /// It has not told for a while that it lives.
        Lost = "Lost",
    }
}

/// A node as it last told of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its id.
    pub id: NodeId,
    /// Its name, which stays over a restart.
    pub name: String,
    /// The version of the program.
    pub version: String,
    /// What it does: `api`, `scheduler`, `builder`, `runner`.
    pub roles: Vec<String>,
    /// How many runs it executes at once; 0 where it executes none.
    pub run_slots: i64,
    /// How many it executed then.
    pub live_runs: i64,
    /// How many builds it makes at once; 0 where it makes none.
    pub build_slots: i64,
    /// How many it made then.
    pub live_builds: i64,
    /// How far its clock was ahead of the database's, in milliseconds; none where the database has no clock
    /// of its own.
    pub clock_ahead_ms: Option<i64>,
    /// Whether it is ending.
    pub draining: bool,
    /// When it was started.
    pub started_at: Timestamp,
    /// When it last told that it lives.
    pub seen_at: Timestamp,
}

impl Node {
    /// A node whose last sign of life is older than this is taken for lost: it has missed three.
    pub const LOST: Duration = Duration::from_secs(90);

    /// What can be said of it now.
    pub fn status(&self, now: Timestamp) -> NodeStatus {
        if now.since(self.seen_at) > Self::LOST {
            NodeStatus::Lost
        } else if self.draining {
            NodeStatus::Draining
        } else if is_clock_wrong(self.clock_ahead_ms) {
            NodeStatus::WrongClock
        } else {
            NodeStatus::Live
        }
    }
}

/// Whether a clock that is so far ahead of the database's, in milliseconds, is too wrong to claim by.
pub fn is_clock_wrong(ahead_ms: Option<i64>) -> bool {
    ahead_ms.is_some_and(|ahead| ahead.unsigned_abs() > TOLERATED_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node() -> Node {
        Node {
            id: NodeId::new(1),
            name: "a".to_owned(),
            version: "1".to_owned(),
            roles: Vec::new(),
            run_slots: 1,
            live_runs: 0,
            build_slots: 1,
            live_builds: 0,
            clock_ahead_ms: None,
            draining: false,
            started_at: Timestamp::from_millis(0),
            seen_at: Timestamp::from_millis(1_000),
        }
    }

    #[test]
    fn the_worst_that_is_known_is_said() {
        let node = node();
        let at = Timestamp::from_millis;
        assert_eq!(node.status(at(91_000)), NodeStatus::Live);
        assert_eq!(node.status(at(91_001)), NodeStatus::Lost);
        // A reader whose clock is behind.
        assert_eq!(node.status(at(0)), NodeStatus::Live);
        for (ahead, wrong) in [
            (2_000, false),
            (2_001, true),
            (-2_001, true),
            (i64::MIN, true),
        ] {
            let node = Node {
                clock_ahead_ms: Some(ahead),
                ..node.clone()
            };
            let expected = if wrong {
                NodeStatus::WrongClock
            } else {
                NodeStatus::Live
            };
            assert_eq!(node.status(at(2_000)), expected, "{ahead}");
            let ending = Node {
                draining: true,
                ..node
            };
            assert_eq!(ending.status(at(2_000)), NodeStatus::Draining);
            assert_eq!(ending.status(at(99_000)), NodeStatus::Lost);
        }
    }
}

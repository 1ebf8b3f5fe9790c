//! What a number of tenants needs, by the measured cost of a cycle: a simulation of queues in simulated time.
//!
//! Each tenant is due once in a period. A cycle asks the database three times (the trigger is stored, becomes a run, and
//! its end is stored), waits for a place on a node, uses a processor of it, and holds the place for as long as the
//! integration takes. Databases and processors take one after another. What is not in it: networks, disks that are
//! slower than what was measured, and the integrations' own systems.

mod queue;
mod table;

use std::collections::VecDeque;
use std::time::Duration;

use clap::Args;

use queue::{Agenda, Delays, Instant, Servers};
pub(crate) use table::main;

/// An installation and what it is asked for.
#[derive(Debug, Clone, Args)]
pub(crate) struct Installation {
    /// Tenants, each due once in a period.
    #[arg(long, default_value_t = 50_000)]
    pub(super) tenants: u32,
    /// The period, in seconds.
    #[arg(long, default_value_t = 300.0)]
    pub(super) period: f64,
    /// At how many instants of a period tenants are due, an equal share of them at each: `*/5` has five.
    #[arg(long, default_value_t = 5)]
    pub(super) instants: u32,
    /// How long a run takes, in seconds.
    #[arg(long, default_value_t = 2.0)]
    pub(super) run_seconds: f64,
    /// Processor time of the integration's own code in a run, in milliseconds.
    #[arg(long, default_value_t = 50.0)]
    pub(super) run_cpu_ms: f64,
    /// Nodes that run.
    #[arg(long, default_value_t = 3)]
    pub(super) nodes: u32,
    /// Processors of each.
    #[arg(long, default_value_t = 8)]
    pub(super) node_processors: u32,
    /// Runs at once on each.
    #[arg(long, default_value_t = 256)]
    pub(super) run_slots: u32,
    /// Databases, each with an equal share of the tenants and of the nodes.
    #[arg(long, default_value_t = 1)]
    pub(super) databases: u32,
    /// Processors of each database that work at the same time.
    #[arg(long, default_value_t = 4)]
    pub(super) database_processors: u32,
    /// Processor time of the database in a cycle, in milliseconds (C1).
    #[arg(long)]
    pub(super) database_ms: f64,
    /// Processor time of the platform on a node in a cycle, in milliseconds (C1, and what a process costs to start).
    #[arg(long)]
    pub(super) node_ms: f64,
}

impl Installation {
    /// What the nodes of one database have together, of which each has so many.
    fn of_nodes(&self, each: u32) -> u64 {
        let all = u64::from(self.nodes) * u64::from(each);
        all.div_ceil(u64::from(self.databases.max(1)))
    }
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Outcome {
    /// From being due to the start of the run, in seconds: half of them, and 99 of 100.
    pub(super) late_p50: f64,
    pub(super) late_p99: f64,
    /// Share of their time in which processors of databases and of nodes, and places, were in use.
    pub(super) databases: f64,
    pub(super) processors: f64,
    pub(super) places: f64,
    /// Whether more became due than was done.
    pub(super) falls_behind: bool,
}

/// Periods: the first one fills the queues, the last is looked at.
const PERIODS: u32 = 3;

/// Plays it. One database with its share of tenants and nodes stands for all.
pub(crate) fn simulate(installation: &Installation) -> Outcome {
    let mut play = Play::new(installation);
    while let Some((now, step)) = play.agenda.next() {
        play.step(now, step);
    }
    play.outcome(installation)
}

/// What happens next in a cycle, which was due at some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Due,
    Stored(Instant),
    Claimed(Instant),
    Over,
    Ended,
}

struct Play {
    agenda: Agenda<Step>,
    database: Servers,
    processors: Servers,
    /// Places that are free, and who waits for one.
    places: u64,
    waiting: VecDeque<Instant>,
    in_places: Duration,
    third: Duration,
    cpu: Duration,
    run: Duration,
    /// What is due from here on is looked at.
    last_period: Instant,
    late: Delays,
    end: Instant,
}

impl Play {
    fn new(installation: &Installation) -> Self {
        let shards = installation.databases.max(1);
        let count = |each| installation.of_nodes(each).max(1);
        let milliseconds = |ms: f64| Duration::from_secs_f64(ms / 1e3);
        let period = Duration::from_secs_f64(installation.period);
        let tenants = installation.tenants.div_ceil(shards);
        let instants = installation.instants.max(1);
        let mut agenda = Agenda::default();
        for number in 0..PERIODS {
            for tenant in 0..tenants {
                let instant = f64::from(tenant % instants) / f64::from(instants);
                agenda.add(period * number + period.mul_f64(instant), Step::Due);
            }
        }
        Self {
            agenda,
            database: Servers::new(u64::from(installation.database_processors)),
            processors: Servers::new(count(installation.node_processors)),
            places: count(installation.run_slots),
            waiting: VecDeque::new(),
            in_places: Duration::ZERO,
            third: milliseconds(installation.database_ms / 3.0),
            cpu: milliseconds(installation.node_ms + installation.run_cpu_ms),
            run: Duration::from_secs_f64(installation.run_seconds),
            last_period: period * (PERIODS - 1),
            late: Delays::default(),
            end: Duration::ZERO,
        }
    }

    fn step(&mut self, now: Instant, step: Step) {
        match step {
            Step::Due => {
                let done = self.database.take(now, self.third);
                self.agenda.add(done, Step::Stored(now));
            }
            Step::Stored(due) => {
                let done = self.database.take(now, self.third);
                self.agenda.add(done, Step::Claimed(due));
            }
            Step::Claimed(due) => {
                self.waiting.push_back(due);
                self.begin(now);
            }
            Step::Over => {
                let done = self.database.take(now, self.third);
                self.in_places += done.saturating_sub(now);
                self.agenda.add(done, Step::Ended);
            }
            Step::Ended => {
                self.places += 1;
                self.end = now;
                self.begin(now);
            }
        }
    }

    /// Lets those begin that have a place.
    fn begin(&mut self, now: Instant) {
        while self.places > 0
            && let Some(due) = self.waiting.pop_front()
        {
            self.places -= 1;
            let worked = self.processors.take(now, self.cpu);
            let over = worked.max(now + self.run);
            self.in_places += over.saturating_sub(now);
            self.agenda.add(over, Step::Over);
            if due >= self.last_period {
                self.late.add(worked.saturating_sub(self.cpu + due));
            }
        }
    }

    fn outcome(mut self, installation: &Installation) -> Outcome {
        let due = Duration::from_secs_f64(installation.period * f64::from(PERIODS));
        let span = self.end.max(due).as_secs_f64();
        let slots = installation.of_nodes(installation.run_slots) as f64;
        let patience = self.run + self.cpu + due.mul_f64(0.05);
        Outcome {
            late_p50: self.late.percentile(50).as_secs_f64(),
            late_p99: self.late.percentile(99).as_secs_f64(),
            databases: self.database.busy() / span,
            processors: self.processors.busy() / span,
            places: self.in_places.as_secs_f64() / slots / span,
            falls_behind: self.end > due + patience,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usual() -> Installation {
        Installation {
            tenants: 3_000,
            period: 300.0,
            instants: 3_000,
            run_seconds: 2.0,
            run_cpu_ms: 50.0,
            nodes: 1,
            node_processors: 2,
            run_slots: 64,
            databases: 1,
            database_processors: 1,
            database_ms: 1.0,
            node_ms: 1.0,
        }
    }

    #[test]
    fn what_has_room_is_hardly_late() {
        let outcome = simulate(&usual());
        assert!(!outcome.falls_behind, "{outcome:?}");
        assert!(outcome.late_p99 < 1.0, "{outcome:?}");
        // Ten a second, each of 1 ms on one database, and of 51 ms on two processors.
        assert!((outcome.databases - 0.01).abs() < 0.002, "{outcome:?}");
        assert!((outcome.processors - 0.255).abs() < 0.02, "{outcome:?}");
        assert!((outcome.places - 20.0 / 64.0).abs() < 0.05, "{outcome:?}");
    }

    #[test]
    fn what_asks_for_more_than_there_is_falls_behind() {
        let too_few_processors = Installation {
            run_cpu_ms: 250.0,
            ..usual()
        };
        let too_few_places = Installation {
            run_slots: 16,
            ..usual()
        };
        let too_slow_a_database = Installation {
            database_ms: 120.0,
            ..usual()
        };
        for installation in [too_few_processors, too_few_places, too_slow_a_database] {
            let outcome = simulate(&installation);
            assert!(outcome.falls_behind, "{installation:?}: {outcome:?}");
        }
    }

    #[test]
    fn shares_are_played_as_one_of_them() {
        let four = Installation {
            tenants: 12_000,
            nodes: 4,
            databases: 4,
            ..usual()
        };
        assert_eq!(simulate(&four), simulate(&usual()));
    }

    #[test]
    fn all_at_once_are_late_by_what_is_before_them() {
        let together = Installation {
            instants: 1,
            ..usual()
        };
        let outcome = simulate(&together);
        // 3,000 of 51 ms on two processors are 76 s.
        assert!(!outcome.falls_behind, "{outcome:?}");
        assert!(
            outcome.late_p99 > 70.0 && outcome.late_p99 < 110.0,
            "{outcome:?}"
        );
    }
}

//! Random histories of the whole application layer on a real database: triggers, cron, cancelling,
//! pauses, archiving, reruns, ends, lost and frozen nodes, in any order. After each step the rows are
//! compared with an oracle that knows only what is documented.
//!
//! A history is made of its seed alone. One that fails says its seed and its steps;
//! `MARQUETRY_TEST_SEED` repeats it.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod acts;
mod check;
mod choice;
mod door;
mod drain;
mod lost;
mod nodes;
mod oracle;
mod settings;
mod subjects;
mod truth;
mod world;

use std::ops::Range;

use marquetry_testkit::{Database, both_databases, seed_to_repeat};

use crate::world::World;

/// How many steps a history has before it is brought to its end.
const STEPS: usize = 120;

both_databases! {
    async fn random_histories_are_allowed(database) {
        let seeds = match database {
            Database::Sqlite => 0..30,
            Database::Postgres => 100..110,
        };
        histories(database, seeds).await;
    }
}

both_databases! {
    #[ignore = "slow: many histories"]
    async fn many_random_histories_are_allowed(database) {
        let seeds = match database {
            Database::Sqlite => 1_000..1_300,
            Database::Postgres => 2_000..2_060,
        };
        histories(database, seeds).await;
    }
}

async fn histories(database: Database, seeds: Range<u64>) {
    for seed in seed_to_repeat().map_or(seeds, |seed| seed..seed + 1) {
        let mut world = World::new(database, seed).await;
        for _ in 0..STEPS {
            world.step().await;
        }
        world.drain().await;
    }
}

//! A year of stored schedules in three zones with all their changes of clocks, with downtime, restarts,
//! late looks, pauses and other schedules at random instants. An oracle that goes from minute to minute
//! and knows only what is documented says which triggers there must be.
//!
//! A year is made of its seed alone. One that fails says its seed and what happened last;
//! `MARQUETRY_TEST_SEED` repeats it.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod calendar;
mod oracle;
mod world;

use marquetry_testkit::{Database, both_databases, seed_to_repeat};

use crate::world::World;

both_databases! {
    async fn a_year_of_schedules_loses_and_doubles_no_tick(database) {
        let seed = match database {
            Database::Sqlite => 1,
            Database::Postgres => 2,
        };
        year(database, seed_to_repeat().unwrap_or(seed)).await;
    }
}

both_databases! {
    #[ignore = "slow: many years"]
    async fn many_years_of_schedules_lose_and_double_no_tick(database) {
        let seeds = match database {
            Database::Sqlite => 100..120,
            Database::Postgres => 200..210,
        };
        for seed in seeds {
            year(database, seed).await;
        }
    }
}

async fn year(database: Database, seed: u64) {
    let mut world = World::new(database, seed).await;
    while world.step().await {}
    world.check().await;
}

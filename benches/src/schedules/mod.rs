//! S1 to S3: many schedules, fired by a server that runs nothing.

mod clock;
mod idle;
mod minute;
mod stage;
mod watch;

pub(crate) use idle::measure as measure_idle;
pub(crate) use minute::measure as measure_minute;

/// What a server of these measurements does: runs are another bar's.
const ROLES: &str = "scheduler,api";

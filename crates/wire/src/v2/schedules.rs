//! Schedules.

use marquetry_model::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// The next times of a tenant's schedule.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SchedulePreview {
    /// The schedule as run; null: the tenant has none.
    pub schedule: Option<String>,
    /// IANA name of the zone that the schedule is read in.
    pub timezone: String,
    /// Whether the tenant or its integration is paused, so that these times pass without a run.
    pub paused: bool,
    /// When it is due next, in UTC.
    #[schema(value_type = Vec<String>)]
    pub next: Vec<Timestamp>,
}

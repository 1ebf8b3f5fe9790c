//! Triggers.

use marquetry_model::{Mode, Phase, Source, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use super::words;

/// What a sync answers.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Trigger {
    /// The trigger: a number, as text.
    pub trigger_id: String,
}

/// What became of a trigger.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TriggerStatus {
    /// The phase of the run that took it.
    #[schema(value_type = String)]
    pub status: Phase,
}

/// A trigger by itself.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TriggerDetails {
    /// The trigger: a number, as text.
    pub trigger_id: String,
    /// For whom.
    pub tenant_id: i64,
    /// How the run shall behave.
    #[schema(value_type = words::Mode)]
    pub mode: Mode,
    /// Where it came from.
    #[schema(value_type = words::Source)]
    pub source: Source,
    /// The run that took it.
    pub run_id: Option<i64>,
    /// When it was accepted.
    #[schema(value_type = String, format = DateTime)]
    pub created_date: Timestamp,
    /// When it was cancelled.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub cancelled_date: Option<Timestamp>,
}

impl From<marquetry_model::Trigger> for TriggerDetails {
    fn from(trigger: marquetry_model::Trigger) -> Self {
        Self {
            trigger_id: trigger.id.to_string(),
            tenant_id: trigger.tenant_id.get(),
            mode: trigger.mode,
            source: trigger.source,
            run_id: trigger.run_id.map(Into::into),
            created_date: trigger.created_at,
            cancelled_date: trigger.cancelled_at,
        }
    }
}

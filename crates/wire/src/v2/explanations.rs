//! Why something ran, waits, or did not run.

use marquetry_model::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// What was decided about a tenant, newest first.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Explanation {
    /// One sentence for each decision.
    pub sentences: Vec<Sentence>,
}

/// One thing that was decided, or holds now.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Sentence {
    /// When; of what holds now, now.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// In words.
    pub text: String,
    /// The trigger that it is about, or the first of them.
    pub trigger_id: Option<i64>,
    /// The run that it is about.
    pub run_id: Option<i64>,
}

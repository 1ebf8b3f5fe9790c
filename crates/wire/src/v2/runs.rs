//! Runs.

use marquetry_model::{Mode, Phase, Source, Timestamp};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// A run.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Run {
    /// Its id.
    pub id: i64,
    /// How it behaves.
    #[schema(value_type = String)]
    pub mode: Mode,
    /// Where it is.
    pub status: Option<RunStatus>,
    /// What it took, in order of arrival.
    #[schema(value_type = Option<Vec<RunTrigger>>, default = json!([]))]
    pub triggers: Vec<RunTrigger>,
    /// When it was started.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub started_date: Option<Timestamp>,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub completed_date: Option<Timestamp>,
    /// For whom.
    pub tenant_id: Option<i64>,
    /// Of what.
    pub integration_id: Option<i64>,
    /// The release that it runs.
    pub release_id: i64,
    /// The exit code, when the process had one.
    pub exit_code: Option<i64>,
    /// The last non-empty line of stdout.
    pub std_out: Option<String>,
    /// What there is to say about its end.
    pub message: Option<String>,
    /// The run that it repeats.
    pub rerun_of: Option<i64>,
    /// The node that has or had it.
    pub node: Option<String>,
    /// What it used.
    pub usage: RunUsage,
}

/// Where a run is.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RunStatus {
    /// The phase.
    #[schema(value_type = Option<String>)]
    pub phase: Option<Phase>,
    /// When it was started.
    #[serde(rename = "startTime")]
    #[schema(value_type = Option<String>)]
    pub start_time: Option<Timestamp>,
    /// When it ended.
    #[serde(rename = "completionTime")]
    #[schema(value_type = Option<String>)]
    pub completion_time: Option<Timestamp>,
}

/// A trigger that a run took.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RunTrigger {
    /// Its id.
    pub id: i64,
    /// When it was accepted.
    #[schema(value_type = String, format = DateTime)]
    pub created_date: Timestamp,
    /// How the run shall behave.
    #[schema(value_type = String)]
    pub mode: Mode,
    /// Where it came from.
    #[schema(value_type = String)]
    pub source: Source,
    /// The body, when it was a JSON object.
    #[schema(value_type = Option<HashMap<String, Value>>, default = json!({}))]
    pub payload: Box<RawValue>,
}

/// What a run used.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct RunUsage {
    /// Processor time of the whole process tree, in milliseconds.
    pub cpu_ms: i64,
    /// Largest resident size, in bytes.
    pub max_rss_bytes: i64,
    /// Size of the log, in bytes.
    pub log_bytes: i64,
}

impl From<&marquetry_model::Run> for RunStatus {
    fn from(run: &marquetry_model::Run) -> Self {
        Self {
            phase: Some(run.phase),
            start_time: run.started_at,
            completion_time: run.completed_at,
        }
    }
}

impl From<(marquetry_model::Run, Vec<RunTrigger>)> for Run {
    fn from((run, triggers): (marquetry_model::Run, Vec<RunTrigger>)) -> Self {
        Self {
            id: run.id.get(),
            mode: run.mode,
            status: Some(RunStatus::from(&run)),
            triggers,
            started_date: run.started_at,
            completed_date: run.completed_at,
            tenant_id: Some(run.tenant_id.get()),
            integration_id: Some(run.integration_id.get()),
            release_id: run.release_id.get(),
            exit_code: run.exit_code,
            std_out: run.std_out,
            message: run.message,
            rerun_of: run.rerun_of.map(Into::into),
            node: run.node,
            usage: RunUsage {
                cpu_ms: run.usage.cpu_ms,
                max_rss_bytes: run.usage.max_rss_bytes,
                log_bytes: run.usage.log_bytes,
            },
        }
    }
}

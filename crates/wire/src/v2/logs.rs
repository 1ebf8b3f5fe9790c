//! Logs.

use utoipa::ToSchema;

/// An event of a log's stream.
#[derive(Debug, Clone, ToSchema)]
#[expect(dead_code, reason = "events are text; only the schema is used")]
pub struct LogEvent {
    /// The byte at which the next event begins, for `Last-Event-ID`.
    id: Option<String>,
    /// `message`, or `end`.
    event: String,
    /// Lines of the log; at the end, the phase of the run or the status of the build.
    data: String,
}

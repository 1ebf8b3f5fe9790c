//! Nodes.

use marquetry_model::{NodeStatus, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use super::words;

/// A server that shares the database, as it last told of itself.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Node {
    /// Its id.
    pub id: i64,
    /// Its name, which runs and builds name too; it stays over a restart.
    pub name: String,
    /// What can be said of it now.
    #[schema(value_type = words::NodeStatus)]
    pub status: NodeStatus,
    /// The version of its program.
    pub version: String,
    /// What it does: `api`, `scheduler`, `builder`, `runner`.
    pub roles: Vec<String>,
    /// How many runs it executed when it last told of itself.
    pub live_runs: i64,
    /// How many it executes at once.
    pub run_slots: i64,
    /// How many builds it made.
    pub live_builds: i64,
    /// How many it makes at once.
    pub build_slots: i64,
    /// How far its clock was ahead of the database's, in milliseconds; null on SQLite. Beyond 2,000 it claims
    /// nothing.
    pub clock_difference_ms: Option<i64>,
    /// When it was started.
    #[schema(value_type = String, format = DateTime)]
    pub started_date: Timestamp,
    /// When it last told of itself; it does so every 30 seconds, and is taken for lost after 90.
    #[schema(value_type = String, format = DateTime)]
    pub seen_date: Timestamp,
}

impl From<(marquetry_model::Node, NodeStatus)> for Node {
    fn from((node, status): (marquetry_model::Node, NodeStatus)) -> Self {
        Self {
            id: node.id.get(),
            name: node.name,
            status,
            version: node.version,
            roles: node.roles,
            live_runs: node.live_runs,
            run_slots: node.run_slots,
            live_builds: node.live_builds,
            build_slots: node.build_slots,
            clock_difference_ms: node.clock_ahead_ms,
            started_date: node.started_at,
            seen_date: node.seen_at,
        }
    }
}

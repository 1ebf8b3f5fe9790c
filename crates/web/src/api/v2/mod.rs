//! Version 2, one file per resource: read the input, call one use case, render.

pub(crate) mod audit;
pub(crate) mod builds;
pub(crate) mod bulk;
pub(crate) mod connections;
pub(crate) mod connectors;
pub(crate) mod environment;
pub(crate) mod explanations;
pub(crate) mod integrations;
pub(crate) mod keys;
pub(crate) mod logs;
pub(crate) mod metadata;
pub(crate) mod nodes;
pub(super) mod paths;
pub(crate) mod provisioning;
pub(crate) mod releases;
pub(crate) mod reruns;
pub(crate) mod runs;
pub(crate) mod schedules;
mod sse;
pub(crate) mod tenants;
pub(crate) mod triggers;
pub(crate) mod uploads;
pub(crate) mod vault;

use marquetry_model::{Patch, ReleaseId};

/// What a handler answers.
pub(crate) type Answer = Result<axum::response::Response, crate::error::ApiError>;

/// A name as an error may repeat it.
fn short(text: &str) -> String {
    text.chars().take(100).collect()
}

/// A release as a change mentions it.
fn release(id: &Patch<i64>) -> Patch<ReleaseId> {
    match *id {
        Patch::Keep => Patch::Keep,
        Patch::Clear => Patch::Clear,
        Patch::Set(id) => Patch::Set(ReleaseId::new(id)),
    }
}

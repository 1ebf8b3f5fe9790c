//! Schedules.

use marquetry_app::schedules::schedule_preview;
use marquetry_model::TenantId;
use marquetry_wire::v2::SchedulePreview;
use serde::Deserialize;
use utoipa::IntoParams;

use super::Answer;
use super::paths::TenantPath;
use crate::extract::{Caller, Checked, params};
use crate::openapi::Refusals;
use crate::reply;

/// As many times as one answer shows.
const MOST: i64 = 100;

/// How far to look.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PreviewQuery {
    /// How many times; over 100 means 100.
    #[param(minimum = 0, default = 10)]
    count: Option<i64>,
}

params!(PreviewQuery);

/// When a tenant's schedule is due next.
#[utoipa::path(get, path = "/v2/tenants/{tenant_id}/schedule/preview",
    operation_id = "previewTenantSchedule", tag = "extension",
    params(TenantPath, PreviewQuery),
    responses((status = 200, description = "The next times", body = SchedulePreview), Refusals))]
pub(crate) async fn preview(
    Caller(ctx, _): Caller,
    input: Checked<TenantPath, PreviewQuery>,
) -> Answer {
    let count = input.query.count.unwrap_or(10).min(MOST);
    let count = usize::try_from(count).unwrap_or(0);
    let found = schedule_preview(&ctx, TenantId::new(input.path.tenant_id), count).await?;
    Ok(reply::ok(&SchedulePreview {
        schedule: found.schedule,
        timezone: found.timezone,
        paused: found.paused,
        next: found.next,
    }))
}

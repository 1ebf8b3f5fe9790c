//! One act over many tenants.

use axum::response::Response;
use marquetry_app::Ctx;
use marquetry_app::bulk::{self, BulkAction, BulkChange, BulkFilter};
use marquetry_model::{Error, IntegrationId, Mode, ReleaseId, TenantId};
use marquetry_wire::v2::{self, BulkItem, BulkRequest, BulkResult, ErrorMessage};

use super::Answer;
use crate::extract::{Caller, Checked, Json, Write, json_body};
use crate::once::{once, to_the_end};
use crate::openapi::InputRefusals;
use crate::reply;

json_body!(BulkRequest);

/// Acts on each tenant that fits; what fails for one does not stop the others. `sync` also takes the
/// scope `sync`.
#[utoipa::path(post, path = "/v2/bulk", operation_id = "bulkTenants", tag = "extension",
    request_body = BulkRequest,
    responses((status = 200, description = "What came of it", body = BulkResult),
        (status = 409, description = "Begun before under this key, and not known how it ended",
            body = ErrorMessage), InputRefusals))]
pub(crate) async fn act(
    Caller(ctx, _): Caller<Write>,
    input: Checked<(), (), Json<BulkRequest>>,
) -> Answer {
    to_the_end(all(ctx, input)).await
}

async fn all(ctx: Ctx, input: Checked<(), (), Json<BulkRequest>>) -> Answer {
    let Json(body) = input.body;
    let action = action(&body)?;
    let (filter, dry_run) = (filter(body.filter), body.dry_run);
    let act = |ctx| async move {
        let items = bulk::bulk(&ctx, action, filter, dry_run).await?;
        Ok(answer(items))
    };
    let again = |_, _| async move {
        let message = "this Idempotency-Key was used and the server ended before the answer: see what was done, and \
            take a new key";
        Err(Error::conflict("idempotency_key", message).into())
    };
    once(ctx, input.once, act, again).await
}

fn answer(items: Vec<bulk::BulkItem>) -> Response {
    let items = items.into_iter().map(|item| BulkItem {
        id: item.id.get(),
        ok: item.ok,
        message: item.message,
    });
    reply::ok(&BulkResult {
        items: items.collect(),
    })
}

/// What belongs to another act is a mistake, and not ignored.
fn action(body: &BulkRequest) -> Result<BulkAction, Error> {
    let is_release = body.action == v2::BulkAction::Release;
    let (release, channel) = (
        body.integration_release_id,
        body.integration_release_channel,
    );
    if !is_release && (release.is_some() || channel.is_some()) {
        let field = if release.is_some() {
            "integration_release_id"
        } else {
            "integration_release_channel"
        };
        return Err(Error::invalid(field, "is for the action release alone"));
    }
    if body.mode.is_some() && body.action != v2::BulkAction::Sync {
        return Err(Error::invalid("mode", "is for the action sync alone"));
    }
    Ok(match body.action {
        v2::BulkAction::Sync => BulkAction::Sync(body.mode.unwrap_or(Mode::Normal)),
        v2::BulkAction::Pause => BulkAction::Change(BulkChange::Pause),
        v2::BulkAction::Resume => BulkAction::Change(BulkChange::Resume),
        v2::BulkAction::Archive => BulkAction::Change(BulkChange::Archive),
        v2::BulkAction::Release if release.is_some() == channel.is_some() => {
            let why = "the action release takes integration_release_id or \
                integration_release_channel, and not both";
            return Err(Error::invalid("integration_release_id", why));
        }
        v2::BulkAction::Release => {
            BulkAction::Change(BulkChange::Release(release.map(ReleaseId::new), channel))
        }
    })
}

fn filter(filter: v2::BulkFilter) -> BulkFilter {
    BulkFilter {
        ids: filter
            .ids
            .map(|ids| ids.into_iter().map(TenantId::new).collect()),
        integration: filter.integration_id.map(IntegrationId::new),
        user_name: filter.user_name,
        paused: filter.paused,
        release: filter.integration_release_id.map(ReleaseId::new),
        channel: filter.integration_release_channel,
    }
}

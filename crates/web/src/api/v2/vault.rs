//! The keys that secrets are sealed with, and their exchange.

use marquetry_app::key_rotation::{data_keys_rotate, master_key_rotate, vault_get};
use marquetry_wire::v2::{
    ErrorDetail, ErrorMessage, RotateVault, RotatedVault, Vault, VaultKeys, VaultKind,
};

use super::Answer;
use crate::extract::{Admin, Caller, Checked, Json, json_body};
use crate::once::once;
use crate::openapi::InputRefusals;
use crate::reply;

json_body!(RotateVault);

/// The keys, and how much an exchange has left to do.
#[utoipa::path(get, path = "/v2/settings/vault", operation_id = "getVault", tag = "extension",
    responses((status = 200, description = "The keys", body = Vault),
        (status = 403, description = "No valid API key, or one that may not do this", body = ErrorDetail)))]
pub(crate) async fn get(Caller(ctx, _): Caller<Admin>) -> Answer {
    let state = vault_get(&ctx).await?;
    let kinds = state.kinds.into_iter().map(|it| VaultKind {
        kind: it.kind,
        key_id: it.key_id,
        master_key_id: it.master_key_id,
        created_date: it.created_at,
        sealed: it.sealed,
        left: it.left,
    });
    Ok(reply::ok(&Vault {
        master_key_id: state.master_key_id,
        kinds: kinds.collect(),
    }))
}

/// Exchanges keys while the server works: the master key at once, data keys in the background.
#[utoipa::path(post, path = "/v2/settings/vault/rotate", operation_id = "rotateVault", tag = "extension",
    request_body = RotateVault,
    responses((status = 200, description = "What was done at once", body = RotatedVault),
        (status = 409, description = "An exchange is going on, or a master key is missing", body = ErrorMessage),
        InputRefusals))]
pub(crate) async fn rotate(
    Caller(ctx, _): Caller<Admin>,
    input: Checked<(), (), Json<RotateVault>>,
) -> Answer {
    let what = input.body.0.what;
    let answer = |keys| reply::ok(&RotatedVault { keys });
    let act = |ctx| async move {
        let keys = match what {
            VaultKeys::MasterKey => master_key_rotate(&ctx).await?,
            VaultKeys::DataKeys => data_keys_rotate(&ctx).await?,
        };
        Ok(answer(keys))
    };
    let again = |_, keys: i64| async move { Ok(answer(usize::try_from(keys).unwrap_or(0))) };
    once(ctx, input.once, act, again).await
}

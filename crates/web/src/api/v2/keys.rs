//! Keys of the API.

use axum::extract::State;
use http::StatusCode;
use marquetry_app::keys::{self, KeyCreate};
use marquetry_model::{ApiKeyId, Error, FieldError, Scope, Timestamp};
use marquetry_wire::v2::{CreateKey, CreatedKey, Key};
use serde::Deserialize;

use super::Answer;
use super::paths::KeyPath;
use crate::extract::{Admin, Caller, Checked, Json, Refused, json_body, list_query};
use crate::once::{once, shown_once};
use crate::openapi::{InputRefusals, Refusals};
use crate::reply;
use crate::state::Web;

json_body!(CreateKey as KnownOfKey => judge);
list_query! {
    /// What the list of keys takes.
    KeysQuery of marquetry_app::lists::KEYS {}
}

/// What can be read of a wish for a key.
#[derive(Deserialize)]
struct KnownOfKey {
    name: Option<String>,
    scopes: Option<Vec<Scope>>,
    expires_date: Option<Timestamp>,
}

async fn judge(known: KnownOfKey, asked: &Refused<'_>) -> Result<Vec<FieldError>, Error> {
    let (name, scopes) = (known.name.as_deref(), known.scopes.as_deref());
    let ctx = asked.ctx().await?;
    Ok(keys::key_faults(&ctx, name, scopes, known.expires_date))
}

/// The keys that are not revoked.
#[utoipa::path(get, path = "/v2/keys", operation_id = "listKeys", tag = "extension",
    params(KeysQuery),
    responses((status = 200, description = "The keys", body = Vec<Key>), InputRefusals))]
pub(crate) async fn list(
    State(web): State<Web>,
    Caller(ctx, _): Caller<Admin>,
    input: Checked<(), KeysQuery>,
) -> Answer {
    let page = input.query.page(&web, &input.uri)?;
    let found = keys::key_list(&ctx, &page).await?.map(Key::from);
    Ok(reply::list(&web, &input.uri, &page, &found))
}

/// Makes a key; its text is answered only here.
#[utoipa::path(post, path = "/v2/keys", operation_id = "createKey", tag = "extension",
    request_body = CreateKey,
    responses((status = 201, description = "The key", body = CreatedKey), InputRefusals))]
pub(crate) async fn create(
    Caller(ctx, _): Caller<Admin>,
    input: Checked<(), (), Json<CreateKey>>,
) -> Answer {
    let Json(body) = input.body;
    let wanted = KeyCreate {
        name: body.name,
        scopes: body.scopes,
        expires_at: body.expires_date,
    };
    let act = |ctx| async move {
        let made = keys::key_create(&ctx, wanted).await?;
        let answer = reply::json(StatusCode::CREATED, &CreatedKey::from(made));
        Ok(shown_once(answer))
    };
    let again = |_, id| async move {
        let message = format!(
            "key {id} was made by this request and its text was shown once; \
             if it did not arrive, revoke the key and make another"
        );
        Err(Error::conflict("key_shown", message).into())
    };
    once(ctx, input.once, act, again).await
}

/// Takes a key's power away.
#[utoipa::path(delete, path = "/v2/keys/{key_id}", operation_id = "revokeKey",
    tag = "extension", params(KeyPath),
    responses((status = 200, description = "The key", body = Key), Refusals))]
pub(crate) async fn revoke(Caller(ctx, _): Caller<Admin>, input: Checked<KeyPath>) -> Answer {
    let key = keys::key_revoke(&ctx, ApiKeyId::new(input.path.key_id)).await?;
    Ok(reply::ok(&Key::from(key)))
}

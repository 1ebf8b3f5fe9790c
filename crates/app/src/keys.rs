//! Keys of the API.

use marquetry_model::{
    ApiKey, ApiKeyId, Error, FieldError, Page, PageRequest, Result, Scope, ScopeSet, Timestamp,
};
use marquetry_store::api_keys;

use crate::auth::new_key;
use crate::ctx::{Ctx, Principal};
use crate::errors::store_error;
use crate::key_text;

/// What a new key shall be.
#[derive(Debug, Clone)]
pub struct KeyCreate {
    /// What its owner calls it.
    pub name: String,
    /// What it may do; none: `admin`.
    pub scopes: Option<Vec<Scope>>,
    /// When it stops working.
    pub expires_at: Option<Timestamp>,
}

/// Makes a key. Its text is answered here and never again. A key cannot make one that may do
/// more than itself.
pub async fn key_create(ctx: &Ctx, wanted: KeyCreate) -> Result<(ApiKey, String)> {
    ctx.require(Scope::Admin)?;
    let now = ctx.now();
    let scopes = wanted.scopes.unwrap_or_else(|| vec![Scope::Admin]);
    let faults = key_faults(ctx, Some(&wanted.name), Some(&scopes), wanted.expires_at);
    if !faults.is_empty() {
        return Err(Error::Invalid(faults));
    }
    let scopes = ScopeSet::new(scopes);
    let text = key_text::generate();
    let mut key = new_key(wanted.name.trim(), &text, scopes, wanted.expires_at, now);
    let mut tx = ctx.write().await?;
    let hash = key_text::hash(&text);
    key.id = api_keys::insert(&mut tx, &key, &hash)
        .await
        .map_err(store_error)?;
    ctx.commit(tx, key.id.get()).await?;
    Ok((key, text))
}

/// What is wrong with the fields of a new key that are known, each by itself.
pub fn key_faults(
    ctx: &Ctx,
    name: Option<&str>,
    scopes: Option<&[Scope]>,
    expires_at: Option<Timestamp>,
) -> Vec<FieldError> {
    let mut faults = Vec::new();
    if name.is_some_and(|name| name.trim().is_empty() || name.chars().count() > 100) {
        faults.push(FieldError::body("name", "must have 1 to 100 characters"));
    }
    if scopes.is_some_and(<[Scope]>::is_empty) {
        faults.push(FieldError::body("scopes", "must name at least one scope"));
    }
    if let (Principal::Key { scopes: own, .. }, Some(scopes)) = (&ctx.principal, scopes)
        && !own.covers(&ScopeSet::new(scopes.to_vec()))
        && !own.allows(Scope::Admin)
    {
        faults.push(FieldError::body(
            "scopes",
            "must not exceed the scopes of the key that asks",
        ));
    }
    if expires_at.is_some_and(|end| end <= ctx.now()) {
        faults.push(FieldError::body("expires_date", "must lie in the future"));
    }
    faults
}

/// The keys that are not revoked.
pub async fn key_list(ctx: &Ctx, page: &PageRequest) -> Result<Page<ApiKey>> {
    ctx.require(Scope::Admin)?;
    let mut tx = ctx.read().await?;
    api_keys::list(&mut tx, page).await.map_err(store_error)
}

/// Takes a key's power away, at once on this node and within two seconds on others.
pub async fn key_revoke(ctx: &Ctx, id: ApiKeyId) -> Result<ApiKey> {
    ctx.require(Scope::Admin)?;
    let mut tx = ctx.write().await?;
    let revoked = api_keys::revoke(&mut tx, id, ctx.now())
        .await
        .map_err(store_error)?;
    if !revoked {
        return Err(Error::not_found(ApiKeyId::KIND, id));
    }
    let key = api_keys::get(&mut tx, id).await.map_err(store_error)?;
    tx.commit().await.map_err(store_error)?;
    ctx.app.keys.clear();
    Ok(key)
}

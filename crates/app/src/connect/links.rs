//! Links: made by who may write credentials, opened by who has them.

use std::time::Duration;

use marquetry_model::{ConnectLink, Error, Result, Scope, Timestamp};
use marquetry_store::{connect_attempts, connect_links};

use super::{hash, new_secret};
use crate::connections::all_values;
use crate::connections::credentials::{Owner, ground, locate, missing_provision};
use crate::ctx::Ctx;
use crate::errors::store_error;

/// How long the way of somebody who is there now is open.
const AT_ONCE: Duration = Duration::from_secs(15 * 60);
/// The longest life of a customer link that shall end, in seconds: ten years.
const LONGEST_S: i64 = 10 * 365 * 86_400;

/// A link that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLink {
    /// What stands behind `/link/`. It is told once.
    pub token: String,
    /// When it stops working; none: when it is revoked.
    pub expires_at: Option<Timestamp>,
}

/// Makes a link: for at once, or to be sent to a customer.
///
/// # Errors
///
/// The connector is not provisioned yet, so that nobody could connect it.
pub async fn link_create(
    ctx: &Ctx,
    owner: Owner,
    connector: &str,
    customer: bool,
    expires_in_s: Option<i64>,
) -> Result<NewLink> {
    ctx.require(Scope::Credentials)?;
    if expires_in_s.is_some_and(|it| !(1..=LONGEST_S).contains(&it)) {
        let message = format!("must be from 1 to {LONGEST_S} seconds");
        return Err(Error::invalid("expires_in", message));
    }
    let mut tx = ctx.read().await?;
    let of = locate(&mut tx, owner, connector).await?;
    drop(tx);
    let ground = ground(ctx, of).await?;
    let values = all_values(&ground.definition, &ground.provisioned, &ground.former);
    missing_provision(&ground, &values)?;
    let now = ctx.now();
    let asked = expires_in_s
        .and_then(|it| u64::try_from(it).ok())
        .map(Duration::from_secs);
    let life = if customer {
        asked
    } else {
        Some(asked.unwrap_or(AT_ONCE))
    };
    let token = format!("mql_{}", new_secret());
    let link = ConnectLink {
        of: ground.of,
        once: !customer,
        created_at: now,
        expires_at: life.map(|life| now.plus(life)),
    };
    let mut tx = ctx.write().await?;
    let id = connect_links::insert(&mut tx, &hash(&token), &link).await;
    ctx.commit(tx, id.map_err(store_error)?).await?;
    Ok(NewLink {
        token,
        expires_at: link.expires_at,
    })
}

/// Revokes all links to a connection; answers how many there were.
pub async fn links_revoke(ctx: &Ctx, owner: Owner, connector: &str) -> Result<u64> {
    ctx.require(Scope::Credentials)?;
    let mut tx = ctx.write().await?;
    let of = locate(&mut tx, owner, connector).await?;
    let revoked = connect_links::delete_of(&mut tx, &of).await;
    let revoked = revoked.map_err(store_error)?;
    // What was begun by one must not end as if it had not been revoked.
    connect_attempts::delete_of(&mut tx, &of)
        .await
        .map_err(store_error)?;
    tx.commit().await.map_err(store_error)?;
    Ok(revoked)
}

/// The link of a token.
pub(super) async fn find(ctx: &Ctx, token: &str) -> Result<ConnectLink> {
    let mut tx = ctx.read().await?;
    let found = connect_links::find(&mut tx, &hash(token), ctx.now()).await;
    found
        .map_err(store_error)?
        .ok_or_else(|| Error::not_found("link", "of this address"))
}

/// Uses up a link that works once.
pub(super) async fn consume(ctx: &Ctx, token_hash: &str) -> Result<()> {
    let mut tx = ctx.write().await?;
    connect_links::delete(&mut tx, token_hash)
        .await
        .map_err(store_error)?;
    tx.commit().await.map_err(store_error)
}

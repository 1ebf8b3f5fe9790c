//! Disconnecting: the credentials are forgotten, and given back to the provider where it takes them.

use marquetry_model::{ConnectionStatus, Result, Scope};
use marquetry_store::connections::{self, Written};

use super::credentials::{Owner, locate, still_there};
use super::opened;
use super::refresh::tell;
use super::status::{ConnectorState, state_of};
use super::tokens::revoke;
use crate::ctx::Ctx;
use crate::errors::store_error;
use crate::hints::Topic;

/// Disconnects; that nothing was connected is no error. Customer links stay: the way back is the same.
pub async fn connector_disconnect(
    ctx: &Ctx,
    owner: Owner,
    connector: &str,
) -> Result<ConnectorState> {
    ctx.require(Scope::Credentials)?;
    let mut tx = ctx.read().await?;
    let of = locate(&mut tx, owner, connector).await?;
    let found = connections::find(&mut tx, &of).await.map_err(store_error)?;
    // What it is given back with is read before it is forgotten.
    let sealed = match found.filter(|it| it.sealed.is_some()) {
        Some(row) => opened::read(ctx, &mut tx, row).await.ok(),
        None => None,
    };
    drop(tx);
    let kept = match sealed {
        // What does not open is forgotten all the same.
        Some(sealed) => sealed.open(ctx).await.ok(),
        None => None,
    };
    let state = forget(ctx, &of).await?;
    if let Some(it) = kept
        && let Some(rules) = it.definition.auth.oauth2()
        && let Some(rule) = &rules.revoke
    {
        let done = revoke(
            &ctx.app.http,
            &it.definition,
            rules,
            rule,
            it.values.as_values(),
        )
        .await;
        if let Err(why) = done {
            tracing::warn!(connection = %it.connection.id, connector, %why, "a provider did not take a token back");
        }
    }
    Ok(state)
}

/// A connection without credentials.
pub(super) const NOTHING: Written<'_> = Written {
    status: ConnectionStatus::Disconnected,
    reason: None,
    sealed: None,
    issued_at: None,
    expires_at: None,
    refresh_at: None,
    check_at: None,
    checked_at: None,
    anew: false,
};

/// Wipes the credentials over whatever is written meanwhile.
async fn forget(ctx: &Ctx, of: &marquetry_model::ConnectionOf) -> Result<ConnectorState> {
    let mut tx = ctx.write().await?;
    still_there(&mut tx, of).await?;
    let now = ctx.now();
    let mut row = connections::ensure(&mut tx, of, now)
        .await
        .map_err(store_error)?;
    while row.sealed.is_some() || row.status != ConnectionStatus::Disconnected {
        connections::update(&mut tx, &row, &NOTHING, now)
            .await
            .map_err(store_error)?;
        row = connections::get(&mut tx, row.id)
            .await
            .map_err(store_error)?;
    }
    tx.commit().await.map_err(store_error)?;
    ctx.app.hints.give(Topic::Connections);
    tell(ctx, of);
    Ok(state_of(&row))
}

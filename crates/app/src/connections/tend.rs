//! Connections that are due: renewed ahead of time, and looked at whether they still work.

use std::time::Duration;

use marquetry_model::{Connection, ConnectionId, ConnectionStatus, Error, Result, Timestamp};
use marquetry_store::connections::{self, Found};

use super::check::{Verdict, check};
use super::credentials::ground_still;
use super::disconnect::NOTHING;
use super::opened::{Opened, open_by_id};
use super::refresh::{Unfit, fresh, renewed, tell};
use super::times::{CHECK_AGAIN, CHECK_EVERY, can_renew};
use crate::connectors::KIND;
use crate::ctx::Ctx;
use crate::errors::store_error;
use crate::random;

/// How long a look at whether a connection works is its node's.
const LEASE: Duration = Duration::from_secs(60);

/// What is due, and when the next will be.
#[derive(Debug)]
pub struct Due {
    /// Those that nobody tends now.
    pub connections: Vec<ConnectionId>,
    /// When the next one is due; none: none is.
    pub next: Option<Timestamp>,
}

/// Looks for what is due, at most `most`.
pub async fn connections_due(ctx: &Ctx, most: i64) -> Result<Due> {
    let mut tx = ctx.read().await?;
    let found = connections::list_due(&mut tx, ctx.now(), most).await;
    let found = found.map_err(store_error)?;
    let next = connections::find_next(&mut tx).await.map_err(store_error)?;
    Ok(Due {
        connections: found.into_iter().map(|it| it.id).collect(),
        next,
    })
}

/// Renews a connection that is due, or looks at whether it works; what it finds stands in its row, which is due
/// no more then.
pub async fn connection_tend(ctx: &Ctx, id: ConnectionId) -> Result<()> {
    let opened = match open_by_id(ctx, id).await {
        Ok(opened) => opened,
        // Its connector is not known here: forgotten, or in the files of other nodes alone.
        Err(Error::NotFound { kind: KIND, .. }) => {
            return put_off(ctx, id, Some(ctx.now().plus(CHECK_AGAIN))).await;
        }
        // Whatever keeps it from opening is told now and then, and not all the time.
        Err(error @ Error::Internal(_)) => {
            put_off(ctx, id, Some(ctx.now().plus(CHECK_AGAIN))).await?;
            return Err(error);
        }
        Err(error) => return Err(error),
    };
    let now = ctx.now();
    let row = &opened.connection;
    if row.sealed.is_none() || row.status != ConnectionStatus::Connected {
        return put_off(ctx, id, None).await;
    }
    // An older node archived its tenant, or its connector was taken out of the integration: nobody could disconnect it.
    if let Err(Error::NotFound { .. } | Error::Invalid(_)) = ground_still(ctx, row.of.clone()).await
    {
        return forget(ctx, row).await;
    }
    if is_past(row.refresh_at, now) {
        return match renewed(ctx, opened).await {
            Err(Unfit::Platform(error)) => Err(error),
            // It has another definition by now, which has no tokens.
            Ok(it) if !it.definition.auth.has_tokens() => {
                put_off(ctx, id, Some(now.plus(CHECK_AGAIN))).await
            }
            // What came of it stands in the row.
            Ok(_) | Err(_) => Ok(()),
        };
    }
    if is_past(row.check_at, now) {
        return look(ctx, opened).await;
    }
    Ok(())
}

fn is_past(at: Option<Timestamp>, now: Timestamp) -> bool {
    at.is_some_and(|at| at <= now)
}

async fn look(ctx: &Ctx, opened: Opened) -> Result<()> {
    let (id, of) = (opened.connection.id, opened.connection.of.clone());
    let again = Some(ctx.now().plus(CHECK_AGAIN));
    let mut opened = match fresh(ctx, &of, Duration::from_secs(60)).await {
        Ok(opened) => opened,
        Err(Unfit::Platform(error)) => return Err(error),
        Err(Unfit::Failed { .. }) => return put_off(ctx, id, again).await,
        Err(Unfit::NotConnected(_) | Unfit::NeedsReconnect { .. }) => return Ok(()),
    };
    let renewable = can_renew(&opened.definition, &opened.own);
    if !is_refused(ctx, &opened, renewable).await? {
        return Ok(());
    }
    // A token that the system takes no more although it should be good: a new one may mend it. Where there is
    // none yet, it is asked again as after any trouble.
    opened.connection.check_at = again;
    match renewed(ctx, opened).await {
        Ok(opened) => is_refused(ctx, &opened, false).await.map(drop),
        Err(Unfit::Platform(error)) => Err(error),
        Err(_) => Ok(()),
    }
}

/// Asks the system and notes what it said. With `mendable`, that it refuses is answered instead: it does not yet
/// mean that somebody has to connect again.
async fn is_refused(ctx: &Ctx, opened: &Opened, mendable: bool) -> Result<bool> {
    let holder = random::hex(&random::bytes::<12>());
    let read = &opened.connection;
    if !take(ctx, read, &holder).await? {
        return Ok(false);
    }
    let values = opened.values.as_values();
    let verdict = check(&ctx.app.http, &opened.definition, values, ctx.now()).await;
    let refused = mendable && matches!(verdict, Verdict::Refused(_));
    if refused {
        release(ctx, read, &holder, &as_it_was(read)).await?;
    } else {
        note(ctx, read, &holder, verdict).await?;
    }
    Ok(refused)
}

/// A connection that cannot be tended now is due no more until it is looked at, by `check_at` at the latest.
async fn put_off(ctx: &Ctx, id: ConnectionId, check_at: Option<Timestamp>) -> Result<()> {
    let mut tx = ctx.read().await?;
    let row = connections::get(&mut tx, id).await.map_err(store_error)?;
    drop(tx);
    let now = ctx.now();
    let found = Found {
        refresh_at: row.refresh_at.filter(|at| *at > now),
        check_at: row
            .check_at
            .into_iter()
            .filter(|at| *at > now)
            .chain(check_at)
            .min(),
        ..as_it_was(&row)
    };
    let holder = random::hex(&random::bytes::<12>());
    if take(ctx, &row, &holder).await? {
        release(ctx, &row, &holder, &found).await?;
    }
    Ok(())
}

fn as_it_was(row: &Connection) -> Found<'_> {
    Found {
        status: row.status,
        reason: row.reason.as_deref(),
        refresh_at: row.refresh_at,
        check_at: row.check_at,
        checked_at: None,
    }
}

async fn take(ctx: &Ctx, read: &Connection, holder: &str) -> Result<bool> {
    let now = ctx.now();
    let mut tx = ctx.write().await?;
    let taken = connections::claim(&mut tx, read, holder, now, now.plus(LEASE)).await;
    let taken = taken.map_err(store_error)?;
    tx.commit().await.map_err(store_error)?;
    Ok(taken)
}

async fn note(ctx: &Ctx, read: &Connection, holder: &str, verdict: Verdict) -> Result<()> {
    let now = ctx.now();
    let again = |after| Some(now.plus(after));
    let (status, reason, check_at) = match verdict {
        Verdict::Works => (ConnectionStatus::Connected, None, again(CHECK_EVERY)),
        // Nothing is tried any more until somebody connects it again.
        Verdict::Refused(why) => (ConnectionStatus::NeedsReconnect, Some(why), None),
        // Said once it may pass; said again after an hour it counts.
        Verdict::Doubtful(why) if read.reason.as_deref() == Some(&why) => {
            (ConnectionStatus::NeedsReconnect, Some(why), None)
        }
        Verdict::Doubtful(why) | Verdict::Unknown(why) => {
            (read.status, Some(why), again(CHECK_AGAIN))
        }
    };
    let found = Found {
        status,
        reason: reason.as_deref(),
        refresh_at: read.refresh_at.filter(|_| check_at.is_some()),
        check_at,
        checked_at: Some(now),
    };
    release(ctx, read, holder, &found).await?;
    tell(ctx, &read.of);
    Ok(())
}

async fn release(ctx: &Ctx, read: &Connection, holder: &str, found: &Found<'_>) -> Result<()> {
    let mut tx = ctx.write().await?;
    // Whoever has written meanwhile counts.
    let kept = connections::release(&mut tx, read, holder, found, ctx.now()).await;
    kept.map_err(store_error)?;
    tx.commit().await.map_err(store_error)
}

/// Wipes the credentials of a connection that nobody can reach any more.
async fn forget(ctx: &Ctx, row: &Connection) -> Result<()> {
    let now = ctx.now();
    let mut tx = ctx.write().await?;
    let gone = connections::update(&mut tx, row, &NOTHING, now).await;
    gone.map_err(store_error)?;
    tx.commit().await.map_err(store_error)
}

//! Connections that are due: renewed ahead of time, and looked at whether they still work.

use std::time::Duration;

use marquetry_model::{Connection, ConnectionId, ConnectionStatus, Result, Timestamp};
use marquetry_store::connections::{self, Found};

use super::check::{Verdict, check};
use super::opened::{Opened, open_by_id};
use super::refresh::{Unfit, fresh, renewed, tell};
use super::times::{CHECK_AGAIN, CHECK_EVERY, can_renew};
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

/// Renews a connection that is due, or looks at whether it works; what it finds stands in its row.
pub async fn connection_tend(ctx: &Ctx, id: ConnectionId) -> Result<()> {
    let opened = open_by_id(ctx, id).await?;
    let now = ctx.now();
    let due = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
    if opened.connection.sealed.is_none() {
        return Ok(());
    }
    let well = opened.connection.status == ConnectionStatus::Connected;
    if due(opened.connection.refresh_at) && well {
        return match renewed(ctx, opened).await {
            Err(Unfit::Platform(error)) => Err(error),
            // What came of it stands in the row.
            Ok(_) | Err(_) => Ok(()),
        };
    }
    if due(opened.connection.check_at) || due(opened.connection.refresh_at) {
        return look(ctx, opened).await;
    }
    Ok(())
}

async fn look(ctx: &Ctx, opened: Opened) -> Result<()> {
    let opened = match opened.connection.status {
        // What the system refused once it may take again: it is asked with what is there.
        ConnectionStatus::NeedsReconnect | ConnectionStatus::Disconnected => opened,
        ConnectionStatus::Connected => {
            let of = opened.connection.of.clone();
            match fresh(ctx, &of, Duration::from_secs(60)).await {
                Ok(opened) => opened,
                Err(Unfit::Platform(error)) => return Err(error),
                // What came of it stands in the row, and when it is due again.
                Err(_) => return Ok(()),
            }
        }
    };
    let holder = random::hex(&random::bytes::<12>());
    if !take(ctx, &opened.connection, &holder).await? {
        return Ok(());
    }
    let values = opened.values.as_values();
    let verdict = if opened.definition.check.is_some() {
        Some(check(&ctx.app.http, &opened.definition, values, ctx.now()).await)
    } else {
        // It had a check when it was connected.
        None
    };
    let refused = matches!(verdict, Some(Verdict::Refused(_)));
    note(ctx, &opened.connection, &holder, verdict).await?;
    // A token that the system takes no more although it should be good: a new one may mend it.
    if refused && can_renew(&opened.definition, &opened.own) {
        return again(ctx, opened).await;
    }
    Ok(())
}

async fn again(ctx: &Ctx, refused: Opened) -> Result<()> {
    let mut opened = open_by_id(ctx, refused.connection.id).await?;
    opened.connection.status = ConnectionStatus::Connected;
    match renewed(ctx, opened).await {
        Err(Unfit::Platform(error)) => Err(error),
        Ok(_) | Err(_) => Ok(()),
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

async fn note(ctx: &Ctx, read: &Connection, holder: &str, verdict: Option<Verdict>) -> Result<()> {
    let now = ctx.now();
    let (status, reason, again) = match verdict {
        Some(Verdict::Works) => (ConnectionStatus::Connected, None, Some(CHECK_EVERY)),
        Some(Verdict::Refused(why)) => (
            ConnectionStatus::NeedsReconnect,
            Some(why),
            Some(CHECK_EVERY),
        ),
        Some(Verdict::Unknown(why)) => (read.status, Some(why), Some(CHECK_AGAIN)),
        None => (read.status, read.reason.clone(), None),
    };
    let found = Found {
        status,
        reason: reason.as_deref(),
        // Somebody has to connect it: to renew it until then would come to nothing, again and again.
        refresh_at: read
            .refresh_at
            .filter(|_| status == ConnectionStatus::Connected),
        check_at: again.map(|again| now.plus(again)),
        checked_at: Some(now),
    };
    let mut tx = ctx.write().await?;
    let kept = connections::release(&mut tx, read, holder, &found, now).await;
    kept.map_err(store_error)?;
    tx.commit().await.map_err(store_error)?;
    tell(ctx, &read.of);
    Ok(())
}

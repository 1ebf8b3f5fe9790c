//! Fresh credentials: one renewal at a time for each connection, over all nodes, by a lease in its row that is
//! never a lock while the provider is asked.

use std::time::Duration;

use marquetry_connector::{Definition, Grant, TokenError, TokenFault, Tokens};
use marquetry_model::{
    Connection, ConnectionId, ConnectionOf, ConnectionStatus, Error, Result, Timestamp,
};
use marquetry_store::connections::{self, Found, Written};
use tokio::time::{Instant, sleep};

use super::opened::{KEY, Opened, open, open_by_id, place};
use super::secret_values::SecretValues;
use super::times::{AFTER_FAILURE, Got, is_due, take_over};
use super::tokens::{Asked, ask};
use crate::ctx::Ctx;
use crate::errors::store_error;
use crate::hints::Topic;
use crate::random;
use crate::to_the_end::to_the_end;
use crate::vault::data_key;

/// How often a provider is asked that does not answer well.
const TRIES: u32 = 3;
/// After the first of them; then twice as long.
const PAUSE: Duration = Duration::from_millis(400);
/// How long a renewal is its node's: three tries of fifteen seconds, and writing.
const LEASE: Duration = Duration::from_secs(90);
/// How long somebody waits for another one's renewal.
const PATIENCE: Duration = Duration::from_secs(100);
/// A token that is good for longer is used when there is no other.
const STILL_GOOD: Duration = Duration::from_secs(30);
/// How long a write is tried: a token that was got and is not kept is lost.
const WRITE_TRIES: u32 = 8;

/// Why there are no fresh credentials.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unfit {
    /// There are none at all.
    #[error("connector {0} is not connected")]
    NotConnected(String),
    /// Somebody has to connect anew.
    #[error("connector {connector} needs to be reconnected: {reason}")]
    NeedsReconnect { connector: String, reason: String },
    /// It may work later, or when the provisioning is mended.
    #[error("the credentials of connector {connector} could not be refreshed: {reason}")]
    Failed { connector: String, reason: String },
    /// The platform's own fault.
    #[error(transparent)]
    Platform(#[from] Error),
}

/// The connection of somebody with credentials that are good for as long as `wanted`.
pub(crate) async fn fresh(ctx: &Ctx, of: &ConnectionOf, wanted: Duration) -> Result<Opened, Unfit> {
    let found = match open(ctx, of).await {
        Ok(found) => found,
        Err(Error::NotFound {
            kind: ConnectionId::KIND,
            ..
        }) => {
            return Err(Unfit::NotConnected(of.connector.clone()));
        }
        Err(error) => return Err(error.into()),
    };
    freshen(ctx, found, |it, now| is_due(it, wanted, now)).await
}

/// The same with new credentials, whatever the old ones say of themselves: the system did not take them.
pub(crate) async fn renewed(ctx: &Ctx, refused: Opened) -> Result<Opened, Unfit> {
    let version = refused.connection.version;
    freshen(ctx, refused, |it, _| it.connection.version == version).await
}

async fn freshen(
    ctx: &Ctx,
    mut found: Opened,
    due: impl Fn(&Opened, Timestamp) -> bool,
) -> Result<Opened, Unfit> {
    let began = Instant::now();
    let mut pause = Duration::from_millis(20);
    let first = (found.connection.version, found.connection.refresh_at);
    loop {
        standing(&found.connection)?;
        let now = ctx.now();
        if !found.definition.auth.has_tokens() || !due(&found, now) {
            return Ok(found);
        }
        // The one who was waited for has just asked in vain; all who waited would ask one after the other.
        if found.connection.version == first.0 && found.connection.refresh_at != first.1 {
            let reason = found.connection.reason.clone().unwrap_or_default();
            return in_vain(found, &reason, now);
        }
        let holder = random::hex(&random::bytes::<12>());
        if claim(ctx, &found.connection, &holder, now).await? {
            let ctx = ctx.clone();
            let renewal = async move { renew(&ctx, found, &holder).await };
            return to_the_end(renewal).await?;
        }
        if began.elapsed() > PATIENCE {
            return Err(failed(&found.connection, "another renewal did not end"));
        }
        sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(250));
        found = open_by_id(ctx, found.connection.id).await?;
    }
}

/// Whether a connection can be used at all.
fn standing(connection: &Connection) -> Result<(), Unfit> {
    let connector = connection.of.connector.clone();
    match connection.status {
        ConnectionStatus::Connected if connection.sealed.is_some() => Ok(()),
        ConnectionStatus::Connected | ConnectionStatus::Disconnected => {
            Err(Unfit::NotConnected(connector))
        }
        ConnectionStatus::NeedsReconnect => Err(Unfit::NeedsReconnect {
            connector,
            reason: connection.reason.clone().unwrap_or_default(),
        }),
    }
}

fn failed(connection: &Connection, reason: &str) -> Unfit {
    Unfit::Failed {
        connector: connection.of.connector.clone(),
        reason: reason.to_owned(),
    }
}

async fn claim(ctx: &Ctx, read: &Connection, holder: &str, now: Timestamp) -> Result<bool> {
    let mut tx = ctx.write().await?;
    let claimed = connections::claim(&mut tx, read, holder, now, now.plus(LEASE)).await;
    let claimed = claimed.map_err(store_error)?;
    tx.commit().await.map_err(store_error)?;
    Ok(claimed)
}

/// Renews a connection whose lease is held.
async fn renew(ctx: &Ctx, found: Opened, holder: &str) -> Result<Opened, Unfit> {
    match ask_often(ctx, &found).await {
        Ok(tokens) => {
            let got = take_over(&found.definition, found.own.clone(), tokens, ctx.now());
            keep(ctx, &found.connection, &got).await?;
            as_it_is(ctx, found.connection.id).await
        }
        Err(fault) => give_up(ctx, found, holder, fault).await,
    }
}

/// The connection after a renewal. Somebody may have connected it anew meanwhile, or disconnected it: that counts.
async fn as_it_is(ctx: &Ctx, id: ConnectionId) -> Result<Opened, Unfit> {
    let opened = open_by_id(ctx, id).await?;
    standing(&opened.connection)?;
    Ok(opened)
}

/// Asks until the provider says something that counts.
async fn ask_often(ctx: &Ctx, found: &Opened) -> Result<Tokens, TokenFault> {
    let mut values = found.values.clone();
    let mut pause = PAUSE;
    let mut tries = 1;
    loop {
        let http = &ctx.app.http;
        let asked = ask(
            http,
            &found.definition,
            values.as_values(),
            Asked::Kept,
            ctx.now(),
        )
        .await;
        match asked {
            Err(fault) if fault.error == TokenError::Later && tries < TRIES => {
                tracing::debug!(connector = found.definition.name, %fault, "a provider is asked again");
                sleep(pause).await;
                pause *= 2;
                tries += 1;
            }
            // The login is kept, too, and may get what the refresh token no longer does.
            Err(fault)
                if fault.error == TokenError::Grant && has_login(&found.definition, &values) =>
            {
                values = values.only(|name| name != "refresh_token");
            }
            done => return done,
        }
    }
}

fn has_login(definition: &Definition, values: &SecretValues) -> bool {
    let grant = definition.auth.oauth2().map(|it| it.grant);
    grant == Some(Grant::Password) && values.get("refresh_token").is_some()
}

/// Keeps tokens that were got, whatever the database does meanwhile: the provider takes the old ones no more.
async fn keep(ctx: &Ctx, read: &Connection, got: &Got) -> Result<()> {
    let mut pause = Duration::from_millis(100);
    for tries in 1.. {
        match write(ctx, read, got).await {
            Err(error) if tries < WRITE_TRIES => {
                tracing::warn!(connection = %read.id, error = &error as &dyn std::error::Error, "new credentials could not be kept yet");
                sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(5));
            }
            done => return done,
        }
    }
    Ok(())
}

async fn write(ctx: &Ctx, read: &Connection, got: &Got) -> Result<()> {
    let key = data_key(ctx, KEY).await?;
    let sealed = got.own.seal(&key, place(read.id))?;
    let written = Written {
        status: ConnectionStatus::Connected,
        reason: None,
        sealed: Some(&sealed),
        issued_at: Some(got.issued_at),
        expires_at: got.expires_at,
        refresh_at: got.refresh_at,
        check_at: read.check_at,
        checked_at: Some(got.issued_at),
        anew: false,
    };
    let mut tx = ctx.write().await?;
    let kept = connections::update(&mut tx, read, &written, ctx.now()).await;
    if !kept.map_err(store_error)? {
        // Somebody connected or disconnected it meanwhile: that counts.
        tracing::info!(connection = %read.id, "a renewal came too late");
    }
    tx.commit().await.map_err(store_error)?;
    ctx.app.hints.give(Topic::Connections);
    Ok(())
}

/// Notes a failure. A token that is still good goes on being used.
async fn give_up(
    ctx: &Ctx,
    found: Opened,
    holder: &str,
    fault: TokenFault,
) -> Result<Opened, Unfit> {
    let now = ctx.now();
    let connection = &found.connection;
    let dead = fault.error == TokenError::Grant;
    let noted = Found {
        status: if dead {
            ConnectionStatus::NeedsReconnect
        } else {
            ConnectionStatus::Connected
        },
        reason: Some(&fault.message),
        refresh_at: (!dead).then(|| now.plus(AFTER_FAILURE)),
        // A look that is due would only ask for a token again.
        check_at: connection
            .check_at
            .filter(|_| !dead)
            .map(|at| at.max(now.plus(AFTER_FAILURE))),
        checked_at: Some(now),
    };
    let mut tx = ctx.write().await?;
    let kept = connections::release(&mut tx, connection, holder, &noted, now).await;
    let kept = kept.map_err(store_error)?;
    tx.commit().await.map_err(store_error)?;
    ctx.app.hints.give(Topic::Connections);
    tell(ctx, &connection.of);
    if !kept {
        let other = as_it_is(ctx, connection.id).await?;
        if other.connection.version == connection.version {
            return Err(failed(
                connection,
                "another renewal took its place; try again",
            ));
        }
        return Ok(other);
    }
    tracing::warn!(connection = %connection.id, connector = connection.of.connector, reason = fault.message, "credentials could not be refreshed");
    if dead {
        return Err(Unfit::NeedsReconnect {
            connector: connection.of.connector.clone(),
            reason: fault.message,
        });
    }
    in_vain(found, &fault.message, now)
}

/// What a renewal that failed leaves: the token that is there, while it is good.
fn in_vain(found: Opened, reason: &str, now: Timestamp) -> Result<Opened, Unfit> {
    match found.connection.expires_at {
        Some(end) if end.since(now) > STILL_GOOD => Ok(found),
        _ => Err(failed(&found.connection, reason)),
    }
}

/// Whoever watches the tenant may want to know.
pub(super) fn tell(ctx: &Ctx, of: &ConnectionOf) {
    if let Some(tenant) = of.tenant_id {
        ctx.app.hints.give(Topic::Tenant(tenant));
    }
}

//! What a consent needs to go on, sealed in its row.

use std::collections::BTreeMap;
use std::time::Duration;

use marquetry_model::{ConnectAttempt, ConnectionOf, Error, Result};
use marquetry_store::connect_attempts::{self, Hashes};
use marquetry_vault::{Place, Zeroizing};
use serde::{Deserialize, Serialize};

use super::{hash, new_secret};
use crate::connections::SecretValues;
use crate::ctx::Ctx;
use crate::errors::store_error;
use crate::vault::data_key;

/// The kind of its data key.
const KEY: &str = "connect_attempts";
/// How long somebody may take at the provider.
pub(super) const LIFE: Duration = Duration::from_secs(15 * 60);

/// What is kept; written only to be sealed.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Kept {
    /// What the tenant entered, or, with a choice, all that is known by then.
    #[serde(with = "crate::connections::sealing")]
    pub(super) values: SecretValues,
    /// The proof of possession.
    pub(super) verifier: Option<String>,
    /// Where the provider sends the browser.
    pub(super) redirect_uri: String,
    /// The hash of a link that works once.
    pub(super) link: Option<String>,
    /// What can be chosen: the values of each.
    pub(super) choices: Vec<BTreeMap<String, String>>,
    /// How long the token is good, in seconds, as the provider said it.
    pub(super) lifetime_s: Option<i64>,
    /// The code of a device, and how often to ask for it.
    pub(super) device: Option<Device>,
}

/// A consent on another device.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Device {
    pub(super) code: String,
    pub(super) user_code: String,
    pub(super) verification_url: String,
    pub(super) interval_s: i64,
}

/// Makes an attempt; answers the state that goes through the provider.
pub(super) async fn begin(
    ctx: &Ctx,
    of: &ConnectionOf,
    browser: &str,
    kept: &Kept,
) -> Result<String> {
    let state = new_secret();
    let key = data_key(ctx, KEY).await?;
    let plain = Zeroizing::new(serde_json::to_vec(kept).map_err(Error::internal)?);
    let (state_hash, browser_hash) = (hash(&state), hash(browser));
    let now = ctx.now();
    let mut tx = ctx.write().await?;
    let hashes = Hashes {
        state: &state_hash,
        browser: &browser_hash,
    };
    let id = connect_attempts::insert(&mut tx, of, hashes, now, now.plus(LIFE)).await;
    let id = id.map_err(store_error)?;
    let sealed = key.seal(place(id), &plain)?;
    let done = connect_attempts::update_sealed(&mut tx, id, &sealed).await;
    done.map_err(store_error)?;
    tx.commit().await.map_err(store_error)?;
    Ok(state)
}

/// Consumes the attempt of a state: a second use finds nothing.
pub(super) async fn take(ctx: &Ctx, state: &str, browser: &str) -> Result<(ConnectionOf, Kept)> {
    let mut tx = ctx.write().await?;
    let found = connect_attempts::take(&mut tx, &hash(state), ctx.now()).await;
    let found = found.map_err(store_error)?;
    tx.commit().await.map_err(store_error)?;
    open(ctx, found, browser).await
}

/// Looks at the attempt of a state, which stays.
pub(super) async fn peek(ctx: &Ctx, state: &str, browser: &str) -> Result<(ConnectionOf, Kept)> {
    let mut tx = ctx.read().await?;
    let found = connect_attempts::find(&mut tx, &hash(state), ctx.now()).await;
    let found = found.map_err(store_error)?;
    drop(tx);
    open(ctx, found, browser).await
}

/// Keeps something else of an attempt that goes on.
pub(super) async fn keep(ctx: &Ctx, state: &str, kept: &Kept) -> Result<()> {
    let key = data_key(ctx, KEY).await?;
    let plain = Zeroizing::new(serde_json::to_vec(kept).map_err(Error::internal)?);
    let mut tx = ctx.write().await?;
    let found = connect_attempts::find(&mut tx, &hash(state), ctx.now()).await;
    if let Some(found) = found.map_err(store_error)? {
        let sealed = key.seal(place(found.id), &plain)?;
        let done = connect_attempts::update_sealed(&mut tx, found.id, &sealed).await;
        done.map_err(store_error)?;
    }
    tx.commit().await.map_err(store_error)
}

async fn open(
    ctx: &Ctx,
    found: Option<ConnectAttempt>,
    browser: &str,
) -> Result<(ConnectionOf, Kept)> {
    let found = found.ok_or_else(|| Error::conflict(
        "unknown_state",
        "this consent was used already, or was begun more than 15 minutes ago; open the link again",
    ))?;
    // Another browser has not begun it: somebody may have been sent the address of a consent that is not his.
    if found.browser_hash != hash(browser) {
        return Err(Error::conflict(
            "other_browser",
            "this consent was begun in another browser; open the link again in this one, and allow cookies",
        ));
    }
    let key = data_key(ctx, KEY).await?;
    let plain = key.open(place(found.id), &found.sealed)?;
    let kept = serde_json::from_slice(&plain);
    let kept =
        kept.map_err(|_| Error::internal(format!("connect attempt {} is damaged", found.id)))?;
    Ok((found.of, kept))
}

fn place(row: i64) -> Place<'static> {
    Place {
        table: "connect_attempts",
        column: "sealed",
        row,
    }
}

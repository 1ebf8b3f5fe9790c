//! From the text of a key to the one who asks.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use marquetry_model::{ApiKey, ApiKeyId, Error, Result, Scope, ScopeSet, Timestamp};
use marquetry_store::api_keys;

use crate::ctx::{Ctx, Principal};
use crate::errors::store_error;
use crate::{App, key_text};

/// How long a key is trusted without a look at the database: as long as another node's
/// revocation takes to be noticed here.
const TRUSTED: Duration = Duration::from_secs(2);
/// The last use is written at most this often.
const TOUCHED: Duration = Duration::from_secs(60);
/// A key that the operator gives has at least so many characters.
const SHORTEST: usize = 8;
/// More live keys than this are not remembered.
const REMEMBERED: usize = 10_000;

/// Keys that were looked up lately.
#[derive(Debug, Default)]
pub(crate) struct KeyCache(Mutex<HashMap<[u8; 32], Remembered>>);

#[derive(Debug, Clone)]
struct Remembered {
    key: Arc<ApiKey>,
    looked_up: Timestamp,
    touched: Option<Timestamp>,
}

impl KeyCache {
    /// Forgets everything, because a key was revoked.
    pub(crate) fn clear(&self) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    fn find(&self, hash: &[u8; 32], now: Timestamp) -> Option<Remembered> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known.get(hash)?;
        let fresh = now >= found.looked_up && now.since(found.looked_up) < TRUSTED;
        fresh.then(|| found.clone())
    }

    fn remember(&self, hash: [u8; 32], remembered: Remembered) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(hash, remembered);
    }
}

/// Who asks with this key. Answers [`Error::Unauthenticated`] for a wrong, expired or revoked one.
pub async fn authenticate(app: &Arc<App>, text: &str) -> Result<Ctx> {
    if !key_text::is_plausible(text) {
        return Err(Error::Unauthenticated);
    }
    let hash = key_text::hash(text);
    let now = app.now();
    let found = match app.keys.find(&hash, now) {
        Some(found) => found,
        None => look_up(app, hash, now).await?,
    };
    if !found.key.is_live(now) {
        return Err(Error::Unauthenticated);
    }
    if found.touched.is_none_or(|at| now.since(at) >= TOUCHED) {
        // Not knowing when a key was used last is no reason to refuse it.
        if let Err(error) = touch(app, hash, &found, now).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the last use of a key was not noted"
            );
        }
    }
    let principal = Principal::Key {
        id: found.key.id,
        scopes: found.key.scopes.clone(),
    };
    Ok(Ctx {
        app: Arc::clone(app),
        principal,
        intent: None,
    })
}

async fn look_up(app: &App, hash: [u8; 32], now: Timestamp) -> Result<Remembered> {
    let mut tx = app.store.read().await.map_err(store_error)?;
    let key = api_keys::find_by_hash(&mut tx, &hash)
        .await
        .map_err(store_error)?;
    let key = Arc::new(key.ok_or(Error::Unauthenticated)?);
    let found = Remembered {
        touched: key.last_used_at,
        key,
        looked_up: now,
    };
    app.keys.remember(hash, found.clone());
    Ok(found)
}

async fn touch(app: &App, hash: [u8; 32], found: &Remembered, now: Timestamp) -> Result<()> {
    // Remembered first: many requests at once write it once.
    app.keys.remember(
        hash,
        Remembered {
            touched: Some(now),
            ..found.clone()
        },
    );
    let mut tx = app.store.write().await.map_err(store_error)?;
    api_keys::touch(&mut tx, found.key.id, now, now.minus(TOUCHED))
        .await
        .map_err(store_error)?;
    tx.commit().await.map_err(store_error)
}

/// Makes the first owner key when there is no key at all; answers its text, or nothing when keys
/// exist. With `given`, that text is the key, also on a storage that has others.
pub async fn bootstrap_key(app: &App, given: Option<&str>) -> Result<Option<String>> {
    if given.is_some_and(|text| text.len() < SHORTEST) {
        let message =
            format!("must have at least {SHORTEST} characters; a random one of 40 is better");
        return Err(Error::invalid("bootstrap_api_key", message));
    }
    let now = app.now();
    let mut tx = app.store.write().await.map_err(store_error)?;
    let text = match given {
        Some(text) => {
            let known = api_keys::find_by_hash(&mut tx, &key_text::hash(text)).await;
            if known.map_err(store_error)?.is_some() {
                return Ok(None);
            }
            text.to_owned()
        }
        None if api_keys::count(&mut tx).await.map_err(store_error)? > 0 => return Ok(None),
        None => key_text::generate(),
    };
    let key = new_key("owner", &text, ScopeSet::new(vec![Scope::Admin]), None, now);
    api_keys::insert(&mut tx, &key, &key_text::hash(&text))
        .await
        .map_err(store_error)?;
    tx.commit().await.map_err(store_error)?;
    Ok(Some(text))
}

pub(crate) fn new_key(
    name: &str,
    text: &str,
    scopes: ScopeSet,
    expires_at: Option<Timestamp>,
    now: Timestamp,
) -> ApiKey {
    ApiKey {
        id: ApiKeyId::new(0),
        name: name.to_owned(),
        prefix: key_text::prefix(text),
        scopes,
        created_at: now,
        expires_at,
        last_used_at: None,
        revoked_at: None,
    }
}

//! Requests that a caller may repeat without doing their work twice: `Idempotency-Key`.
//!
//! The transaction that does the work also writes the row of the key, so the two are there
//! together or not at all. What is being done at the moment is known to this node alone: another
//! node's request waits at the row of the first one.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use marquetry_model::{ApiKeyId, Error, FieldError, Loc, Result, Timestamp};
use marquetry_store::idempotency::{self, Answer, KeyOf};
use marquetry_store::{ReadTx, WriteTx};
use marquetry_vault::Place;

use crate::App;
use crate::ctx::{Ctx, Principal};
use crate::errors::store_error;
use crate::vault::data_key;

/// How long a key is remembered.
const KEPT: Duration = Duration::from_hours(24);
/// The kind of the data key that answers with secrets are sealed with.
const KIND: &str = "idempotency_keys";
/// The longest key, in characters.
pub const LONGEST: usize = 255;

/// What this node is doing under keys at the moment.
#[derive(Debug, Default)]
pub(crate) struct Running(Mutex<HashSet<(ApiKeyId, String)>>);

/// What a use case writes along with its work.
#[derive(Debug)]
pub(crate) struct Intent {
    api_key: ApiKeyId,
    key: String,
    fingerprint: [u8; 32],
}

/// What a request did.
pub struct Done {
    /// The id of what it made or changed.
    pub effect_id: i64,
    /// Status and body of the answer; none where the server ended before it was kept.
    pub answer: Option<(u16, String)>,
}

/// How a request with a key begins.
pub enum Begun {
    /// Nobody has used the key: do it.
    New(Attempt),
    /// It was done before.
    Done(Done),
}

/// A request under way. No other one of the caller has the same key until this is dropped.
pub struct Attempt {
    /// The context to do it in: the use case's commit notes the key.
    pub ctx: Ctx,
    intent: Arc<Intent>,
}

/// The hash of what a request asks for: of all its parts, which cannot run into each other.
pub fn fingerprint(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Context::new(&SHA256);
    for part in parts {
        hash.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    let mut found = [0; 32];
    found.copy_from_slice(hash.finish().as_ref());
    found
}

/// Begins a request. A conflict while another one with the key is under way; invalid when the key
/// was used for something else.
pub async fn begin(ctx: &Ctx, key: &str, fingerprint: [u8; 32]) -> Result<Begun> {
    let Principal::Key { id, .. } = ctx.principal else {
        return Err(Error::internal("only callers with a key repeat requests"));
    };
    let intent = Arc::new(Intent {
        api_key: id,
        key: key.to_owned(),
        fingerprint,
    });
    if !ctx.app.running.take(&intent) {
        return Err(under_way());
    }
    let attempt = Attempt {
        ctx: Ctx {
            intent: Some(Arc::clone(&intent)),
            ..ctx.clone()
        },
        intent,
    };
    Ok(match attempt.done().await? {
        Some(done) => Begun::Done(done),
        None => Begun::New(attempt),
    })
}

impl Attempt {
    /// What was done under the key, here or by another node meanwhile.
    pub async fn done(&self) -> Result<Option<Done>> {
        let mut tx: ReadTx = self.ctx.read().await?;
        let found = idempotency::find(&mut tx, self.intent.of(), self.ctx.now()).await;
        drop(tx);
        let Some(found) = found.map_err(store_error)? else {
            return Ok(None);
        };
        if found.fingerprint != self.intent.fingerprint {
            return Err(Error::Invalid(vec![FieldError {
                loc: vec![
                    Loc::Name("header".into()),
                    Loc::Name("idempotency-key".into()),
                ],
                message: "was used for another request; take a new key".to_owned(),
                kind: "value_error",
                context: None,
            }]));
        }
        let answer = match found.answer {
            Some(Answer::Open { status, body }) => u16::try_from(status).ok().zip(Some(body)),
            Some(Answer::Sealed(text)) => Some(self.open(&text).await?),
            None => None,
        };
        Ok(Some(Done {
            effect_id: found.effect_id,
            answer,
        }))
    }

    /// Keeps the answer, so that a repetition gets the same one; sealed when it shows a secret.
    pub async fn answered(&self, status: u16, body: &str, is_secret: bool) -> Result<()> {
        let answer = if is_secret {
            Answer::Sealed(self.seal(status, body).await?)
        } else {
            Answer::Open {
                status: status.into(),
                body: body.to_owned(),
            }
        };
        let mut tx = self.ctx.write().await?;
        idempotency::update_answer(&mut tx, self.intent.of(), &answer)
            .await
            .map_err(store_error)?;
        tx.commit().await.map_err(store_error)
    }

    async fn seal(&self, status: u16, body: &str) -> Result<String> {
        let key = data_key(&self.ctx, KIND).await?;
        let text = format!("{status} {body}");
        key.seal(self.intent.place(), text.as_bytes())
    }

    async fn open(&self, sealed: &str) -> Result<(u16, String)> {
        let key = data_key(&self.ctx, KIND).await?;
        let plain = key.open(self.intent.place(), sealed)?;
        let text = std::str::from_utf8(&plain).ok();
        let parts = text.and_then(|text| text.split_once(' '));
        parts
            .and_then(|(status, body)| Some((status.parse().ok()?, body.to_owned())))
            .ok_or_else(|| Error::internal("a kept answer is damaged"))
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.ctx.app.running.give_back(&self.intent);
    }
}

impl Intent {
    fn of(&self) -> KeyOf<'_> {
        KeyOf {
            api_key: self.api_key,
            key: &self.key,
        }
    }

    /// Where an answer is sealed for. The row has no number, so it is known by a hash of its key.
    fn place(&self) -> Place<'static> {
        let hash = fingerprint(&[&self.api_key.get().to_be_bytes(), self.key.as_bytes()]);
        let mut row = [0; 8];
        row.copy_from_slice(&hash[..8]);
        Place {
            table: "idempotency_keys",
            column: "body",
            row: i64::from_be_bytes(row),
        }
    }

    /// Notes in the transaction of the work what it did.
    pub(crate) async fn note(&self, tx: &mut WriteTx, effect: i64, now: Timestamp) -> Result<()> {
        let until = now.plus(KEPT);
        let noted = idempotency::insert(tx, self.of(), &self.fingerprint, effect, until, now).await;
        if noted.map_err(store_error)? {
            Ok(())
        } else {
            Err(under_way())
        }
    }
}

impl Running {
    fn take(&self, intent: &Intent) -> bool {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        running.insert((intent.api_key, intent.key.clone()))
    }

    fn give_back(&self, intent: &Intent) {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        running.remove(&(intent.api_key, intent.key.clone()));
    }
}

/// Forgets keys whose time is over; answers how many.
pub async fn keys_reap(app: &App) -> Result<u64> {
    let mut tx = app.store.write().await.map_err(store_error)?;
    let gone = idempotency::delete_expired(&mut tx, app.now())
        .await
        .map_err(store_error)?;
    tx.commit().await.map_err(store_error)?;
    Ok(gone)
}

fn under_way() -> Error {
    let message = "a request with this Idempotency-Key is under way; ask again when it has ended";
    Error::conflict("idempotency_key", message)
}

//! What requests with an `Idempotency-Key` did. Rows go when they expire, by [`delete_expired`].

use marquetry_model::{ApiKeyId, Timestamp};

use crate::query::read_one;
use crate::value::{Reader, values};
use crate::{Result, Tx};

// A key whose time is over is as good as new.
const INSERT: &str = "INSERT INTO idempotency_keys
    (api_key_id, key, fingerprint, effect_id, expires_at) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (api_key_id, key) DO UPDATE SET fingerprint = excluded.fingerprint,
        effect_id = excluded.effect_id, expires_at = excluded.expires_at, status = NULL, body = NULL
    WHERE idempotency_keys.expires_at <= $6";
const FIND: &str = "SELECT fingerprint, effect_id, status, body FROM idempotency_keys
    WHERE api_key_id = $1 AND key = $2 AND expires_at > $3";
const UPDATE_ANSWER: &str = "UPDATE idempotency_keys SET status = $3, body = $4
    WHERE api_key_id = $1 AND key = $2";
const DELETE_EXPIRED: &str = "DELETE FROM idempotency_keys WHERE expires_at <= $1";

/// A key of a caller.
#[derive(Debug, Clone, Copy)]
pub struct KeyOf<'a> {
    /// Whose.
    pub api_key: ApiKeyId,
    /// The text that the caller chose.
    pub key: &'a str,
}

/// What a request did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// The hash of what was asked.
    pub fingerprint: Vec<u8>,
    /// The id of what it made or changed.
    pub effect_id: i64,
    /// What was answered, once known.
    pub answer: Option<Answer>,
}

/// An answer as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// In clear.
    Open {
        /// Its status.
        status: i64,
        /// Its body.
        body: String,
    },
    /// Status and body together, sealed: it shows a secret. Who cannot open it, as a version before
    /// this one, finds no status and takes the answer for not known.
    Sealed(String),
}

/// Notes what is being done; answers whether the key was free.
pub async fn insert(
    tx: &mut Tx,
    of: KeyOf<'_>,
    fingerprint: &[u8],
    effect_id: i64,
    expires_at: Timestamp,
    now: Timestamp,
) -> Result<bool> {
    let values = values![
        of.api_key,
        of.key,
        fingerprint.to_vec(),
        effect_id,
        expires_at,
        now
    ];
    Ok(tx.execute(INSERT, &values).await? == 1)
}

/// What was done under a key whose time is not over.
pub async fn find(tx: &mut Tx, of: KeyOf<'_>, now: Timestamp) -> Result<Option<Done>> {
    let row = tx.row(FIND, &values![of.api_key, of.key, now]).await?;
    read_one(row, read)
}

/// Adds what was answered.
pub async fn update_answer(tx: &mut Tx, of: KeyOf<'_>, answer: &Answer) -> Result<()> {
    let (status, body) = match answer {
        Answer::Open { status, body } => (Some(*status), body),
        Answer::Sealed(text) => (None, text),
    };
    let values = values![of.api_key, of.key, status, body.as_str()];
    tx.execute(UPDATE_ANSWER, &values).await?;
    Ok(())
}

/// Forgets what was answered about an object, which must not be shown as it was any more: a
/// repetition is answered anew. An object of another kind with this id is, too.
pub async fn forget_answers(tx: &mut Tx, effect_id: i64) -> Result<()> {
    const SQL: &str = "UPDATE idempotency_keys SET status = NULL, body = NULL WHERE effect_id = $1";
    tx.execute(SQL, &values![effect_id]).await?;
    Ok(())
}

/// Removes those whose time is over; answers how many.
pub async fn delete_expired(tx: &mut Tx, now: Timestamp) -> Result<u64> {
    tx.execute(DELETE_EXPIRED, &values![now]).await
}

fn read(row: &mut Reader) -> Result<Done> {
    Ok(Done {
        fingerprint: row.blob()?,
        effect_id: row.i64()?,
        answer: match (row.opt_i64()?, row.opt_text()?) {
            (Some(status), Some(body)) => Some(Answer::Open { status, body }),
            (None, Some(text)) => Some(Answer::Sealed(text)),
            (_, None) => None,
        },
    })
}

//! Keys of the API: only their hashes.

use marquetry_model::{ApiKey, ApiKeyId, Page, PageRequest, Scope, ScopeSet, Timestamp};

use crate::query::{Filter, List, json, read_one};
use crate::value::{Reader, values};
use crate::{Result, Tx};

const INSERT: &str = "INSERT INTO api_keys (name, prefix, hash, scopes, created_at, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6) RETURNING id";
const FIND_BY_HASH: &str =
    "SELECT id, name, prefix, scopes, created_at, expires_at, last_used_at, revoked_at
    FROM api_keys WHERE hash = $1";
const GET: &str =
    "SELECT id, name, prefix, scopes, created_at, expires_at, last_used_at, revoked_at
    FROM api_keys WHERE id = $1";
const COUNT: &str = "SELECT COUNT(*) FROM api_keys";
const REVOKE: &str = "UPDATE api_keys SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL";
const TOUCH: &str = "UPDATE api_keys SET last_used_at = $2
    WHERE id = $1 AND (last_used_at IS NULL OR last_used_at <= $3)";
/// Its lists.
pub const LIST: List = List {
    select: "SELECT id, name, prefix, scopes, created_at, expires_at, last_used_at, revoked_at FROM api_keys",
    count: COUNT,
    sorts: &[
        ("id", "id"),
        ("name", "name"),
        ("prefix", "prefix"),
        ("created_date", "created_at"),
        ("expires_date", "expires_at"),
        ("last_used_date", "last_used_at"),
    ],
    order: "id",
};

/// Remembers a key by the hash of its text.
pub async fn insert(tx: &mut Tx, key: &ApiKey, hash: &[u8]) -> Result<ApiKeyId> {
    let scopes = json(&key.scopes.as_slice());
    let row = values![
        key.name.as_str(),
        key.prefix.as_str(),
        hash.to_vec(),
        scopes,
        key.created_at,
        key.expires_at
    ];
    let id = tx.row(INSERT, &row).await?;
    Tx::found(id, ApiKeyId::KIND, "new")?
        .reader()
        .i64()
        .map(ApiKeyId::new)
}

/// The key whose text has this hash, live or not.
pub async fn find_by_hash(tx: &mut Tx, hash: &[u8]) -> Result<Option<ApiKey>> {
    read_one(tx.row(FIND_BY_HASH, &values![hash.to_vec()]).await?, read)
}

/// One key.
pub async fn get(tx: &mut Tx, id: ApiKeyId) -> Result<ApiKey> {
    let found = read_one(tx.row(GET, &values![id]).await?, read)?;
    Tx::found(found, ApiKeyId::KIND, id)
}

/// How many there are, revoked ones too.
pub async fn count(tx: &mut Tx) -> Result<i64> {
    let row = tx.row(COUNT, &[]).await?;
    row.map_or(Ok(0), |row| row.reader().i64())
}

/// Those that are not revoked.
pub async fn list(tx: &mut Tx, request: &PageRequest) -> Result<Page<ApiKey>> {
    let mut filter = Filter::new();
    filter.when("revoked_at IS NULL");
    LIST.page(tx, filter, request, read).await
}

/// Takes its power away; answers whether it had any.
pub async fn revoke(tx: &mut Tx, id: ApiKeyId, now: Timestamp) -> Result<bool> {
    Ok(tx.execute(REVOKE, &values![id, now]).await? == 1)
}

/// Notes that it was used, unless that was noted after `before`.
pub async fn touch(tx: &mut Tx, id: ApiKeyId, now: Timestamp, before: Timestamp) -> Result<()> {
    tx.execute(TOUCH, &values![id, now, before]).await?;
    Ok(())
}

fn read(row: &mut Reader<'_>) -> Result<ApiKey> {
    Ok(ApiKey {
        id: ApiKeyId::new(row.i64()?),
        name: row.text()?,
        prefix: row.text()?,
        scopes: ScopeSet::new(row.json::<Vec<Scope>>()?),
        created_at: row.time()?,
        expires_at: row.opt_time()?,
        last_used_at: row.opt_time()?,
        revoked_at: row.opt_time()?,
    })
}

//! What was decided against running something.

use marquetry_model::{DecisionNote, TenantId, Timestamp};

use crate::query::{json, read_all};
use crate::value::{Reader, values};
use crate::{Result, Tx};

/// Decisions of one kind within so many milliseconds are one row.
const HOUR: i64 = 3_600_000;

/// Adds decisions; what was decided before about the same tenant within the hour is counted on.
pub async fn insert(tx: &mut Tx, notes: &[DecisionNote]) -> Result<()> {
    if notes.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = notes
        .iter()
        .map(|note| {
            let (first, last) = (note.first_at.as_millis(), note.last_at.as_millis());
            let hour = last.div_euclid(HOUR);
            (
                note.tenant_id.get(),
                note.kind.as_str(),
                hour,
                first,
                last,
                note.count,
            )
        })
        .collect();
    let sql = format!(
        "INSERT INTO decisions (tenant_id, kind, hour, first_at, last_at, count)
        SELECT a, b, c, d, e, f FROM {} AS n WHERE TRUE
        ON CONFLICT (tenant_id, hour, kind) DO UPDATE SET last_at = excluded.last_at,
            count = decisions.count + excluded.count",
        tx.dialect().decisions(1)
    );
    tx.execute(&sql, &values![json(&rows)]).await?;
    Ok(())
}

/// The newest decisions about a tenant, newest first.
pub async fn list(tx: &mut Tx, tenant: TenantId, most: i64) -> Result<Vec<DecisionNote>> {
    const SQL: &str = "SELECT tenant_id, kind, first_at, last_at, count FROM decisions
        WHERE tenant_id = $1 ORDER BY hour DESC, last_at DESC, kind LIMIT $2";
    read_all(tx.rows(SQL, &values![tenant, most]).await?, read)
}

/// Forgets decisions from before this time, at most `most` rows; answers how many.
pub async fn delete(tx: &mut Tx, before: Timestamp, most: i64) -> Result<u64> {
    const SQL: &str = "DELETE FROM decisions WHERE (tenant_id, hour, kind) IN (
        SELECT tenant_id, hour, kind FROM decisions WHERE hour < $1 ORDER BY hour LIMIT $2)";
    let hour = before.as_millis().div_euclid(HOUR);
    tx.execute(SQL, &values![hour, most]).await
}

fn read(row: &mut Reader<'_>) -> Result<DecisionNote> {
    Ok(DecisionNote {
        tenant_id: TenantId::new(row.i64()?),
        kind: row.word()?,
        first_at: row.time()?,
        last_at: row.time()?,
        count: row.i64()?,
    })
}

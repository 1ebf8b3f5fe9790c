//! What is kept no longer, found and removed in small steps: a step is a transaction that others
//! wait for only some milliseconds.

use marquetry_model::{ReleaseId, RunId, TenantId, Timestamp, TriggerId};

use crate::query::{json, read_all, read_one};
use crate::value::{Value, values};
use crate::{Result, Tx};

/// One step through the runs, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunsStep {
    /// Where the next step goes on; none: what follows is to be kept.
    pub next: Option<RunId>,
    /// How many were removed.
    pub deleted: u64,
}

/// Removes runs after `after` that ended before a time, with their triggers, payloads and logs; looks
/// at `most` rows. Never a tenant's last or last successful run, archived or not, a live one, or one that
/// a rerun which is kept goes back to (decisions, Engine).
pub async fn delete_runs(
    tx: &mut Tx,
    after: RunId,
    before: Timestamp,
    most: i64,
) -> Result<RunsStep> {
    let sql = format!(
        "SELECT r.id, r.tenant_id, r.created_at,
            CASE WHEN r.completed_at < $2
                AND NOT EXISTS (SELECT 1 FROM tenant_states s WHERE s.tenant_id = r.tenant_id
                    AND (s.last_run_id = r.id OR s.last_successful_run_id = r.id
                        OR s.current_run_id = r.id))
                AND NOT EXISTS (SELECT 1 FROM reruns a WHERE a.run_id = r.id)
                AND NOT EXISTS (SELECT 1 FROM reruns b WHERE b.triggers_run_id = r.id)
            THEN 1 ELSE 0 END
        FROM runs r WHERE r.id > $1 ORDER BY r.id LIMIT $3{}",
        tx.dialect().skip_locked("r")
    );
    let rows = tx.rows(&sql, &values![after, before, most]).await?;
    let seen = read_all(rows, |row| {
        Ok((row.i64()?, row.i64()?, row.time()?, row.bool()?))
    })?;
    let is_older = |(_, _, created, _): &(i64, i64, Timestamp, bool)| *created < before;
    let last = seen.last().copied();
    let old: Vec<_> = seen.into_iter().take_while(is_older).collect();
    let gone: Vec<_> = old.iter().filter(|(_, _, _, gone)| *gone).collect();
    let ids: Vec<i64> = gone.iter().map(|(id, ..)| *id).collect();
    let tenants: Vec<i64> = gone.iter().map(|(_, tenant, ..)| *tenant).collect();
    if !ids.is_empty() {
        delete_with_all(tx, &ids).await?;
        delete_configs(tx, &tenants).await?;
    }
    Ok(RunsStep {
        next: last.filter(is_older).map(|(id, ..)| RunId::new(id)),
        deleted: u64::try_from(ids.len()).unwrap_or(u64::MAX),
    })
}

async fn delete_with_all(tx: &mut Tx, ids: &[i64]) -> Result<()> {
    let runs = tx.dialect().id_list(1);
    for sql in [
        format!(
            "DELETE FROM reruns WHERE trigger_id IN
                (SELECT t.id FROM triggers t WHERE t.run_id IN {runs})"
        ),
        format!("DELETE FROM triggers WHERE run_id IN {runs}"),
        format!("DELETE FROM run_logs WHERE run_id IN {runs}"),
        format!("DELETE FROM runs WHERE id IN {runs}"),
    ] {
        tx.execute(&sql, &values![json(&ids)]).await?;
    }
    Ok(())
}

/// Forgets former settings that no run has, of at most `most` of the tenants with an id above `after` that have
/// any; answers the last of them.
pub async fn delete_unused_configs(
    tx: &mut Tx,
    after: TenantId,
    most: i64,
) -> Result<Option<TenantId>> {
    const PAGE: &str = "SELECT DISTINCT c.tenant_id FROM tenant_configs c
        JOIN tenants t ON t.id = c.tenant_id
        WHERE c.tenant_id > $1 AND c.version < t.configs_version ORDER BY c.tenant_id LIMIT $2";
    let ids = ids_of(tx, PAGE, &values![after, most]).await?;
    if !ids.is_empty() {
        delete_configs(tx, &ids).await?;
    }
    Ok(ids.last().copied().map(TenantId::new))
}

/// Former settings of tenants that no run of theirs had.
async fn delete_configs(tx: &mut Tx, tenants: &[i64]) -> Result<()> {
    let sql = format!(
        "DELETE FROM tenant_configs WHERE tenant_id IN {}
            AND version < (SELECT t.configs_version FROM tenants t WHERE t.id = tenant_id)
            AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.tenant_id = tenant_configs.tenant_id
                AND r.configs_version = tenant_configs.version)",
        tx.dialect().id_list(1)
    );
    tx.execute(&sql, &values![json(&tenants)]).await?;
    Ok(())
}

/// Removes triggers that were cancelled before a time, at most `most`; answers how many.
pub async fn delete_cancelled(tx: &mut Tx, before: Timestamp, most: i64) -> Result<u64> {
    const IDS: &str = "SELECT t.id FROM triggers t
        WHERE t.cancelled_at < $1 AND t.cancelled_at IS NOT NULL AND t.run_id IS NULL
        ORDER BY t.cancelled_at LIMIT $2";
    let list = tx.dialect().id_list(1);
    let reruns = format!("DELETE FROM reruns WHERE trigger_id IN {list}");
    let triggers = format!("DELETE FROM triggers WHERE id IN {list} AND run_id IS NULL");
    delete_found(tx, IDS, &values![before, most], &[reruns, triggers]).await
}

/// Finds ids and does all of this to them, first what hangs on them; answers to how many the last was
/// done.
async fn delete_found(
    tx: &mut Tx,
    find: &str,
    values: &[Value],
    statements: &[String],
) -> Result<u64> {
    let ids = ids_of(tx, find, values).await?;
    if ids.is_empty() {
        return Ok(0);
    }
    let mut count = 0;
    for sql in statements {
        count = tx.execute(sql, &values![json(&ids)]).await?;
    }
    Ok(count)
}

async fn ids_of(tx: &mut Tx, find: &str, values: &[Value]) -> Result<Vec<i64>> {
    let rows = tx.rows(find, values).await?;
    rows.iter().map(|row| row.reader().i64()).collect()
}

/// Forgets bodies and headers of webhooks from before a time, at most `most` that a run took and as many that were
/// cancelled; answers how many. Not those that a run which waits or is live is given: the one that took them, or one
/// that repeats it.
pub async fn delete_webhook_bodies(tx: &mut Tx, before: Timestamp, most: i64) -> Result<u64> {
    const CANCELLED: &str = "SELECT t.id FROM triggers t
        WHERE t.source = 'webhook' AND t.headers IS NOT NULL AND t.created_at < $1
            AND t.cancelled_at IS NOT NULL AND t.run_id IS NULL
        ORDER BY t.created_at LIMIT $2";
    const NOT_AWAITED: &str = "NOT EXISTS (SELECT 1 FROM reruns q
        JOIN triggers w ON w.id = q.trigger_id LEFT JOIN runs a ON a.id = w.run_id
        WHERE q.triggers_run_id = t.run_id AND w.cancelled_at IS NULL AND a.completed_at IS NULL)";
    let dialect = tx.dialect();
    let ids = format!(
        "SELECT t.id FROM triggers t JOIN runs r ON r.id = t.run_id
        WHERE t.source = 'webhook' AND t.headers IS NOT NULL AND t.created_at < $1
            AND r.completed_at IS NOT NULL AND {NOT_AWAITED}
        ORDER BY t.created_at LIMIT $2{}",
        dialect.skip_locked("r")
    );
    // A rerun that was asked for meanwhile is seen when its run is taken, not before.
    let forget = format!(
        "UPDATE triggers AS t SET payload = NULL, payload_blob = NULL, headers = NULL
        WHERE t.id IN {} AND {NOT_AWAITED}",
        dialect.id_list(1)
    );
    let of_runs = delete_found(tx, &ids, &values![before, most], &[forget]).await?;
    let forget = format!(
        "UPDATE triggers SET payload = NULL, payload_blob = NULL, headers = NULL WHERE id IN {}",
        dialect.id_list(1)
    );
    let cancelled = delete_found(tx, CANCELLED, &values![before, most], &[forget]).await?;
    Ok(of_runs + cancelled)
}

/// The first webhook of a run whose body is forgotten: until then it has headers.
pub async fn find_forgotten(tx: &mut Tx, run: RunId) -> Result<Option<TriggerId>> {
    const SQL: &str = "SELECT id FROM triggers
        WHERE run_id = $1 AND source = 'webhook' AND headers IS NULL ORDER BY id LIMIT 1";
    let row = tx.row(SQL, &values![run]).await?;
    read_one(row, |row| row.i64().map(TriggerId::new))
}

/// Forgets logs of builds that ended before a time, at most `most`; answers of how many builds.
pub async fn delete_build_logs(tx: &mut Tx, before: Timestamp, most: i64) -> Result<u64> {
    const IDS: &str = "SELECT b.id FROM builds b WHERE b.completed_at < $1
            AND (b.log_blob IS NOT NULL OR EXISTS (SELECT 1 FROM build_logs l WHERE l.build_id = b.id))
        ORDER BY b.id LIMIT $2";
    let list = tx.dialect().id_list(1);
    let chunks = format!("DELETE FROM build_logs WHERE build_id IN {list}");
    let blobs = format!("UPDATE builds SET log_blob = NULL WHERE id IN {list}");
    delete_found(tx, IDS, &values![before, most], &[chunks, blobs]).await
}

/// Removes output that was written by hand before a time, which stands for nothing any more, at most
/// `most`; answers how many.
pub async fn delete_outputs(tx: &mut Tx, before: Timestamp, most: i64) -> Result<u64> {
    const SQL: &str = "DELETE FROM outputs WHERE id IN (
        SELECT o.id FROM outputs o WHERE o.created_at < $1
            AND NOT EXISTS (SELECT 1 FROM tenant_states s JOIN tenants t ON t.id = s.tenant_id
                WHERE s.tenant_id = o.tenant_id AND s.output_id = o.id AND t.archived_at IS NULL)
            AND NOT EXISTS (SELECT 1 FROM runs r
                WHERE r.tenant_id = o.tenant_id AND r.given_output_id = o.id)
            AND NOT EXISTS (SELECT 1 FROM reruns a WHERE a.given_output_id = o.id)
        ORDER BY o.id LIMIT $2)";
    tx.execute(SQL, &values![before, most]).await
}

/// What keeps the artifact of release `r`: it is the default one or of the build that `Latest` means,
/// a tenant has it, or a run that is live or a rerun that waits. Nothing of what is archived does.
const USED: &str = "(EXISTS (SELECT 1 FROM integrations i
            WHERE i.id = r.integration_id AND i.archived_at IS NULL
                AND (i.default_release_id = r.id OR r.build_id = (SELECT l.build_id FROM releases l
                    WHERE l.integration_id = i.id AND l.counts_as_latest = 1
                    ORDER BY l.id DESC LIMIT 1)))
        OR EXISTS (SELECT 1 FROM tenants t
            WHERE t.integration_release_id = r.id AND t.archived_at IS NULL)
        OR r.id IN (SELECT n.release_id FROM runs n WHERE n.phase IN ('Pending', 'Running'))
        OR EXISTS (SELECT 1 FROM reruns a JOIN triggers w ON w.id = a.trigger_id
            WHERE a.release_id = r.id AND w.run_id IS NULL AND w.cancelled_at IS NULL))";

/// One step through the releases after `after` that have their artifact: notes of those that nothing
/// uses any more that it is so since `now`, and forgets it of those that something uses again. Looks at
/// `most`, and answers where the next step goes on; none: it was the last.
pub async fn update_unused(
    tx: &mut Tx,
    after: ReleaseId,
    now: Timestamp,
    most: i64,
) -> Result<Option<ReleaseId>> {
    const PAGE: &str = "SELECT id FROM releases
        WHERE id > $1 AND artifact_removed_at IS NULL ORDER BY id LIMIT $2";
    let ids = ids_of(tx, PAGE, &values![after, most]).await?;
    let sql = format!(
        "UPDATE releases AS r
        SET unused_since = CASE WHEN r.unused_since IS NULL THEN CAST($2 AS BIGINT) END
        WHERE r.id IN {} AND r.artifact_removed_at IS NULL
            AND (r.unused_since IS NOT NULL) = {USED}",
        tx.dialect().id_list(1)
    );
    if !ids.is_empty() {
        tx.execute(&sql, &values![json(&ids), now]).await?;
    }
    let is_full = i64::try_from(ids.len()).is_ok_and(|count| count == most);
    Ok(ids.last().copied().filter(|_| is_full).map(ReleaseId::new))
}

/// Gives up artifacts of releases that nothing has used since before a time, of at most `most`; answers
/// of how many. Who takes a release up ([`releases::claim`](crate::releases::claim)) comes before this
/// or finds it done: rows that another transaction has are passed over, and what uses the others is
/// asked again when nobody else can have them.
pub async fn delete_artifacts(
    tx: &mut Tx,
    before: Timestamp,
    now: Timestamp,
    most: i64,
) -> Result<u64> {
    let find = format!(
        "SELECT r.id FROM releases r WHERE r.unused_since IS NOT NULL AND r.unused_since < $1
            AND r.artifact_removed_at IS NULL ORDER BY r.unused_since, r.id LIMIT $2{}",
        tx.dialect().skip_locked("r")
    );
    let ids = ids_of(tx, &find, &values![before, most]).await?;
    if ids.is_empty() {
        return Ok(0);
    }
    let sql = format!(
        "UPDATE releases AS r SET artifact_removed_at = $2 WHERE r.id IN {} AND NOT {USED}",
        tx.dialect().id_list(1)
    );
    tx.execute(&sql, &values![json(&ids), now]).await
}

/// Which of these blobs something refers to. What was sent for a build that ended before `sent` is
/// needed no longer, nor an artifact that was given up before `given_up`: a run that was being made at
/// that moment has begun by then, or is live.
pub async fn list_referenced(
    tx: &mut Tx,
    blobs: &[String],
    sent: Timestamp,
    given_up: Timestamp,
) -> Result<Vec<Box<str>>> {
    if blobs.is_empty() {
        return Ok(Vec::new());
    }
    let wanted = tx.dialect().text_list(1);
    let sql = format!(
        "SELECT payload_blob FROM triggers WHERE payload_blob IN {wanted}
        UNION SELECT log_blob FROM runs WHERE log_blob IN {wanted}
        UNION SELECT log_blob FROM builds WHERE log_blob IN {wanted}
        UNION SELECT source_blob FROM builds WHERE source_blob IN {wanted}
            AND (completed_at IS NULL OR completed_at >= $2)
        UNION SELECT artifact FROM releases WHERE artifact IN {wanted}
            AND (artifact_removed_at IS NULL OR artifact_removed_at >= $3
                OR id IN (SELECT release_id FROM runs WHERE phase IN ('Pending', 'Running')))"
    );
    let rows = tx
        .rows(&sql, &values![json(&blobs), sent, given_up])
        .await?;
    read_all(rows, |row| row.text().map(Box::from))
}

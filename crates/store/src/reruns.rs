//! Triggers that ask to repeat a run, and how.

use marquetry_model::{Mode, ReleaseId, Rerun, Run, RunId, Source, TenantId, Timestamp, TriggerId};
use serde_json::{Map, Value as Json};

use crate::query::{json, read_all, read_one};
use crate::runs::{self, read_given};
use crate::value::{Reader, values};
use crate::{Result, Tx};

const TRIGGER: &str = "INSERT INTO triggers (tenant_id, source, mode, created_at, rerun_of)
    VALUES ($1, $2, $3, $4, $5) RETURNING id";
const INSERT: &str = "INSERT INTO reruns (trigger_id, run_id, triggers_run_id, configs,
        configs_version, is_state_given, given_last_run_id, given_successful_run_id,
        given_output_id, release_id, is_saved)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
const FIND: &str = "SELECT run_id, triggers_run_id, configs, configs_version, release_id, is_saved,
        is_state_given, given_last_run_id, given_successful_run_id, given_output_id
    FROM reruns WHERE trigger_id = $1";

/// A run that is to be repeated: neither it nor what its webhooks brought is removed before the end of
/// the transaction. Not found when somebody has just removed it.
pub async fn lock_run(tx: &mut Tx, id: RunId) -> Result<Run> {
    let sql = format!(
        "{} WHERE id = $1{}",
        runs::SELECT,
        tx.dialect().for_key_share()
    );
    let found = read_one(tx.row(&sql, &values![id]).await?, runs::read)?;
    Tx::found(found, RunId::KIND, id)
}

/// Adds a trigger that waits, and what it asks for.
pub async fn insert(
    tx: &mut Tx,
    tenant: TenantId,
    mode: Mode,
    rerun: &Rerun,
    now: Timestamp,
) -> Result<TriggerId> {
    let row = values![
        tenant,
        Source::Manual.as_str(),
        mode.as_str(),
        now,
        rerun.run_id
    ];
    let row = tx.row(TRIGGER, &row).await?;
    let id = Tx::found(row, TriggerId::KIND, "new")?.reader().i64()?;
    let given = rerun.given.unwrap_or_default();
    let row = values![
        id,
        rerun.run_id,
        rerun.triggers_run_id,
        rerun.configs.as_ref().map(json),
        rerun.configs_version,
        rerun.given.is_some(),
        given.last_run_id,
        given.last_successful_run_id,
        given.output_id,
        rerun.release_id,
        rerun.is_saved
    ];
    tx.execute(INSERT, &row).await?;
    Ok(TriggerId::new(id))
}

/// What a trigger asks for, if it asks to repeat a run.
pub async fn find(tx: &mut Tx, trigger: TriggerId) -> Result<Option<Rerun>> {
    read_one(tx.row(FIND, &values![trigger]).await?, read)
}

/// Triggers of a tenant that ask for settings that were written by hand, with these.
pub async fn list_by_hand(
    tx: &mut Tx,
    tenant: TenantId,
) -> Result<Vec<(TriggerId, Map<String, Json>)>> {
    const SQL: &str = "SELECT q.trigger_id, q.configs FROM reruns q JOIN runs r ON r.id = q.run_id
        WHERE q.configs IS NOT NULL AND r.tenant_id = $1 ORDER BY q.trigger_id";
    let read = |row: &mut Reader| Ok((TriggerId::new(row.i64()?), row.json()?));
    read_all(tx.rows(SQL, &values![tenant]).await?, read)
}

/// Replaces the settings that a trigger asks for, of which something is to be forgotten.
pub async fn update_by_hand(
    tx: &mut Tx,
    trigger: TriggerId,
    configs: &Map<String, Json>,
) -> Result<()> {
    const SQL: &str = "UPDATE reruns SET configs = $2 WHERE trigger_id = $1";
    tx.execute(SQL, &values![trigger, json(configs)]).await?;
    Ok(())
}

fn read(row: &mut Reader<'_>) -> Result<Rerun> {
    Ok(Rerun {
        run_id: RunId::new(row.i64()?),
        triggers_run_id: RunId::new(row.i64()?),
        configs: row.opt_json::<Map<_, _>>()?,
        configs_version: row.opt_i64()?,
        release_id: row.opt_i64()?.map(ReleaseId::new),
        is_saved: row.bool()?,
        given: {
            let is_given = row.bool()?;
            Some(read_given(row)?).filter(|_| is_given)
        },
    })
}

//! Runs: claimed by lease, fenced by attempt, at most one live for a tenant by the index
//! `runs_live`.

use marquetry_model::{
    Given, IntegrationId, Mode, Outcome, OutputId, PageRequest, Phase, ReleaseId, Run, RunId,
    RunUsage, Stop, TenantId, Timestamp, TriggerId,
};

use crate::nodes::is_lost;
use crate::query::{Filter, List, Selected, json, read_all, read_one};
use crate::value::{Reader, values};
use crate::{Result, Tx};

macro_rules! columns {
    () => {
        "id, tenant_id, integration_id, release_id, mode, phase, message, exit_code, std_out, \
         attempt, node, cancel_requested, cpu_ms, max_rss_bytes, log_bytes, log_blob, created_at, \
         started_at, completed_at, rerun_of, is_saved, configs_version, given_last_run_id, \
         given_successful_run_id, given_output_id"
    };
}

/// How many columns [`read`] takes.
pub(crate) const SELECTED: usize = 25;
/// The statement whose rows [`read`] takes.
pub(crate) const SELECT: &str = concat!("SELECT ", columns!(), " FROM runs");
const INSERT: &str = concat!(
    "INSERT INTO runs (tenant_id, integration_id, release_id, mode, phase, attempt, node,
        lease_until, cancel_requested, cpu_ms, max_rss_bytes, log_bytes, created_at, started_at,
        rerun_of, is_saved, configs_version, given_last_run_id, given_successful_run_id,
        given_output_id, bundle_stop, bundle_stop_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, 0, 0, 0, $9, $10, $11, $12, $13, $14, $15, $16,
        $17, $18)
    ON CONFLICT DO NOTHING RETURNING ",
    columns!()
);
const FIND: &str = concat!("SELECT ", columns!(), " FROM runs WHERE id = $1");
const RENEW: &str =
    "UPDATE runs SET lease_until = CASE WHEN lease_until > $4 THEN lease_until ELSE $4 END
    WHERE id = $1 AND attempt = $2 AND node = $3 AND phase = 'Running'
    RETURNING cancel_requested";
const FINISH: &str = "UPDATE runs SET phase = $4, message = $5, exit_code = $6, std_out = $7,
        cpu_ms = $8, max_rss_bytes = $9, log_bytes = $10, completed_at = $11, lease_until = NULL
    WHERE id = $1 AND attempt = $2 AND node = $3 AND phase = 'Running'";
/// Its lists.
pub const LIST: List = List {
    select: SELECT,
    count: "SELECT COUNT(*) FROM runs",
    sorts: &[
        ("id", "id"),
        ("mode", "mode"),
        ("tenant_id", "tenant_id"),
        ("integration_id", "integration_id"),
        ("release_id", "release_id"),
        ("exit_code", "exit_code"),
        ("std_out", "std_out"),
        ("message", "message"),
        ("node", "node"),
        ("rerun_of", "rerun_of"),
        ("started_date", "started_at"),
        ("completed_date", "completed_at"),
    ],
    order: "id DESC",
};

/// Who has a run, and for which time: what every later write must still find.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunClaim {
    /// The run.
    pub id: RunId,
    /// The fence.
    pub attempt: i64,
    /// The node.
    pub node: String,
}

/// A run to be made.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// For whom.
    pub tenant_id: TenantId,
    /// Of what.
    pub integration_id: IntegrationId,
    /// The release, resolved now.
    pub release_id: ReleaseId,
    /// How it shall behave.
    pub mode: Mode,
    /// The run that it repeats.
    pub rerun_of: Option<RunId>,
    /// Whether later runs see what it prints.
    pub is_saved: bool,
    /// The version of the tenant's settings; none: written by hand.
    pub configs_version: Option<i64>,
    /// The state that it is given.
    pub given: Given,
    /// Why its bundle of triggers ends where it does.
    pub stop: Stop,
}

/// A node that takes runs, and until when its claim holds without a heartbeat.
#[derive(Debug, Clone)]
pub struct Claimer {
    /// The node's name.
    pub node: String,
    /// When the lease ends.
    pub lease_until: Timestamp,
}

/// Adds runs, claimed at once when a claimer is given; none in place of one whose tenant has a
/// live run.
pub async fn insert(
    tx: &mut Tx,
    wanted: &[NewRun],
    claimer: Option<&Claimer>,
    now: Timestamp,
) -> Result<Vec<Option<Run>>> {
    let phase = if claimer.is_some() {
        Phase::Running
    } else {
        Phase::Pending
    };
    let row = |run: &NewRun| {
        values![
            run.tenant_id,
            run.integration_id,
            run.release_id,
            run.mode.as_str(),
            phase.as_str(),
            i64::from(claimer.is_some()),
            claimer.map(|c| c.node.clone()),
            claimer.map(|c| c.lease_until),
            now,
            claimer.map(|_| now),
            run.rerun_of,
            run.is_saved,
            run.configs_version,
            run.given.last_run_id,
            run.given.last_successful_run_id,
            run.given.output_id,
            stop_word(run.stop),
            run.stop.at()
        ]
    };
    let rows: Vec<_> = wanted.iter().map(row).collect();
    tx.read_each(INSERT, &rows, read).await
}

/// Takes up to `limit` waiting runs for a node, oldest first; none of an integration that is
/// paused.
pub async fn claim(tx: &mut Tx, claimer: &Claimer, now: Timestamp, limit: i64) -> Result<Vec<Run>> {
    // A subquery that takes rows could be evaluated more than once by a join, and then take more
    // than its limit; a materialized one is evaluated once.
    let sql = format!(
        "WITH next AS MATERIALIZED (SELECT r.id FROM runs r WHERE r.phase = 'Pending'
            AND NOT EXISTS (SELECT 1 FROM integrations i WHERE i.id = r.integration_id AND i.paused = 1)
            ORDER BY r.id LIMIT $4{})
        UPDATE runs SET phase = 'Running', attempt = attempt + 1, node = $1, lease_until = $2,
            started_at = $3
        WHERE id IN (SELECT id FROM next)
        RETURNING {}",
        tx.dialect().skip_locked("r"),
        columns!()
    );
    let row = values![claimer.node.as_str(), claimer.lease_until, now, limit];
    let mut runs = read_all(tx.rows(&sql, &row).await?, read)?;
    // RETURNING has no order.
    runs.sort_unstable_by_key(|run| run.id);
    Ok(runs)
}

/// One of them, if there is.
pub async fn find(tx: &mut Tx, id: RunId) -> Result<Option<Run>> {
    read_one(tx.row(FIND, &values![id]).await?, read)
}

/// One of them.
pub async fn get(tx: &mut Tx, id: RunId) -> Result<Run> {
    Tx::found(find(tx, id).await?, RunId::KIND, id)
}

/// These of them, in no order.
pub async fn list(tx: &mut Tx, ids: &[RunId]) -> Result<Vec<Run>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!("{SELECT} WHERE id IN {}", tx.dialect().id_list(1));
    tx.read_rows(&sql, &values![json(&ids)], read).await
}

/// What a list of runs is narrowed by.
#[derive(Debug, Clone, Default)]
pub struct RunFilter {
    /// Of one tenant.
    pub tenant: Option<TenantId>,
    /// Of one integration.
    pub integration: Option<IntegrationId>,
    /// In one phase.
    pub phase: Option<Phase>,
    /// In one mode.
    pub mode: Option<Mode>,
    /// With a trigger from this source.
    pub source: Option<marquetry_model::Source>,
    /// Made at this time or later.
    pub from: Option<Timestamp>,
    /// Made before this time.
    pub to: Option<Timestamp>,
    /// This one, or older.
    pub up_to: Option<RunId>,
}

/// The page of those that fit, newest first.
pub(crate) async fn selected(
    tx: &mut Tx,
    wanted: &RunFilter,
    request: &PageRequest,
) -> Result<Selected> {
    let mut filter = Filter::new();
    if let Some(tenant) = wanted.tenant {
        filter.equal("tenant_id = ?", tenant);
    }
    if let Some(integration) = wanted.integration {
        filter.equal("integration_id = ?", integration);
    }
    if let Some(phase) = wanted.phase {
        // A word of ours in the text, not a value: so a plan can take the index of that phase.
        filter.when(&format!("phase = '{}'", phase.as_str()));
    }
    if let Some(mode) = wanted.mode {
        filter.equal("mode = ?", mode.as_str());
    }
    if let Some(source) = wanted.source {
        filter.equal(
            "EXISTS (SELECT 1 FROM triggers WHERE triggers.run_id = runs.id AND triggers.source = ?)",
            source.as_str(),
        );
    }
    if let Some(from) = wanted.from {
        filter.equal("created_at >= ?", from);
    }
    if let Some(to) = wanted.to {
        filter.equal("created_at < ?", to);
    }
    if let Some(newest) = wanted.up_to {
        filter.equal("id <= ?", newest);
    }
    LIST.select(tx, filter, request).await
}

/// Moves the lease on, never back; none when the claim is lost, else whether somebody asked to stop.
pub async fn renew(tx: &mut Tx, claim: &RunClaim, lease_until: Timestamp) -> Result<Option<bool>> {
    let row = values![claim.id, claim.attempt, claim.node.as_str(), lease_until];
    tx.row(RENEW, &row)
        .await?
        .map(|row| row.reader().bool())
        .transpose()
}

/// Moves the leases of runs that a node watches over on, never back; answers which it still holds: id, attempt,
/// and whether somebody asked to stop it. A run that stands under the node's name but is not
/// among `ids` has nobody who watches over it; its lease ends and it is closed as lost.
pub async fn renew_node(
    tx: &mut Tx,
    node: &str,
    ids: &[RunId],
    lease_until: Timestamp,
) -> Result<Vec<(RunId, i64, bool)>> {
    let sql = format!(
        "UPDATE runs SET lease_until = CASE WHEN lease_until > $2 THEN lease_until ELSE $2 END
        WHERE node = $1 AND phase = 'Running' AND id IN {}
        RETURNING id, attempt, cancel_requested",
        tx.dialect().id_list(3)
    );
    let rows = tx
        .rows(&sql, &values![node, lease_until, json(&ids)])
        .await?;
    read_all(rows, |row| {
        Ok((RunId::new(row.i64()?), row.i64()?, row.bool()?))
    })
}

/// Ends runs; answers false in place of one whose claim is lost, of which nothing is changed.
pub async fn finish(
    tx: &mut Tx,
    ends: &[(&RunClaim, &Outcome)],
    now: Timestamp,
) -> Result<Vec<bool>> {
    let row = |(claim, outcome): &(&RunClaim, &Outcome)| {
        values![
            claim.id,
            claim.attempt,
            claim.node.as_str(),
            outcome.phase.as_str(),
            outcome.message.clone(),
            outcome.exit_code,
            outcome.std_out.clone(),
            outcome.usage.cpu_ms,
            outcome.usage.max_rss_bytes,
            outcome.usage.log_bytes,
            now
        ]
    };
    let rows: Vec<_> = ends.iter().map(row).collect();
    let changed = tx.execute_each(FINISH, &rows).await?;
    Ok(changed.into_iter().map(|count| count == 1).collect())
}

/// Notes which settings a run that was made earlier is given after all: they changed meanwhile.
pub async fn update_configs_version(tx: &mut Tx, id: RunId, version: i64) -> Result<()> {
    const SQL: &str = "UPDATE runs SET configs_version = $2 WHERE id = $1";
    tx.execute(SQL, &values![id, version]).await?;
    Ok(())
}

/// Asks a running run to stop; answers whether it was running.
pub async fn request_cancel(tx: &mut Tx, id: RunId) -> Result<bool> {
    const SQL: &str = "UPDATE runs SET cancel_requested = 1 WHERE id = $1 AND phase = 'Running'";
    Ok(tx.execute(SQL, &values![id]).await? == 1)
}

/// Ends a run that no node has taken; answers whether it did.
pub async fn cancel_pending(tx: &mut Tx, id: RunId, now: Timestamp) -> Result<bool> {
    const SQL: &str = "UPDATE runs SET phase = 'Cancelled', completed_at = $2,
        message = 'cancelled before it began' WHERE id = $1 AND phase = 'Pending'";
    Ok(tx.execute(SQL, &values![id, now]).await? == 1)
}

/// Running runs whose node is lost, at most `limit`, taken for this transaction: those of `node`, which has
/// just started, whatever the time is; without one, those whose lease ended before `now`, or that nobody
/// could have written with a right clock and whose node is gone. Not `alive` ones, which this very node executes.
pub async fn claim_lost(
    tx: &mut Tx,
    node: Option<&str>,
    alive: &[RunId],
    now: Timestamp,
    limit: i64,
) -> Result<Vec<Run>> {
    let sql = format!(
        "SELECT {} FROM runs r WHERE r.phase = 'Running' AND {}
            AND r.id NOT IN {} ORDER BY r.id LIMIT $3{}",
        columns!(),
        is_lost("r"),
        tx.dialect().id_list(4),
        tx.dialect().skip_locked("r")
    );
    let rows = tx
        .rows(&sql, &values![now, node.unwrap_or(""), limit, json(&alive)])
        .await?;
    read_all(rows, read)
}

/// Why the bundles of these runs ended where they did; nothing about those after which nothing
/// waited.
pub async fn list_stops(tx: &mut Tx, ids: &[RunId]) -> Result<Vec<(RunId, Stop)>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT id, bundle_stop, bundle_stop_at FROM runs
        WHERE id IN {} AND bundle_stop IS NOT NULL ORDER BY id",
        tx.dialect().id_list(1)
    );
    let rows = tx.rows(&sql, &values![json(&ids)]).await?;
    read_all(rows, |row| {
        let id = RunId::new(row.i64()?);
        let word = row.text()?;
        let at = TriggerId::new(row.i64()?);
        Ok((id, stop_of(&word, at)))
    })
}

fn stop_word(stop: Stop) -> Option<&'static str> {
    match stop {
        Stop::QueueEmpty => None,
        Stop::ModeChange { .. } => Some("mode"),
        Stop::Rerun { .. } => Some("rerun"),
        Stop::Full { .. } => Some("full"),
    }
}

fn stop_of(word: &str, at: TriggerId) -> Stop {
    match word {
        "mode" => Stop::ModeChange { at },
        "rerun" => Stop::Rerun { at },
        "full" => Stop::Full { at },
        _ => Stop::QueueEmpty,
    }
}

/// Three columns.
pub(crate) fn read_given(row: &mut Reader<'_>) -> Result<Given> {
    Ok(Given {
        last_run_id: row.opt_i64()?.map(RunId::new),
        last_successful_run_id: row.opt_i64()?.map(RunId::new),
        output_id: row.opt_i64()?.map(OutputId::new),
    })
}

pub(crate) fn read(row: &mut Reader<'_>) -> Result<Run> {
    Ok(Run {
        id: RunId::new(row.i64()?),
        tenant_id: TenantId::new(row.i64()?),
        integration_id: IntegrationId::new(row.i64()?),
        release_id: ReleaseId::new(row.i64()?),
        mode: row.word()?,
        phase: row.word()?,
        message: row.opt_text()?,
        exit_code: row.opt_i64()?,
        std_out: row.opt_text()?,
        attempt: row.i64()?,
        node: row.opt_text()?,
        cancel_requested: row.bool()?,
        usage: RunUsage {
            cpu_ms: row.i64()?,
            max_rss_bytes: row.i64()?,
            log_bytes: row.i64()?,
        },
        log_blob: row.opt_text()?,
        created_at: row.time()?,
        started_at: row.opt_time()?,
        completed_at: row.opt_time()?,
        rerun_of: row.opt_i64()?.map(RunId::new),
        is_saved: row.bool()?,
        configs_version: row.opt_i64()?,
        given: read_given(row)?,
    })
}

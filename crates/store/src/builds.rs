//! Builds, claimed by lease and fenced by attempt like runs.

use marquetry_model::{
    Build, BuildId, BuildStatus, IntegrationId, NewBuild, Page, PageRequest, ReleaseId, Timestamp,
};

use crate::nodes::is_lost;
use crate::query::{Filter, List, json, read_all, read_one};
use crate::value::{Reader, values};
use crate::{Result, Tx};

macro_rules! columns {
    () => {
        "id, integration_id, tag, branch, latest, source_blob, commit_hash, status, message, release_ids, \
         attempt, cancel_requested, created_at, started_at, completed_at"
    };
}

const INSERT: &str = concat!(
    "INSERT INTO builds (integration_id, tag, branch, latest, status, release_ids, attempt,
        cancel_requested, created_at)
    VALUES ($1, $2, $3, $4, 'Pending', '[]', 0, 0, $5) RETURNING ",
    columns!()
);
const INSERT_SOURCE: &str = "INSERT INTO builds (integration_id, tag, source_blob, status,
        release_ids, attempt, cancel_requested, created_at)
    VALUES ($1, $2, $3, 'Pending', '[]', 0, 0, $4) RETURNING id";
const LABEL: &str = concat!(
    "UPDATE builds SET tag = COALESCE(tag, 'build-' || CAST(id AS TEXT)) WHERE id = $1 RETURNING ",
    columns!()
);
const GET: &str = concat!("SELECT ", columns!(), " FROM builds WHERE id = $1");
/// Its lists.
pub const LIST: List = List {
    select: concat!("SELECT ", columns!(), " FROM builds"),
    count: "SELECT COUNT(*) FROM builds",
    sorts: &[
        ("id", "id"),
        ("integration_id", "integration_id"),
        ("tag", "tag"),
        ("branch", "branch"),
        ("commit", "commit_hash"),
        ("status", "status"),
        ("message", "message"),
        ("created_date", "created_at"),
        ("started_date", "started_at"),
        ("completed_date", "completed_at"),
    ],
    order: "id DESC",
};
const RENEW: &str =
    "UPDATE builds SET lease_until = CASE WHEN lease_until > $4 THEN lease_until ELSE $4 END
    WHERE id = $1 AND attempt = $2 AND node = $3 AND status = 'Running'
    RETURNING cancel_requested";
const FINISH: &str = "UPDATE builds SET status = $4, message = $5, tag = $6, commit_hash = $7,
        release_ids = $8, completed_at = $9, lease_until = NULL
    WHERE id = $1 AND attempt = $2 AND node = $3 AND status = 'Running'";

/// What a build says that ended because its integration did.
pub const ARCHIVED: &str = "cancelled: its integration was archived";

/// Who has a build, and for which time: what every later write must still find.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildClaim {
    /// The build.
    pub id: BuildId,
    /// The fence.
    pub attempt: i64,
    /// The node.
    pub node: String,
}

/// How a build ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildEnd {
    /// A final status.
    pub status: BuildStatus,
    /// Why it failed, or what else there is to say.
    pub message: Option<String>,
    /// The label, once known.
    pub tag: Option<String>,
    /// The commit, once known.
    pub commit_hash: Option<String>,
    /// What it made.
    pub release_ids: Vec<ReleaseId>,
}

/// Adds one that waits.
pub async fn insert(tx: &mut Tx, build: &NewBuild, now: Timestamp) -> Result<Build> {
    let row = values![
        build.integration_id,
        build.tag.clone(),
        build.branch.clone(),
        build.latest,
        now
    ];
    let made = read_one(tx.row(INSERT, &row).await?, read)?;
    Tx::found(made, BuildId::KIND, "new")
}

/// Adds one of an archive that was sent, which waits. Without a label it is `build-<id>`.
pub async fn insert_source(
    tx: &mut Tx,
    integration: IntegrationId,
    tag: Option<&str>,
    source_blob: &str,
    now: Timestamp,
) -> Result<Build> {
    let tag = tag.map(str::to_owned);
    let made = tx
        .row(INSERT_SOURCE, &values![integration, tag, source_blob, now])
        .await?;
    let id = made.map(|row| row.reader().i64()).transpose()?;
    let id = Tx::found(id, BuildId::KIND, "new")?;
    let made = read_one(tx.row(LABEL, &values![id]).await?, read)?;
    Tx::found(made, BuildId::KIND, id)
}

/// How many builds of an integration wait.
pub async fn count_waiting(tx: &mut Tx, integration: IntegrationId) -> Result<i64> {
    const SQL: &str =
        "SELECT COUNT(*) FROM builds WHERE integration_id = $1 AND status = 'Pending'";
    let count = tx
        .row(SQL, &values![integration])
        .await?
        .map(|row| row.reader().i64())
        .transpose()?;
    Ok(count.unwrap_or(0))
}

/// The build of a branch's head that waits and that nobody gave a label, so that it is as good as
/// another one.
pub async fn find_waiting(
    tx: &mut Tx,
    integration: IntegrationId,
    branch: &str,
) -> Result<Option<Build>> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM builds WHERE integration_id = $1 AND branch = $2 AND status = 'Pending'
            AND tag IS NULL AND latest IS NULL AND source_blob IS NULL ORDER BY id LIMIT 1"
    );
    read_one(tx.row(SQL, &values![integration, branch]).await?, read)
}

/// Whether a build of a commit of the branch waits or is at work: what it will have built is not
/// known yet.
pub async fn has_open(tx: &mut Tx, integration: IntegrationId, branch: &str) -> Result<bool> {
    const SQL: &str = "SELECT COUNT(*) FROM builds WHERE integration_id = $1
            AND (branch = $2 OR branch IS NULL) AND source_blob IS NULL
            AND status IN ('Pending', 'Running')";
    let count = read_one(tx.row(SQL, &values![integration, branch]).await?, |row| {
        row.i64()
    })?;
    Ok(count.unwrap_or(0) > 0)
}

/// Whether this commit was ever built, or tried.
pub async fn has_commit(tx: &mut Tx, integration: IntegrationId, commit: &str) -> Result<bool> {
    const SQL: &str = "SELECT COUNT(*) FROM builds WHERE integration_id = $1 AND commit_hash = $2";
    let count = read_one(tx.row(SQL, &values![integration, commit]).await?, |row| {
        row.i64()
    })?;
    Ok(count.unwrap_or(0) > 0)
}

/// The commit of the newest build of a branch that saw one. Builds that named no branch count as
/// its own: they are of the tracking branch, or of a Git tag.
pub async fn find_last_commit(
    tx: &mut Tx,
    integration: IntegrationId,
    branch: &str,
) -> Result<Option<String>> {
    const SQL: &str = "SELECT commit_hash FROM builds WHERE integration_id = $1
            AND (branch = $2 OR branch IS NULL) AND commit_hash IS NOT NULL
        ORDER BY id DESC LIMIT 1";
    read_one(tx.row(SQL, &values![integration, branch]).await?, |row| {
        row.text()
    })
}

/// One of them.
pub async fn get(tx: &mut Tx, id: BuildId) -> Result<Build> {
    let found = read_one(tx.row(GET, &values![id]).await?, read)?;
    Tx::found(found, BuildId::KIND, id)
}

/// Newest first; of one integration or of all.
pub async fn list(
    tx: &mut Tx,
    integration: Option<IntegrationId>,
    request: &PageRequest,
) -> Result<Page<Build>> {
    let mut filter = Filter::new();
    if let Some(integration) = integration {
        filter.equal("integration_id = ?", integration);
    }
    LIST.page(tx, filter, request, read).await
}

/// Takes up to `limit` waiting builds for a node, oldest first, and only one of an integration at
/// a time: two would fight over its package cache. Another node that claims at the same moment
/// may see other builds of an integration; then the index refuses the second claim, and
/// [`crate::Error::is_duplicate`] says so: look again.
pub async fn claim(
    tx: &mut Tx,
    node: &str,
    now: Timestamp,
    lease_until: Timestamp,
    limit: i64,
) -> Result<Vec<Build>> {
    // Materialized for the reason given at `runs::claim`.
    let sql = format!(
        "WITH next AS MATERIALIZED (SELECT b.id FROM builds b WHERE b.status = 'Pending'
            AND NOT EXISTS (SELECT 1 FROM builds o WHERE o.integration_id = b.integration_id
                AND (o.status = 'Running' OR (o.status = 'Pending' AND o.id < b.id)))
            ORDER BY b.id LIMIT $4{})
        UPDATE builds SET status = 'Running', attempt = attempt + 1, node = $1, lease_until = $2,
            started_at = $3
        WHERE id IN (SELECT id FROM next)
        RETURNING {}",
        tx.dialect().skip_locked("b"),
        columns!()
    );
    let row = values![node, lease_until, now, limit];
    let mut builds = read_all(tx.rows(&sql, &row).await?, read)?;
    // RETURNING has no order.
    builds.sort_unstable_by_key(|build| build.id);
    Ok(builds)
}

/// Moves the lease; none when the claim is lost, else whether somebody asked to stop.
pub async fn renew(
    tx: &mut Tx,
    claim: &BuildClaim,
    lease_until: Timestamp,
) -> Result<Option<bool>> {
    let row = values![claim.id, claim.attempt, claim.node.as_str(), lease_until];
    tx.row(RENEW, &row)
        .await?
        .map(|row| row.reader().bool())
        .transpose()
}

/// Ends it; answers false, and changes nothing, when the claim is lost.
pub async fn finish(
    tx: &mut Tx,
    claim: &BuildClaim,
    end: &BuildEnd,
    now: Timestamp,
) -> Result<bool> {
    let row = values![
        claim.id,
        claim.attempt,
        claim.node.as_str(),
        end.status.as_str(),
        end.message.clone(),
        end.tag.clone(),
        end.commit_hash.clone(),
        json(&end.release_ids),
        now
    ];
    Ok(tx.execute(FINISH, &row).await? == 1)
}

/// Asks a running build to stop, or ends a waiting one; answers whether it was open.
pub async fn cancel(tx: &mut Tx, id: BuildId, now: Timestamp) -> Result<bool> {
    const WAITING: &str = "UPDATE builds SET status = 'Cancelled', completed_at = $2,
        message = 'cancelled before it began' WHERE id = $1 AND status = 'Pending'";
    const RUNNING: &str =
        "UPDATE builds SET cancel_requested = 1 WHERE id = $1 AND status = 'Running'";
    if tx.execute(WAITING, &values![id, now]).await? == 1 {
        return Ok(true);
    }
    Ok(tx.execute(RUNNING, &values![id]).await? == 1)
}

/// Ends those of an integration that wait, and asks those at work to stop; answers which they are.
pub async fn cancel_all(
    tx: &mut Tx,
    integration: IntegrationId,
    now: Timestamp,
) -> Result<Vec<BuildId>> {
    const WAITING: &str = "UPDATE builds SET status = 'Cancelled', completed_at = $2, message = $3
        WHERE integration_id = $1 AND status = 'Pending' RETURNING id";
    // Behind the other: one that a node takes meanwhile is at work then.
    const RUNNING: &str = "UPDATE builds SET cancel_requested = 1
        WHERE integration_id = $1 AND status = 'Running' RETURNING id";
    let mut rows = tx
        .rows(WAITING, &values![integration, now, ARCHIVED])
        .await?;
    rows.extend(tx.rows(RUNNING, &values![integration]).await?);
    read_all(rows, |row| row.i64().map(BuildId::new))
}

/// Puts builds whose node is lost back in the queue: building has no effect outside, so it may be
/// done again. Which are lost is as for runs ([`claim_lost`](crate::runs::claim_lost)).
/// After `attempts` tries they fail.
pub async fn requeue_lost(
    tx: &mut Tx,
    node: Option<&str>,
    now: Timestamp,
    attempts: i64,
) -> Result<u64> {
    let lost = is_lost("builds");
    let cancel = format!(
        "UPDATE builds SET status = 'Cancelled', completed_at = $1, lease_until = NULL,
            message = 'cancelled; the node that built it was lost'
        WHERE status = 'Running' AND {lost} AND cancel_requested = 1"
    );
    let fail = format!(
        "UPDATE builds SET status = 'Failed', completed_at = $1, lease_until = NULL,
            message = 'the node that built it was lost, more than once'
        WHERE status = 'Running' AND {lost} AND attempt >= $3"
    );
    let requeue = format!(
        "UPDATE builds SET status = 'Pending', node = NULL, lease_until = NULL
        WHERE status = 'Running' AND {lost}"
    );
    let node = node.unwrap_or("");
    let cancelled = tx.execute(&cancel, &values![now, node]).await?;
    let failed = tx.execute(&fail, &values![now, node, attempts]).await?;
    let requeued = tx.execute(&requeue, &values![now, node]).await?;
    Ok(cancelled + failed + requeued)
}

fn read(row: &mut Reader<'_>) -> Result<Build> {
    Ok(Build {
        id: BuildId::new(row.i64()?),
        integration_id: IntegrationId::new(row.i64()?),
        tag: row.opt_text()?,
        branch: row.opt_text()?,
        latest: row.opt_i64()?.map(|latest| latest != 0),
        source_blob: row.opt_text()?,
        commit_hash: row.opt_text()?,
        status: row.word()?,
        message: row.opt_text()?,
        release_ids: row.json()?,
        attempt: row.i64()?,
        cancel_requested: row.bool()?,
        created_at: row.time()?,
        started_at: row.opt_time()?,
        completed_at: row.opt_time()?,
    })
}

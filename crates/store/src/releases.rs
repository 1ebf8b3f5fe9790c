//! Releases: immutable, one for each manifest of a successful build.

use marquetry_model::{BuildId, IntegrationId, Page, PageRequest, Release, ReleaseId};

use crate::query::{Filter, List, json, read_one};
use crate::value::{Reader, values};
use crate::{Result, Tx};

macro_rules! columns {
    () => {
        "id, integration_id, build_id, name, tag, branch, commit_hash, manifest_path, \
         config_version, base, run_command, config_schema, metadata_schema, narrowing, artifact, \
         counts_as_latest, created_at, artifact_removed_at"
    };
}

const INSERT: &str = "INSERT INTO releases (integration_id, build_id, name, tag, branch,
        commit_hash, manifest_path, config_version, base, run_command, config_schema,
        metadata_schema, narrowing, artifact, counts_as_latest, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
    ON CONFLICT DO NOTHING RETURNING id";
const GET: &str = concat!("SELECT ", columns!(), " FROM releases WHERE id = $1");
const FIND_LATEST: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM releases WHERE integration_id = $1 AND counts_as_latest = 1 ORDER BY id DESC LIMIT 1"
);
/// Its lists.
pub const LIST: List = List {
    select: concat!("SELECT ", columns!(), " FROM releases"),
    count: "SELECT COUNT(*) FROM releases",
    sorts: &[
        ("id", "id"),
        ("name", "name"),
        ("tag", "tag"),
        ("repository_tracking_branch", "branch"),
        ("run_command", "run_command"),
        ("config_version", "config_version"),
        ("created_date", "created_at"),
        ("modified_date", "created_at"),
        ("integration_id", "integration_id"),
        ("commit", "commit_hash"),
        ("base", "base"),
        ("manifest_path", "manifest_path"),
        ("build_id", "build_id"),
        ("counts_as_latest", "counts_as_latest"),
        ("artifact_removed_date", "artifact_removed_at"),
    ],
    order: "id",
};

/// Adds one (its id is ignored); none when the integration has one of this name.
pub async fn insert(tx: &mut Tx, release: &Release) -> Result<Option<ReleaseId>> {
    let r = release;
    let row = values![
        r.integration_id,
        r.build_id,
        r.name.as_str(),
        r.tag.as_str(),
        r.branch.clone(),
        r.commit_hash.clone(),
        r.manifest_path.as_str(),
        r.config_version.as_str(),
        r.base.as_str(),
        r.run_command.as_str(),
        r.config_schema.as_ref().map(json),
        r.metadata_schema.as_ref().map(json),
        r.narrowing.as_ref().map(json),
        r.artifact.as_str(),
        r.counts_as_latest,
        r.created_at
    ];
    let row = tx.row(INSERT, &row).await?;
    row.map(|row| row.reader().i64().map(ReleaseId::new))
        .transpose()
}

/// One of them.
pub async fn get(tx: &mut Tx, id: ReleaseId) -> Result<Release> {
    Tx::found(find(tx, id).await?, ReleaseId::KIND, id)
}

/// One of them, if there is.
pub async fn find(tx: &mut Tx, id: ReleaseId) -> Result<Option<Release>> {
    read_one(tx.row(GET, &values![id]).await?, read)
}

/// One of them, if there is, for a new use: the time that it stands unused begins anew, so that its
/// artifact is not given up meanwhile. Whether it was given up before, the release says.
pub async fn claim(tx: &mut Tx, id: ReleaseId) -> Result<Option<Release>> {
    // Waits for who gives it up just now. One that this does not change is not due for long, so nobody
    // else has to wait.
    const USED: &str = "UPDATE releases SET unused_since = NULL
        WHERE id = $1 AND unused_since IS NOT NULL AND artifact_removed_at IS NULL";
    tx.execute(USED, &values![id]).await?;
    find(tx, id).await
}

/// The newest one that counts as `Latest`.
pub async fn find_latest(tx: &mut Tx, integration: IntegrationId) -> Result<Option<Release>> {
    read_one(tx.row(FIND_LATEST, &values![integration]).await?, read)
}

/// The id of the newest one that counts as `Latest`.
pub async fn find_latest_id(tx: &mut Tx, integration: IntegrationId) -> Result<Option<ReleaseId>> {
    const SQL: &str = "SELECT id FROM releases
        WHERE integration_id = $1 AND counts_as_latest = 1 ORDER BY id DESC LIMIT 1";
    read_one(tx.row(SQL, &values![integration]).await?, |row| {
        row.i64().map(ReleaseId::new)
    })
}

/// Those of an integration.
pub async fn list(
    tx: &mut Tx,
    integration: IntegrationId,
    request: &PageRequest,
) -> Result<Page<Release>> {
    let mut filter = Filter::new();
    filter.equal("integration_id = ?", integration);
    LIST.page(tx, filter, request, read).await
}

fn read(row: &mut Reader<'_>) -> Result<Release> {
    Ok(Release {
        id: ReleaseId::new(row.i64()?),
        integration_id: IntegrationId::new(row.i64()?),
        build_id: BuildId::new(row.i64()?),
        name: row.text()?,
        tag: row.text()?,
        branch: row.opt_text()?,
        commit_hash: row.opt_text()?,
        manifest_path: row.text()?,
        config_version: row.text()?,
        base: row.text()?,
        run_command: row.text()?,
        config_schema: row.opt_json()?,
        metadata_schema: row.opt_json()?,
        narrowing: row.opt_json()?,
        artifact: row.text()?,
        counts_as_latest: row.bool()?,
        created_at: row.time()?,
        artifact_removed_at: row.opt_time()?,
    })
}

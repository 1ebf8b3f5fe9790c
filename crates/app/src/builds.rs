//! Builds: asking for them, and what their engine reports.

use marquetry_manifest::secret_names;
use marquetry_model::{
    Build, BuildId, BuildStatus, Error, FieldError, Integration, IntegrationId, NewBuild, Page,
    PageRequest, Release, Result, Scope, Timestamp,
};
use marquetry_store::builds::{ARCHIVED, BuildClaim, BuildEnd};
use marquetry_store::logs::{Chunk, LogOf};
use marquetry_store::{Tx, builds, integrations, logs, releases};

use crate::ctx::Ctx;
use crate::errors::store_error;
use crate::hints::Topic;
use crate::integrations::{check_git_name, find_live};
use crate::secret_sweeps;

/// Asks for a build. An unknown integration or one without a repository is an invalid body here,
/// because the original's route declares no 404.
pub async fn build_create(ctx: &Ctx, wanted: NewBuild) -> Result<Build> {
    ctx.require(Scope::Write)?;
    let mut faults = build_faults(wanted.tag.as_deref(), wanted.branch.as_deref());
    let now = ctx.now();
    let mut tx = ctx.write().await?;
    let why = match find_live(&mut tx, wanted.integration_id).await? {
        None => Some(format!("there is no integration {}", wanted.integration_id)),
        Some(integration) if integration.repository_url.is_none() => Some(format!(
            "integration {} has no repository_url; set it with PATCH /v2/integrations/{}",
            integration.name, integration.id
        )),
        Some(_) => None,
    };
    faults.extend(why.map(|why| FieldError::body("integration_id", why)));
    if !faults.is_empty() {
        return Err(Error::Invalid(faults));
    }
    let build = builds::insert(&mut tx, &wanted, now)
        .await
        .map_err(store_error)?;
    ctx.commit(tx, build.id.get()).await?;
    ctx.app.hints.give(Topic::Builds);
    Ok(build)
}

/// What is wrong with the names of a build, each by itself.
pub fn build_faults(tag: Option<&str>, branch: Option<&str>) -> Vec<FieldError> {
    let names = [("tag", tag), ("branch", branch)].into_iter();
    let wrong = names.filter_map(|(field, name)| Some((field, check_git_name(name?).err()?)));
    wrong
        .map(|(field, why)| FieldError::body(field, why))
        .collect()
}

/// Asks for a build of the tracking branch's head on nobody's behalf, labelled with its commit.
/// One that waits already will fetch the same head and is answered instead; the flag says whether
/// this made one. The caller has locked the integration.
pub(crate) async fn branch_build(
    tx: &mut Tx,
    integration: &Integration,
    now: Timestamp,
) -> Result<(Build, bool)> {
    let branch = &integration.repository_tracking_branch;
    let waiting = builds::find_waiting(tx, integration.id, branch).await;
    if let Some(waiting) = waiting.map_err(store_error)? {
        return Ok((waiting, false));
    }
    let wanted = NewBuild {
        integration_id: integration.id,
        tag: None,
        branch: Some(branch.clone()),
        latest: None,
    };
    let build = builds::insert(tx, &wanted, now)
        .await
        .map_err(store_error)?;
    Ok((build, true))
}

/// One of them.
pub async fn build_get(ctx: &Ctx, id: BuildId) -> Result<Build> {
    ctx.require(Scope::Read)?;
    let mut tx = ctx.read().await?;
    builds::get(&mut tx, id).await.map_err(store_error)
}

/// Newest first; of one integration or of all.
pub async fn build_list(
    ctx: &Ctx,
    integration: Option<IntegrationId>,
    page: &PageRequest,
) -> Result<Page<Build>> {
    ctx.require(Scope::Read)?;
    let mut tx = ctx.read().await?;
    builds::list(&mut tx, integration, page)
        .await
        .map_err(store_error)
}

/// Ends a waiting build, or asks a running one to stop.
pub async fn build_cancel(ctx: &Ctx, id: BuildId) -> Result<Build> {
    ctx.require(Scope::Write)?;
    let mut tx = ctx.write().await?;
    let open = builds::cancel(&mut tx, id, ctx.now())
        .await
        .map_err(store_error)?;
    let build = builds::get(&mut tx, id).await.map_err(store_error)?;
    if !open {
        return Err(Error::conflict(
            "build_ended",
            format!("build {id} is already {}", build.status),
        ));
    }
    ctx.commit(tx, id.get()).await?;
    ctx.app.hints.give(Topic::BuildCancel(id));
    ctx.app.hints.give(Topic::Build(id));
    Ok(build)
}

/// A build that a node has taken.
#[derive(Debug, Clone)]
pub struct BuildJob {
    /// The build.
    pub build: Build,
    /// Of what.
    pub integration: Integration,
    /// The number of the last part of its log, which an attempt whose node was lost has left.
    pub log_number: i64,
    /// The bytes of that log.
    pub log_bytes: i64,
}

/// Takes waiting builds for a node.
pub async fn builds_claim(
    ctx: &Ctx,
    node: &str,
    lease_until: Timestamp,
    limit: i64,
) -> Result<Vec<BuildJob>> {
    let mut tx = ctx.write().await?;
    let claimed = match builds::claim(&mut tx, node, ctx.now(), lease_until, limit).await {
        // Another node was faster. It gives no hint here, but the next look sees what it did.
        Err(error) if error.is_duplicate() => return Ok(Vec::new()),
        claimed => claimed.map_err(store_error)?,
    };
    let mut found = Vec::with_capacity(claimed.len());
    for build in claimed {
        let of = LogOf::Build(build.id);
        let log_number = logs::find_last(&mut tx, of).await.map_err(store_error)?;
        let log_bytes = logs::find_size(&mut tx, of).await.map_err(store_error)?;
        let integration = integrations::get(&mut tx, build.integration_id).await;
        found.push(BuildJob {
            integration: integration.map_err(store_error)?,
            build,
            log_number,
            log_bytes,
        });
    }
    tx.commit().await.map_err(store_error)?;
    Ok(found)
}

/// Moves the lease and adds to the log; none when the claim is lost, else whether to stop.
pub async fn build_progress(
    ctx: &Ctx,
    claim: &BuildClaim,
    lease_until: Timestamp,
    chunk: Option<(i64, Vec<u8>)>,
) -> Result<Option<bool>> {
    let mut tx = ctx.write().await?;
    let stop = builds::renew(&mut tx, claim, lease_until)
        .await
        .map_err(store_error)?;
    if stop.is_none() {
        return Ok(None);
    }
    if let Some((number, bytes)) = chunk {
        let chunk = (LogOf::Build(claim.id), Chunk { number, bytes });
        logs::append(&mut tx, vec![chunk])
            .await
            .map_err(store_error)?;
    }
    tx.commit().await.map_err(store_error)?;
    ctx.app.hints.give(Topic::Build(claim.id));
    Ok(stop)
}

/// Ends a build: its releases, its status and the end of its log in one transaction. Of an archived
/// integration no release is made any more. Answers false, and changes nothing, when the claim is
/// lost.
pub async fn build_finish(
    ctx: &Ctx,
    claim: &BuildClaim,
    mut end: BuildEnd,
    mut made: Vec<Release>,
    chunk: Option<(i64, Vec<u8>)>,
) -> Result<bool> {
    let mut tx = ctx.write().await?;
    let build = builds::get(&mut tx, claim.id).await.map_err(store_error)?;
    // Before the build's own row, as archiving takes the two.
    let live = find_live(&mut tx, build.integration_id).await?;
    if live.is_none() && !made.is_empty() {
        made.clear();
        end.status = BuildStatus::Cancelled;
        end.message = Some(ARCHIVED.to_owned());
    }
    // Locks the row: nobody else ends it between this and the end of the transaction.
    let held = builds::renew(&mut tx, claim, ctx.now()).await;
    if held.map_err(store_error)?.is_none() {
        return Ok(false);
    }
    let mut has_secrets = false;
    for release in made {
        if !secret_names(release.config_schema.as_ref()).is_empty() && !has_secrets {
            // Its tenants may have such a setting already, that was none.
            secret_sweeps::mark(&mut tx, release.integration_id, ctx.now()).await?;
            has_secrets = true;
        }
        let id = insert_unique(&mut tx, release).await?;
        end.release_ids.push(id);
    }
    if let Some((number, bytes)) = chunk {
        let chunk = (LogOf::Build(claim.id), Chunk { number, bytes });
        logs::append(&mut tx, vec![chunk])
            .await
            .map_err(store_error)?;
    }
    if !builds::finish(&mut tx, claim, &end, ctx.now())
        .await
        .map_err(store_error)?
    {
        return Ok(false);
    }
    tx.commit().await.map_err(store_error)?;
    ctx.app.hints.give(Topic::Build(claim.id));
    ctx.app.hints.give(Topic::Builds);
    if has_secrets {
        ctx.app.hints.give(Topic::Secrets);
    }
    Ok(true)
}

/// Release names are unique in an integration; a second build of the same tag is told apart by
/// its build's number, and what has that name already by counting on.
async fn insert_unique(
    tx: &mut marquetry_store::WriteTx,
    mut release: Release,
) -> Result<marquetry_model::ReleaseId> {
    let wanted = release.name.clone();
    for count in 1_u64.. {
        if let Some(id) = releases::insert(tx, &release).await.map_err(store_error)? {
            return Ok(id);
        }
        release.name = match count {
            1 => format!("{wanted}-{}", release.build_id),
            _ => format!("{wanted}-{}-{count}", release.build_id),
        };
    }
    Err(Error::internal(format!("no name is free for {wanted}")))
}

/// Puts builds of lost nodes back in the queue; of `node` itself too when it has just started.
pub async fn builds_reap(ctx: &Ctx, node: Option<&str>) -> Result<u64> {
    /// A build that loses its node every time must not go round for ever.
    const ATTEMPTS: i64 = 3;
    let mut tx = ctx.write().await?;
    let found = builds::requeue_lost(&mut tx, node, ctx.now(), ATTEMPTS)
        .await
        .map_err(store_error)?;
    tx.commit().await.map_err(store_error)?;
    if found > 0 {
        ctx.app.hints.give(Topic::Builds);
    }
    Ok(found)
}

//! Looking at tracking branches from time to time, for repositories whose host cannot call.

use std::time::Duration;

use marquetry_model::{Build, Integration, IntegrationId, Result, Timestamp};
use marquetry_store::polls::Looked;
pub use marquetry_store::polls::PollClaim;
use marquetry_store::{Tx, builds, integrations, polls};

use crate::builds::branch_build;
use crate::ctx::Ctx;
use crate::errors::store_error;
use crate::hints::Topic;

/// Looks that are due now, and when the next one is.
#[derive(Debug, Clone)]
pub struct PollsDue {
    /// This node's to make.
    pub claims: Vec<PollClaim>,
    /// When the next one is due; none: only after a hint.
    pub next: Option<Timestamp>,
}

/// Notes when the branch is looked at next, after something was set: at once when there is
/// something new to see, and never while it stands still.
pub(crate) async fn plan(
    tx: &mut Tx,
    before: Option<&Integration>,
    after: &mut Integration,
    now: Timestamp,
) -> Result<bool> {
    if before.and_then(wanted) == wanted(after) {
        return Ok(false);
    }
    let next = wanted(after).map(|_| now);
    (after.polled_at, after.poll_message) = (None, None);
    polls::update_next(tx, after.id, next)
        .await
        .map_err(store_error)?;
    Ok(true)
}

/// What is looked at and how often; none: nothing.
fn wanted(integration: &Integration) -> Option<(i64, &str, &str)> {
    if integration.paused || integration.archived_at.is_some() {
        return None;
    }
    let address = integration.repository_url.as_deref()?;
    let branch = integration.repository_tracking_branch.as_str();
    Some((integration.poll_seconds?, address, branch))
}

/// Takes looks that are due for this node; nobody else makes them for `longest`.
pub async fn polls_claim(ctx: &Ctx, longest: Duration, limit: i64) -> Result<PollsDue> {
    let now = ctx.now();
    let mut tx = ctx.write().await?;
    let claims = polls::claim_due(&mut tx, now, now.plus(longest), limit)
        .await
        .map_err(store_error)?;
    let next = polls::find_next(&mut tx).await.map_err(store_error)?;
    if !claims.is_empty() {
        tx.commit().await.map_err(store_error)?;
    }
    Ok(PollsDue { claims, next })
}

/// Keeps what a look saw (the head's commit, or why it could not be seen) and asks for a build
/// when the head is another one than the last look or build saw. What was set anew meanwhile makes
/// the look worth nothing.
pub async fn poll_finish(
    ctx: &Ctx,
    claim: &PollClaim,
    seen: Result<String, String>,
) -> Result<Option<Build>> {
    let now = ctx.now();
    let period = u64::try_from(claim.integration.poll_seconds.unwrap_or(60)).unwrap_or(60);
    let mut tx = ctx.write().await?;
    let integration = integrations::lock(&mut tx, claim.integration.id)
        .await
        .map_err(store_error)?;
    let branch = &claim.integration.repository_tracking_branch;
    // What is being built may be this very commit: the next look will know.
    let open = builds::has_open(&mut tx, integration.id, branch)
        .await
        .map_err(store_error)?;
    let looked = Looked {
        commit: seen.as_ref().ok().filter(|_| !open).cloned(),
        message: seen.err(),
        next: now.plus(Duration::from_secs(period)),
    };
    let held = polls::update_looked(&mut tx, claim, &looked, now).await;
    if !held.map_err(store_error)? {
        return Ok(None);
    }
    let build = match &looked.commit {
        Some(head) if is_new(&mut tx, claim, head).await? => {
            Some(branch_build(&mut tx, &integration, now).await?.0)
        }
        _ => None,
    };
    tx.commit().await.map_err(store_error)?;
    if build.is_some() {
        ctx.app.hints.give(Topic::Builds);
    }
    Ok(build)
}

/// Whether a head is not what the last look saw and not what was built: last of the branch where
/// there was a look before, ever where this is the first one.
async fn is_new(tx: &mut Tx, claim: &PollClaim, head: &str) -> Result<bool> {
    if claim.polled_commit.as_deref() == Some(head) {
        return Ok(false);
    }
    let id: IntegrationId = claim.integration.id;
    let built = if claim.polled_commit.is_none() {
        builds::has_commit(tx, id, head).await
    } else {
        let branch = &claim.integration.repository_tracking_branch;
        let last = builds::find_last_commit(tx, id, branch).await;
        last.map(|last| last.as_deref() == Some(head))
    };
    Ok(!built.map_err(store_error)?)
}

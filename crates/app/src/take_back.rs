//! Runs that go on while their server is started anew.

use marquetry_model::{Result, Timestamp};
use marquetry_store::logs::LogOf;
use marquetry_store::runs::RunClaim;
use marquetry_store::{logs, runs, tenants};

use crate::ctx::Ctx;
use crate::errors::store_error;
use crate::jobs::{Claimed, RunJob, job_that_runs};
use crate::known::Known;

/// A run that this node goes on with.
#[derive(Debug)]
pub struct TakenRun {
    /// The run, without what only its start needs.
    pub job: RunJob,
    /// Somebody asked to stop it.
    pub cancel_requested: bool,
    /// The number of the last part of its log that is stored.
    pub log_number: i64,
    /// How many bytes of its log are stored.
    pub log_bytes: i64,
}

/// Takes a run back whose process has outlived the server that started it, and moves its lease; none when the
/// claim is lost: somebody has closed it meanwhile, or it was closed by the server that is gone.
pub async fn run_take_back(
    ctx: &Ctx,
    claim: &RunClaim,
    lease_until: Timestamp,
) -> Result<Option<TakenRun>> {
    let mut tx = ctx.write().await?;
    let held = runs::renew(&mut tx, claim, lease_until).await;
    let Some(cancel_requested) = held.map_err(store_error)? else {
        return Ok(None);
    };
    let mut known = Known::default();
    let run = runs::get(&mut tx, claim.id).await.map_err(store_error)?;
    let claimed = Claimed {
        tenant: tenants::get(&mut tx, run.tenant_id)
            .await
            .map_err(store_error)?,
        integration: known.integration(&mut tx, run.integration_id).await?,
        release: known.release(&mut tx, run.release_id).await?,
        run,
    };
    let job = job_that_runs(&mut tx, &mut known, claimed).await?;
    let of = LogOf::Run(claim.id);
    let log_number = logs::find_last(&mut tx, of).await.map_err(store_error)?;
    let log_bytes = logs::find_size(&mut tx, of).await.map_err(store_error)?;
    tx.commit().await.map_err(store_error)?;
    Ok(Some(TakenRun {
        job,
        cancel_requested,
        log_number,
        log_bytes,
    }))
}

//! Runs whose node was lost, or ended before they did, and their one repetition where the integration wants it
//! (`retry: platform`).

use marquetry_model::{Phase, Rerun, Result, Retry, Run, Timestamp};
use marquetry_store::logs::{Chunk, LogOf};
use marquetry_store::{Tx, integrations, logs, reruns, runs, tenant_states, tenants};

use crate::errors::store_error;
use crate::logs::MARK;
use crate::reruns::former;

/// Says in the log of a run that the platform has ended what comes of that, and asks for it once more where
/// its integration wants it. It is ended already, and its tenant's state is locked: nobody archives it from
/// here on.
pub(crate) async fn follow_up(tx: &mut Tx, run: &Run, why: &str, now: Timestamp) -> Result<()> {
    let again = repeats(tx, run).await?;
    let then = if again {
        "it is run again, once"
    } else {
        "the run is closed"
    };
    let bytes = format!("{MARK}{why}; {then}\n").into_bytes();
    let last = logs::find_last(tx, LogOf::Run(run.id)).await;
    let number = last.map_err(store_error)? + 1;
    logs::append(tx, vec![(LogOf::Run(run.id), Chunk { number, bytes })])
        .await
        .map_err(store_error)?;
    if again {
        repeat(tx, run, now).await?;
    }
    Ok(())
}

/// Whether it is repeated. Not when somebody has asked to stop it, when nobody waits for it any more, or when it
/// repeats a run that the platform had failed already: code that takes its node with it must not go round for
/// ever.
async fn repeats(tx: &mut Tx, run: &Run) -> Result<bool> {
    let integration = integrations::get(tx, run.integration_id).await;
    let integration = integration.map_err(store_error)?;
    if integration.retry != Retry::Platform || run.cancel_requested {
        return Ok(false);
    }
    let tenant = tenants::get(tx, run.tenant_id).await.map_err(store_error)?;
    if tenant.archived_at.is_some() {
        return Ok(false);
    }
    let Some(first) = run.rerun_of else {
        return Ok(true);
    };
    let first = runs::get(tx, first).await.map_err(store_error)?;
    Ok(first.phase != Phase::FailedPlatform)
}

/// Asks for it once more. It gets what a run would get now, for others may have run meanwhile, whose
/// state an older one must not turn back; what somebody asked for in a rerun, it gets again.
async fn repeat(tx: &mut Tx, run: &Run, now: Timestamp) -> Result<()> {
    let rerun = match former(tx, run).await? {
        Some(former) => Rerun {
            run_id: run.id,
            ..former
        },
        None => Rerun::of(run.id),
    };
    // The queue's limit is for those who ask; this was accepted long ago.
    let accepted = tenant_states::accept(tx, run.tenant_id, now, i64::MAX).await;
    if accepted.map_err(store_error)? {
        let asked = reruns::insert(tx, run.tenant_id, run.mode, &rerun, now).await;
        asked.map_err(store_error)?;
    }
    Ok(())
}

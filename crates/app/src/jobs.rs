//! Runs with all that a node needs to execute them.

use std::collections::HashMap;
use std::sync::Arc;

use marquetry_model::{
    Given, Integration, Release, Rerun, Result, Run, RunId, Tenant, TenantId, Trigger,
};
use marquetry_store::{Tx, outputs, reruns, runs, tenant_metadata, triggers};
use serde_json::{Map, Value};

use crate::errors::store_error;
use crate::integration_secrets::Sealed;
use crate::known::Known;
use crate::reruns::configs_of_rerun;
use crate::tenant_secrets;

/// Everything that a node needs to execute a run it has taken.
#[derive(Debug, Clone)]
pub struct RunJob {
    /// The run.
    pub run: Run,
    /// For whom; with marks in place of its secrets, which
    /// [`run_configs`](crate::tenant_secrets::run_configs) puts there.
    pub tenant: Tenant,
    /// The values of its secrets, sealed.
    pub sealed: Option<String>,
    /// Of what.
    pub integration: Arc<Integration>,
    /// What its builds are given, sealed.
    pub build_secrets: Arc<Sealed>,
    /// Which code.
    pub release: Arc<Release>,
    /// What it took, in order of arrival.
    pub triggers: Vec<Trigger>,
    /// The run that ended last.
    pub last: Option<Run>,
    /// The run that succeeded last.
    pub last_successful: Option<Run>,
    /// What stands in place of the last successful run's output, where something does; none within
    /// it: no output at all.
    pub output: Option<Option<String>>,
    /// What is known about the tenant.
    pub metadata: Map<String, Value>,
}

/// A run that a node has taken, and what it is of.
pub(crate) struct Claimed {
    pub(crate) run: Run,
    pub(crate) tenant: Tenant,
    pub(crate) integration: Arc<Integration>,
    pub(crate) release: Arc<Release>,
}

/// All that a node needs for runs that it has taken. What they have in common is read once, and what
/// each has of its own is asked for all of them together.
pub(crate) async fn jobs(
    tx: &mut Tx,
    known: &mut Known,
    claimed: Vec<Claimed>,
) -> Result<Vec<RunJob>> {
    if claimed.is_empty() {
        return Ok(Vec::new());
    }
    let runs: Vec<RunId> = claimed.iter().map(|it| it.run.id).collect();
    let tenants: Vec<TenantId> = claimed.iter().map(|it| it.run.tenant_id).collect();
    let mut triggers = triggers_of(tx, &runs).await?;
    let given: Vec<Given> = claimed.iter().map(|it| it.run.given).collect();
    let former = Former::read(tx, &given).await?;
    let metadata = tenant_metadata::list(tx, &tenants).await;
    let metadata = metadata.map_err(store_error)?.into_iter();
    let mut metadata: HashMap<_, _> = metadata.map(|it| (it.tenant_id, it.data)).collect();
    let mut jobs = Vec::with_capacity(claimed.len());
    for it in claimed {
        let triggers = triggers.remove(&it.run.id).unwrap_or_default();
        let metadata = metadata.remove(&it.run.tenant_id).unwrap_or_default();
        jobs.push(job(tx, known, it, triggers, &former, metadata).await?);
    }
    Ok(jobs)
}

/// A run that was begun already: what only its start needs is not there.
pub(crate) async fn job_that_runs(
    tx: &mut Tx,
    known: &mut Known,
    claimed: Claimed,
) -> Result<RunJob> {
    let build_secrets = known.build_secrets(tx, claimed.integration.id).await?;
    Ok(RunJob {
        run: claimed.run,
        tenant: claimed.tenant,
        sealed: None,
        integration: claimed.integration,
        build_secrets,
        release: claimed.release,
        triggers: Vec::new(),
        last: None,
        last_successful: None,
        output: None,
        metadata: Map::new(),
    })
}

async fn job(
    tx: &mut Tx,
    known: &mut Known,
    claimed: Claimed,
    mut triggers: Vec<Trigger>,
    former: &Former,
    metadata: Map<String, Value>,
) -> Result<RunJob> {
    let Claimed {
        mut run,
        mut tenant,
        integration,
        release,
    } = claimed;
    let sealed = tenant_secrets::sealed(tx, &tenant).await?;
    let rerun = rerun_of(tx, &run, &triggers).await?;
    if let Some(rerun) = &rerun {
        let of = rerun.triggers_run_id;
        triggers = triggers_of(tx, &[of])
            .await?
            .remove(&of)
            .unwrap_or_default();
        configs_of_rerun(tx, &release, rerun, &mut tenant).await?;
    }
    // Settings that changed while the run waited for a node are what it gets.
    let names_version =
        rerun.is_some_and(|it| it.configs.is_some() || it.configs_version.is_some());
    if !names_version && run.configs_version != Some(tenant.configs_version) {
        run.configs_version = Some(tenant.configs_version);
        runs::update_configs_version(tx, run.id, tenant.configs_version)
            .await
            .map_err(store_error)?;
    }
    let (last, last_successful) = former.of(&run.given);
    let output = output_of(tx, &run.given).await?;
    let build_secrets = known.build_secrets(tx, integration.id).await?;
    Ok(RunJob {
        run,
        tenant,
        sealed,
        integration,
        build_secrets,
        release,
        triggers,
        last,
        last_successful,
        output,
        metadata,
    })
}

async fn rerun_of(tx: &mut Tx, run: &Run, triggers: &[Trigger]) -> Result<Option<Rerun>> {
    match triggers.first() {
        Some(trigger) if run.rerun_of.is_some() => {
            reruns::find(tx, trigger.id).await.map_err(store_error)
        }
        _ => Ok(None),
    }
}

/// The triggers of each of these runs, in order of arrival.
async fn triggers_of(tx: &mut Tx, runs: &[RunId]) -> Result<HashMap<RunId, Vec<Trigger>>> {
    let found = triggers::list_of_runs(tx, runs)
        .await
        .map_err(store_error)?;
    let mut of_runs: HashMap<RunId, Vec<Trigger>> = HashMap::with_capacity(runs.len());
    for trigger in found {
        if let Some(run) = trigger.run_id {
            of_runs.entry(run).or_default().push(trigger);
        }
    }
    Ok(of_runs)
}

/// Runs that others are told of.
pub(crate) struct Former(HashMap<RunId, Run>);

impl Former {
    /// Those that these states name.
    pub(crate) async fn read(tx: &mut Tx, given: &[Given]) -> Result<Self> {
        let named = |given: &Given| [given.last_run_id, given.last_successful_run_id];
        let ids: Vec<RunId> = given.iter().flat_map(named).flatten().collect();
        let runs = runs::list(tx, &ids).await.map_err(store_error)?;
        Ok(Self(runs.into_iter().map(|run| (run.id, run)).collect()))
    }

    /// The run that ended last, and the one that succeeded last.
    pub(crate) fn of(&self, given: &Given) -> (Option<Run>, Option<Run>) {
        let find = |id: Option<RunId>| self.0.get(&id?).cloned();
        (find(given.last_run_id), find(given.last_successful_run_id))
    }
}

/// What stands in place of the last successful run's output, where something does.
pub(crate) async fn output_of(tx: &mut Tx, given: &Given) -> Result<Option<Option<String>>> {
    match given.output_id {
        Some(id) => outputs::get(tx, id).await.map(Some).map_err(store_error),
        None => Ok(None),
    }
}

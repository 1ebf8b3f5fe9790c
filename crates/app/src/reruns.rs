//! Reruns: a past run once more, and state that somebody sets by hand.

use std::collections::BTreeSet;

use marquetry_manifest::json::is_json;
use marquetry_manifest::{MASK, secret_names};
use marquetry_model::{
    DecisionKind, Error, FieldError, Given, Integration, Loc, Release, Rerun, Result, Run, RunId,
    Scope, Tenant, TenantId, TriggerId,
};
use marquetry_store::{
    Tx, WriteTx, integrations, outputs, reruns, retention, runs, tenant_configs, tenant_states,
    triggers,
};
use serde_json::{Map, Value};

use crate::ctx::Ctx;
use crate::errors::store_error;
use crate::hints::Topic;
use crate::releases::{self, resolve};
use crate::settings::{Change, settle};
use crate::tenant_secrets;
use crate::tenants::{check, lock_live};
use crate::triggers::{NotAccepted, Refusal, full, note_refusal, refused};

/// An output is as long as the last line of a run may be, in bytes.
const LONGEST_OUTPUT: usize = 120 << 10;

/// What a rerun takes: what the run had, what there is now, or something of its own.
#[derive(Debug, Clone, PartialEq)]
pub enum Choice {
    /// As at that run.
    Original,
    /// As it is now.
    Current,
    /// Written by hand.
    Custom(Map<String, Value>),
}

/// How a run shall be repeated.
#[derive(Debug, Clone)]
pub struct RerunInput {
    /// The settings; secrets are always the present ones.
    pub configs: Choice,
    /// The state that it is given.
    pub std_out: Choice,
    /// Whether later runs see what it prints.
    pub is_saved: bool,
    /// Whether it runs the release of that run, not the tenant's present one.
    pub has_original_release: bool,
}

/// Asks for a past run once more. It is a run of its own, made of this trigger alone, that shows the
/// code the triggers of the first one.
///
/// # Errors
///
/// There is no such run; it is not over; it is older than what a run was given is kept, or than the body
/// of a webhook that it took; its tenant is archived, its integration paused or without a release;
/// settings that do not fit the form.
pub async fn run_rerun(ctx: &Ctx, id: RunId, input: RerunInput) -> Result<TriggerId> {
    ctx.require(Scope::Sync)?;
    if input.configs != Choice::Original && input.configs != Choice::Current {
        // Whoever writes settings could change the tenant's.
        ctx.require(Scope::Write)?;
    }
    if input.is_saved && matches!(input.std_out, Choice::Custom(_)) {
        // Whoever sets the state that later runs go on from could set the tenant's.
        ctx.require(Scope::Write)?;
    }
    note_refusal(ctx, rerun(ctx, id, input).await).await
}

async fn rerun(ctx: &Ctx, id: RunId, input: RerunInput) -> Result<TriggerId, NotAccepted> {
    let now = ctx.now();
    let mut tx = ctx.write().await?;
    let run = reruns::lock_run(&mut tx, id).await.map_err(store_error)?;
    let most = ctx.app.settings.limits.waiting_per_tenant;
    let tenant = lock_live(&mut tx, run.tenant_id).await?;
    if !run.phase.is_final() {
        let message = format!(
            "run {id} is {}; a run is repeated when it is over",
            run.phase
        );
        return Err(Error::conflict("run_live", message).into());
    }
    let integration = integrations::get(&mut tx, tenant.integration_id)
        .await
        .map_err(store_error)?;
    let release = release(&mut tx, &integration, &tenant, &run, &input).await?;
    let former = former(&mut tx, &run).await?;
    let triggers_run_id = former.as_ref().map_or(id, |former| former.triggers_run_id);
    check_bodies(ctx, &mut tx, &tenant, triggers_run_id).await?;
    let mut rerun = Rerun {
        triggers_run_id,
        release_id: input.has_original_release.then_some(release.id),
        is_saved: input.is_saved,
        ..Rerun::of(id)
    };
    let mut faults = rerun_faults(&input);
    match input.configs {
        Choice::Current => {}
        Choice::Original => {
            rerun.configs = former.and_then(|former| former.configs);
            rerun.configs_version = run.configs_version;
            if rerun.configs.is_none() && rerun.configs_version.is_none() {
                let why = format!("those of run {id} were not kept; take current, or write them");
                faults.push(FieldError::body("configs", why));
            }
        }
        Choice::Custom(configs) => {
            let configs = by_hand(ctx, &mut tx, &integration, &tenant, &release, configs).await?;
            rerun.configs = configs.map_err(|found| faults.extend(found)).ok();
        }
    }
    // Those of before versions are, too, were given a state that was not kept.
    if input.std_out == Choice::Original && run.configs_version.is_none() && run.rerun_of.is_none()
    {
        let why = format!("that of run {id} was not kept; take current, or write it");
        faults.push(FieldError::body("std_out", why));
    }
    if !faults.is_empty() {
        return Err(Error::Invalid(faults).into());
    }
    rerun.given = match input.std_out {
        Choice::Current => None,
        Choice::Original => Some(given_again(&mut tx, &run).await?),
        Choice::Custom(output) => {
            let text = Value::Object(output).to_string();
            let output = outputs::insert(&mut tx, tenant.id, Some(&text), now).await;
            let state = tenant_states::get(&mut tx, tenant.id).await;
            Some(Given {
                output_id: Some(output.map_err(store_error)?),
                ..state.map_err(store_error)?.given()
            })
        }
    };
    if !tenant_states::accept(&mut tx, tenant.id, now, most)
        .await
        .map_err(store_error)?
    {
        return Err(full(tenant.id, most).into());
    }
    let trigger = reruns::insert(&mut tx, tenant.id, run.mode, &rerun, now)
        .await
        .map_err(store_error)?;
    ctx.commit(tx, trigger.get()).await?;
    ctx.app.hints.give(Topic::Dispatch);
    Ok(trigger)
}

/// Refuses a run whose code would see a webhook again without its body.
async fn check_bodies(ctx: &Ctx, tx: &mut Tx, tenant: &Tenant, run: RunId) -> Result<()> {
    // First this, so that a body that is there stays.
    reruns::lock_run(tx, run).await.map_err(store_error)?;
    let forgotten = retention::find_forgotten(tx, run).await;
    let Some(trigger) = forgotten.map_err(store_error)? else {
        return Ok(());
    };
    let days = ctx.app.settings.retention.webhook_bodies.as_secs() / (24 * 3600);
    let message = format!(
        "trigger {trigger} of run {run} is a webhook whose body was kept for {days} days; to run it \
         again, send the body to POST /v2/tenants/{}/sync",
        tenant.id
    );
    Err(Error::conflict("webhook_body_gone", message))
}

/// What the run was given, if all of it is still kept.
async fn given_again(tx: &mut Tx, run: &Run) -> Result<Given> {
    let given = run.given;
    let wanted = [given.last_run_id, given.last_successful_run_id];
    for id in wanted.into_iter().flatten() {
        if runs::find(tx, id).await.map_err(store_error)?.is_none() {
            let why = format!(
                "run {id}, which run {} was given, is no longer kept; take current, or write it",
                run.id
            );
            return Err(Error::invalid("std_out", why));
        }
    }
    Ok(given)
}

/// The release that it will run, as far as it is known now.
async fn release(
    tx: &mut Tx,
    integration: &Integration,
    tenant: &Tenant,
    run: &Run,
    input: &RerunInput,
) -> Result<Release, NotAccepted> {
    if integration.paused {
        let message = format!(
            "integration {} is paused; resume it with PATCH /v2/integrations/{}",
            integration.name, integration.id
        );
        let error = refused("run_id", message);
        return Err(refusal(tenant, DecisionKind::RefusedPaused, error));
    }
    if input.has_original_release {
        let claimed = releases::claim(tx, run.integration_id, run.release_id).await?;
        return claimed.map_err(|why| {
            let why = format!("{why}, or repeat the run with release current");
            Error::invalid("release", why).into()
        });
    }
    let found = resolve(tx, integration, tenant).await?;
    found.ok_or_else(|| {
        let message = format!(
            "integration {} has no release that tenant {} could run; repeat it with release \
             original",
            integration.name, tenant.name
        );
        let error = refused("run_id", message);
        refusal(tenant, DecisionKind::RefusedNoRelease, error)
    })
}

fn refusal(tenant: &Tenant, kind: DecisionKind, error: Error) -> NotAccepted {
    let tenant = tenant.id;
    Refusal {
        tenant,
        kind,
        error,
    }
    .into()
}

/// How a run that is a rerun itself was asked for.
pub(crate) async fn former(tx: &mut Tx, run: &Run) -> Result<Option<Rerun>> {
    if run.rerun_of.is_none() {
        return Ok(None);
    }
    let taken = triggers::list_of_runs(tx, &[run.id]).await;
    match taken.map_err(store_error)?.first() {
        Some(trigger) => reruns::find(tx, trigger.id).await.map_err(store_error),
        None => Ok(None),
    }
}

/// Settings that were written by hand, checked as if they were the tenant's. Secrets are not among
/// them: one that is left out or masked means the present one, which is looked up when the run is made.
async fn by_hand(
    ctx: &Ctx,
    tx: &mut WriteTx,
    integration: &Integration,
    tenant: &Tenant,
    release: &Release,
    mut configs: Map<String, Value>,
) -> Result<Result<Map<String, Value>, Vec<FieldError>>> {
    configs.retain(|_, value| !value.is_null());
    let secrets = secrets_of(release, tenant);
    let mut seen = tenant.clone();
    tenant_secrets::open(ctx, tx, &mut seen).await?;
    let before = std::mem::replace(&mut seen.configs, configs.clone());
    for name in &secrets {
        let sent = seen.configs.entry(name.clone());
        sent.or_insert_with(|| MASK.into());
    }
    seen.integration_release_id = Some(release.id);
    seen.integration_release_channel = None;
    let change = Change {
        named: Some(configs.keys().cloned().collect()),
        before,
    };
    let mut faults = settle(ctx, tx, integration, &mut seen, &change).await?;
    faults.extend(
        check(ctx, &seen, &change.before)
            .into_iter()
            .filter(|fault| fault.loc.get(1) == Some(&Loc::Name("configs".into()))),
    );
    for name in &secrets {
        let given = configs.get(name);
        if given.is_some_and(|value| value.as_str() != Some(MASK)) {
            let why =
                format!("is a secret, and those are the present ones; leave it out or send {MASK}");
            let mut fault = FieldError::body("configs", why);
            fault.loc.push(Loc::Name(name.clone().into()));
            faults.push(fault);
        }
    }
    if !faults.is_empty() {
        return Ok(Err(faults));
    }
    configs.retain(|name, _| !secrets.contains(name));
    Ok(Ok(configs))
}

/// Gives a tenant the settings that its rerun shall have; secrets are the present ones.
pub(crate) async fn configs_of_rerun(
    tx: &mut Tx,
    release: &Release,
    rerun: &Rerun,
    tenant: &mut Tenant,
) -> Result<()> {
    let mut wanted = match (&rerun.configs, rerun.configs_version) {
        (Some(configs), _) => configs.clone(),
        (None, Some(version)) => {
            let found = tenant_configs::find(tx, tenant.id, version).await;
            match found.map_err(store_error)? {
                Some(configs) => configs,
                None => return Ok(()),
            }
        }
        (None, None) => return Ok(()),
    };
    let secrets = secrets_of(release, tenant);
    for name in &secrets {
        match tenant.configs.get(name) {
            Some(value) => drop(wanted.insert(name.clone(), value.clone())),
            None => drop(wanted.shift_remove(name)),
        }
    }
    // All of them are masked in the log.
    tenant.secret_configs = secrets;
    tenant.configs = wanted;
    Ok(())
}

/// The names of all secrets: also of those that only this release, or only a former one, calls so.
fn secrets_of(release: &Release, tenant: &Tenant) -> BTreeSet<String> {
    let mut secrets = secret_names(release.config_schema.as_ref());
    secrets.extend(tenant.secret_configs.iter().cloned());
    secrets
}

/// What is wrong with an output that is written by hand.
pub fn output_fault(text: &str) -> Option<FieldError> {
    let why = if text.len() > LONGEST_OUTPUT {
        format!(
            "has {} bytes; an output may have {LONGEST_OUTPUT}",
            text.len()
        )
    } else if !is_json(text) {
        "must be JSON: runs are given nothing else".to_owned()
    } else {
        return None;
    };
    Some(FieldError::body("std_out", why))
}

/// What is wrong with how a run shall be repeated, whatever run that is.
pub fn rerun_faults(input: &RerunInput) -> Vec<FieldError> {
    let Choice::Custom(output) = &input.std_out else {
        return Vec::new();
    };
    let text = Value::Object(output.clone()).to_string();
    output_fault(&text).into_iter().collect()
}

/// Sets what the tenant's next run sees as the last successful output, until another run succeeds;
/// none: no output at all. A run that is made already is not touched.
pub async fn state_set(ctx: &Ctx, id: TenantId, std_out: Option<String>) -> Result<()> {
    ctx.require(Scope::Write)?;
    if let Some(fault) = std_out.as_deref().and_then(output_fault) {
        return Err(Error::Invalid(vec![fault]));
    }
    let mut tx = ctx.write().await?;
    lock_live(&mut tx, id).await?;
    let output = outputs::insert(&mut tx, id, std_out.as_deref(), ctx.now())
        .await
        .map_err(store_error)?;
    tenant_states::update_output(&mut tx, id, output)
        .await
        .map_err(store_error)?;
    tx.commit().await.map_err(store_error)
}

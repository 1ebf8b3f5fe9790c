//! Rows that other rows need.

use marquetry_model::{
    Build, BuildId, Given, Integration, IntegrationId, Mode, NewBuild, Outcome, PageRequest,
    Release, ReleaseId, Run, RunId, Sort, Source, Stop, Tenant, TenantId, TenantSource, Timestamp,
    Trigger, TriggerId, Waiting,
};
use marquetry_store::logs::{Chunk, LogOf};
use marquetry_store::runs::{Claimer, NewRun, RunClaim};
use marquetry_store::tenant_states::{Dispatched, Ended};
use marquetry_store::{
    Tx, builds, integrations, logs, releases, runs, tenant_states, tenants, triggers,
};

use super::{Db, NOW, at};

/// Text that trips what is careless: quotes, placeholders, LIKE signs, line ends, other scripts,
/// characters beyond 16 bits, one that combines.
pub(crate) const ODD: &str =
    "a'b\"c\\d $1 ? %_ ;-- \r\n\t\u{1} Grüße 你好 \u{1F980} e\u{301}\u{feff}";

pub(crate) fn integration(name: &str) -> Integration {
    Integration::new(name.to_owned(), format!("The {name}"), NOW)
}

pub(crate) fn tenant(integration: IntegrationId, name: &str) -> Tenant {
    Tenant {
        id: TenantId::new(0),
        integration_id: integration,
        name: name.to_owned(),
        user_name: None,
        source: TenantSource::Api,
        configs: serde_json::Map::new(),
        paused: false,
        user_schedule: None,
        schedule: None,
        timezone: None,
        integration_release_id: None,
        integration_release_channel: None,
        dynamic_configs: serde_json::Map::new(),
        configs_version: 0,
        secret_configs: std::collections::BTreeSet::new(),
        archived_at: None,
        created_at: NOW,
        modified_at: NOW,
    }
}

pub(crate) fn release(integration: IntegrationId, build: BuildId, name: &str) -> Release {
    Release {
        id: ReleaseId::new(0),
        integration_id: integration,
        build_id: build,
        name: name.to_owned(),
        tag: "v1".to_owned(),
        branch: None,
        commit_hash: None,
        manifest_path: "PANDIUM.yaml".to_owned(),
        config_version: "0.1".to_owned(),
        base: "python:3.11".to_owned(),
        run_command: "python -m sync".to_owned(),
        config_schema: None,
        metadata_schema: None,
        narrowing: None,
        artifact: "blake-1".to_owned(),
        counts_as_latest: true,
        created_at: NOW,
        artifact_removed_at: None,
    }
}

pub(crate) fn trigger(tenant: TenantId) -> Trigger {
    Trigger {
        id: TriggerId::new(0),
        tenant_id: tenant,
        source: Source::Api,
        mode: Mode::Normal,
        payload: None,
        payload_blob: None,
        headers: None,
        run_id: None,
        cancelled_at: None,
        created_at: NOW,
    }
}

pub(crate) async fn add_integration(tx: &mut Tx, name: &str) -> IntegrationId {
    let row = integration(name);
    integrations::insert(tx, &row).await.unwrap().unwrap()
}

pub(crate) async fn add_build(tx: &mut Tx, integration: IntegrationId) -> Build {
    let wanted = NewBuild {
        integration_id: integration,
        tag: None,
        branch: None,
        latest: None,
    };
    builds::insert(tx, &wanted, NOW).await.unwrap()
}

pub(crate) async fn add_tenant(tx: &mut Tx, integration: IntegrationId, name: &str) -> TenantId {
    let row = tenant(integration, name);
    tenants::insert(tx, &row).await.unwrap().unwrap()
}

pub(crate) async fn add_trigger(tx: &mut Tx, tenant: TenantId) -> TriggerId {
    triggers::insert(tx, &trigger(tenant)).await.unwrap()
}

/// An integration with a release and tenants.
pub(crate) struct World {
    pub(crate) integration: IntegrationId,
    pub(crate) release: ReleaseId,
    pub(crate) tenants: Vec<TenantId>,
}

impl World {
    /// Committed; tenants are called `t0`, `t1`….
    pub(crate) async fn make(db: &Db, tenants: usize) -> Self {
        let mut tx = db.write().await;
        let world = Self::make_in(&mut tx, "crm", tenants).await;
        tx.commit().await.unwrap();
        world
    }

    pub(crate) async fn make_in(tx: &mut Tx, name: &str, tenants: usize) -> Self {
        let integration = add_integration(tx, name).await;
        let build = add_build(tx, integration).await.id;
        let release = release(integration, build, &format!("{name}-v1"));
        let release = releases::insert(tx, &release).await.unwrap().unwrap();
        let mut made = Vec::new();
        for n in 0..tenants {
            made.push(add_tenant(tx, integration, &format!("t{n}")).await);
        }
        Self {
            integration,
            release,
            tenants: made,
        }
    }

    pub(crate) fn run(&self, tenant: TenantId) -> NewRun {
        NewRun {
            tenant_id: tenant,
            integration_id: self.integration,
            release_id: self.release,
            mode: Mode::Normal,
            rerun_of: None,
            is_saved: true,
            configs_version: Some(0),
            given: Given::default(),
            stop: Stop::QueueEmpty,
        }
    }

    /// A run that waits.
    pub(crate) async fn add_run(&self, tx: &mut Tx, tenant: TenantId) -> Run {
        let made = insert_run(tx, &self.run(tenant), None, NOW).await;
        made.unwrap().expect("the tenant has no live run")
    }

    /// A run that `node` has for a minute.
    pub(crate) async fn add_running(&self, tx: &mut Tx, tenant: TenantId, node: &str) -> Run {
        let made = insert_run(tx, &self.run(tenant), Some(&claimer(node)), NOW).await;
        made.unwrap().expect("the tenant has no live run")
    }
}

/// One run; none when its tenant has a live one.
pub(crate) async fn insert_run(
    tx: &mut Tx,
    run: &NewRun,
    claimer: Option<&Claimer>,
    now: Timestamp,
) -> marquetry_store::Result<Option<Run>> {
    let made = runs::insert(tx, std::slice::from_ref(run), claimer, now).await?;
    Ok(made.into_iter().next().expect("an answer for each run"))
}

/// Gives waiting triggers to one run; answers how many it got.
pub(crate) async fn give_to(tx: &mut Tx, run: RunId, ids: &[TriggerId]) -> u64 {
    let taken: Vec<_> = ids.iter().map(|id| (*id, run)).collect();
    triggers::update_taken(tx, &taken).await.unwrap()
}

/// What waits for one tenant.
pub(crate) async fn waiting_of(tx: &mut Tx, tenant: TenantId) -> Vec<Waiting> {
    let found = triggers::list_waiting(tx, &[tenant]).await.unwrap();
    assert!(found.iter().all(|(of, _)| *of == tenant));
    found.into_iter().map(|(_, waiting)| waiting).collect()
}

/// Ends a run; false when the claim is lost.
pub(crate) async fn finish_run(
    tx: &mut Tx,
    claim: &RunClaim,
    outcome: &Outcome,
    now: Timestamp,
) -> marquetry_store::Result<bool> {
    let kept = runs::finish(tx, &[(claim, outcome)], now).await?;
    Ok(kept == [true])
}

/// A tenant's live run has ended; answers whether triggers wait.
pub(crate) async fn end_run(
    tx: &mut Tx,
    tenant_id: TenantId,
    run_id: RunId,
    succeeded: bool,
    now: Timestamp,
) -> marquetry_store::Result<bool> {
    let ended = Ended {
        tenant_id,
        run_id,
        succeeded,
    };
    let waits = tenant_states::update_ended(tx, &[ended], now).await?;
    Ok(waits == [true])
}

/// Adds a chunk to a log.
pub(crate) async fn append_log(
    tx: &mut Tx,
    of: LogOf,
    number: i64,
    bytes: Vec<u8>,
) -> marquetry_store::Result<()> {
    logs::append(tx, vec![(of, Chunk { number, bytes })]).await
}

/// What a run has taken.
pub(crate) fn dispatched(
    tenant_id: TenantId,
    taken: i64,
    due_at: Option<Timestamp>,
    run_id: RunId,
) -> Dispatched {
    Dispatched {
        tenant_id,
        taken,
        due_at,
        run_id,
    }
}

/// A node whose lease holds for a minute.
pub(crate) fn claimer(node: &str) -> Claimer {
    Claimer {
        node: node.to_owned(),
        lease_until: at(60_000),
    }
}

/// A page in the order that `sort` (`name__DESC`) asks for.
pub(crate) fn sorted(sort: &str) -> PageRequest {
    PageRequest {
        sort: Some(Sort::parse(sort).unwrap()),
        ..PageRequest::default()
    }
}

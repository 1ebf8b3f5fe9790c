//! The product inside the test's own process, without an engine: the test itself says what builds
//! make and how runs end. For tests of a door.

use std::sync::Arc;
use std::time::Duration;

use marquetry_app::connectors::Files;
use marquetry_app::jobs::RunJob;
use marquetry_app::nodes::{NodeSign, node_tell};
use marquetry_app::retention::{Removed, Retention, retain};
use marquetry_app::tenant_secrets::run_configs;
use marquetry_app::{
    App, Ctx, Limits, MasterKey, Settings, bootstrap_key, builds, dispatch, polls, run_engine,
    schedules, secret_sweeps,
};
use marquetry_blobs::Blobs;
use marquetry_model::{
    ApiKeyId, Build, BuildId, BuildStatus, Given, Integration, IntegrationId, Mode, NewBuild, Node,
    NodeId, Release, ReleaseId, Run, SimClock, Tenant, TenantId, Timestamp,
};
use marquetry_outbound::{AddressPolicy, HttpClient, Resolver};
pub use marquetry_store::builds::BuildClaim;
use marquetry_store::builds::BuildEnd;
use marquetry_store::idempotency::{self, KeyOf};
pub use marquetry_store::runs::RunClaim;
use marquetry_store::runs::{Claimer, NewRun};
use marquetry_store::tenant_states::Dispatched;
use marquetry_store::{
    Options, Store, data_keys, integrations, nodes, reruns, runs, tenant_configs, tenant_secrets,
    tenant_states, tenants,
};
use marquetry_vault::Place;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{Database, PostgresDatabase};

/// An application on a database of its own (SQLite unless said) with a folder of its own, whose time the test moves.
pub struct Inside {
    /// The application.
    pub app: Arc<App>,
    /// Its time.
    pub clock: Arc<SimClock>,
    /// The owner's key.
    pub key: String,
    /// Its folder; repositories may lie in `repositories` below it.
    pub folder: TempDir,
    pub(crate) postgres: Option<PostgresDatabase>,
}

const NODE: &str = "node-of-the-test";

impl Inside {
    /// A fresh one.
    pub async fn new() -> Self {
        Self::with_limits(Limits::default()).await
    }

    /// A fresh one on this database.
    pub async fn on(database: Database) -> Self {
        Self::with(database, Limits::default()).await
    }

    /// A fresh one with other limits.
    pub async fn with_limits(limits: Limits) -> Self {
        Self::with(Database::Sqlite, limits).await
    }

    /// A fresh one on this database with other limits.
    pub async fn with(database: Database, limits: Limits) -> Self {
        Self::keeping(database, limits, Retention::default()).await
    }

    /// The same, which keeps what is kept for so long.
    pub async fn keeping(database: Database, limits: Limits, retention: Retention) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(SimClock::new(
            Timestamp::parse("2026-11-23T20:00:00.000Z").unwrap(),
        ));
        let postgres = match database {
            Database::Sqlite => None,
            Database::Postgres => Some(PostgresDatabase::create().await),
        };
        let options = match &postgres {
            None => Options::Sqlite {
                folder: folder.path().join("data"),
                readers: 2,
            },
            Some(postgres) => Options::Postgres {
                url: postgres.url.clone(),
                connections: 4,
            },
        };
        let repositories = folder.path().join("repositories");
        std::fs::create_dir(&repositories).unwrap();
        let uploads = folder.path().join("uploads");
        std::fs::create_dir(&uploads).unwrap();
        let now = Timestamp::parse("2026-11-23T20:00:00.000Z").unwrap();
        let store = Store::open(&options, now).await.unwrap();
        let location = format!("file:{}", folder.path().join("blobs").display());
        let blobs = Blobs::open(&location, &marquetry_blobs::S3Settings::default()).unwrap();
        let key = MasterKey::generate()
            .and_then(|text| MasterKey::read(&text))
            .unwrap();
        let settings = Settings {
            master_key: Arc::new(key),
            other_master_keys: Vec::new(),
            environment: "test".into(),
            local_repositories: repositories,
            public_url: None,
            host_network_allowed: false,
            uploads_dir: uploads,
            connectors: Files::new(),
            limits,
            retention,
        };
        let loopback = "127.0.0.0/8".parse().unwrap();
        let policy = AddressPolicy::opening(vec![loopback]);
        let http = HttpClient::new(policy, Arc::new(Resolver::system())).unwrap();
        let app = App::new(store, blobs, http, clock.clone(), settings)
            .await
            .unwrap();
        let key = bootstrap_key(&app, None).await.unwrap().unwrap();
        Self {
            app,
            clock,
            key,
            folder,
            postgres,
        }
    }

    /// A second node: an application of its own on the same database, with the same time. SQLite has one for all.
    pub async fn second_node(&self) -> Arc<App> {
        let Some(postgres) = &self.postgres else {
            return Arc::clone(&self.app);
        };
        let options = Options::Postgres {
            url: postgres.url.clone(),
            connections: 4,
        };
        let first = &self.app;
        let store = Store::open(&options, first.now()).await.unwrap();
        let (blobs, http) = (first.blobs.clone(), first.http.clone());
        let (clock, settings) = (first.clock.clone(), first.settings.clone());
        let second = App::new(store, blobs, http, clock, settings).await;
        second.unwrap()
    }

    /// The platform itself.
    pub fn system(&self) -> Ctx {
        Ctx::system(Arc::clone(&self.app))
    }

    /// What a node tells of itself, which has two of its eight places taken.
    pub async fn node_tells(&self, name: &str, draining: bool) {
        let sign = NodeSign {
            name: name.to_owned(),
            version: "0.1.0".to_owned(),
            roles: vec!["api".to_owned(), "runner".to_owned()],
            run_slots: 8,
            live_runs: 2,
            build_slots: 0,
            live_builds: 0,
            draining,
            started_at: self.app.now(),
        };
        node_tell(&self.system(), &sign).await.unwrap();
    }

    /// A node that told of itself at the time of the test, whatever the database's clock shows.
    pub async fn node_was_seen(&self, name: &str) {
        let now = self.app.now();
        let node = Node {
            id: NodeId::new(0),
            name: name.to_owned(),
            version: "0.1.0".to_owned(),
            roles: Vec::new(),
            run_slots: 0,
            live_runs: 0,
            build_slots: 0,
            live_builds: 0,
            clock_ahead_ms: None,
            draining: false,
            started_at: now,
            seen_at: now,
        };
        let mut tx = self.app.store.write().await.unwrap();
        nodes::update(&mut tx, &node).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Takes the oldest waiting build, as a node does.
    pub async fn take_build(&self) -> BuildClaim {
        let until = self.app.now().plus(Duration::from_secs(60));
        let claimed = builds::builds_claim(&self.system(), NODE, until, 1)
            .await
            .unwrap();
        let build = &claimed.first().expect("a build waits").build;
        BuildClaim {
            id: build.id,
            attempt: build.attempt,
            node: NODE.into(),
        }
    }

    /// Lets the lease of a build that was taken end, so that it waits again.
    pub async fn lose_node(&self) {
        self.clock.advance(Duration::from_secs(61));
        let found = builds::builds_reap(&self.system(), None).await.unwrap();
        assert_eq!(found, 1, "one build was taken");
    }

    /// Adds to the log of a build that was taken.
    pub async fn build_log(&self, claim: &BuildClaim, number: i64, text: &[u8]) {
        let until = self.app.now().plus(Duration::from_secs(60));
        let chunk = Some((number, text.to_vec()));
        let kept = builds::build_progress(&self.system(), claim, until, chunk)
            .await
            .unwrap();
        assert!(kept.is_some(), "the claim holds");
    }

    /// Ends a build that was taken badly, when its commit was known.
    pub async fn fail_build(&self, claim: &BuildClaim, commit: &str) {
        let end = BuildEnd {
            status: BuildStatus::Failed,
            message: Some("it failed".into()),
            tag: None,
            commit_hash: Some(commit.into()),
            release_ids: Vec::new(),
        };
        let kept = builds::build_finish(&self.system(), claim, end, Vec::new(), None)
            .await
            .unwrap();
        assert!(kept, "the claim holds");
    }

    /// Ends a build that was taken, with one release; answers the release.
    pub async fn end_build(&self, claim: &BuildClaim, integration: i64, tag: &str) -> ReleaseId {
        let now = self.app.now();
        let release = release(claim.id, IntegrationId::new(integration), tag, now);
        self.end_build_with(claim, release).await
    }

    /// Ends a build that was taken, with one release if that is kept; answers what became of it.
    pub async fn finish_build(&self, claim: &BuildClaim, integration: i64, tag: &str) -> Build {
        let now = self.app.now();
        let release = release(claim.id, IntegrationId::new(integration), tag, now);
        self.finish_build_with(claim, release).await
    }

    async fn end_build_with(&self, claim: &BuildClaim, release: Release) -> ReleaseId {
        self.finish_build_with(claim, release).await.release_ids[0]
    }

    pub(crate) async fn finish_build_with(&self, claim: &BuildClaim, release: Release) -> Build {
        let end = BuildEnd {
            status: BuildStatus::Succeeded,
            message: None,
            tag: Some(release.tag.clone()),
            commit_hash: Some("0".repeat(40)),
            release_ids: Vec::new(),
        };
        let kept = builds::build_finish(&self.system(), claim, end, vec![release], None)
            .await
            .unwrap();
        assert!(kept, "the claim holds");
        builds::build_get(&self.system(), claim.id).await.unwrap()
    }

    /// The same with a form (`configs` of a manifest) and a `metadata_schema`.
    pub async fn release_with_form(
        &self,
        integration: i64,
        tag: &str,
        configs: Option<Value>,
        metadata_schema: Option<Value>,
    ) -> ReleaseId {
        self.ask_for_build(integration, tag).await;
        let claim = self.take_build().await;
        let now = self.app.now();
        let release = Release {
            config_schema: configs,
            metadata_schema,
            ..release(claim.id, IntegrationId::new(integration), tag, now)
        };
        self.end_build_with(&claim, release).await
    }

    /// Asks for a build and ends it with one release; the integration needs a repository.
    pub async fn release(&self, integration: i64, tag: &str) -> ReleaseId {
        self.ask_for_build(integration, tag).await;
        let claim = self.take_build().await;
        self.end_build(&claim, integration, tag).await
    }

    async fn ask_for_build(&self, integration: i64, tag: &str) {
        let wanted = NewBuild {
            integration_id: IntegrationId::new(integration),
            tag: Some(tag.into()),
            branch: None,
            latest: None,
        };
        builds::build_create(&self.system(), wanted).await.unwrap();
    }

    /// Removes what is kept no longer, as a node does.
    pub async fn retain(&self) -> Removed {
        retain(&self.system(), 0).await.unwrap()
    }

    /// Looks at the schedules, as a node does; answers how many triggers it made.
    pub async fn fire_schedules(&self) -> usize {
        let fired = schedules::schedules_fire(&self.system()).await;
        fired.unwrap().fired
    }

    /// Gives a tenant settings that no door would take: those of an older version.
    pub async fn set_configs(&self, tenant: i64, configs: serde_json::Map<String, Value>) {
        self.set_tenant(tenant, |tenant| tenant.configs = configs)
            .await;
    }

    /// Makes of a tenant what no door would take: one of an older version.
    pub async fn set_tenant(&self, tenant: i64, change: impl FnOnce(&mut Tenant)) {
        let mut tx = self.app.store.write().await.unwrap();
        let found = tenants::lock(&mut tx, TenantId::new(tenant)).await;
        let mut changed = found.unwrap();
        change(&mut changed);
        tenants::update(&mut tx, &changed).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// What is kept of the answer to the owner's request with an `Idempotency-Key`, as it is stored.
    pub async fn kept_answer(&self, key: &str) -> String {
        let mut tx = self.app.store.read().await.unwrap();
        let of = KeyOf {
            api_key: ApiKeyId::new(1),
            key,
        };
        let done = idempotency::find(&mut tx, of, self.app.now()).await;
        let answer = done.unwrap().unwrap().answer;
        format!("{:?}", answer.expect("it was answered"))
    }

    /// Archives an integration and leaves its tenants as they are, which no door does: an older version
    /// could, when a tenant came in between.
    pub async fn archive_integration_alone(&self, integration: i64) {
        let mut tx = self.app.store.write().await.unwrap();
        let found = integrations::lock(&mut tx, IntegrationId::new(integration)).await;
        let archived = Integration {
            archived_at: Some(self.app.now()),
            ..found.unwrap()
        };
        integrations::update(&mut tx, &archived).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Looks at the branches that are due, as a node does, and sees the same everywhere: a commit,
    /// or why there is none. Answers how many looks it made.
    pub async fn look_at_branches(&self, seen: Result<&str, &str>) -> usize {
        let longest = Duration::from_secs(90);
        let due = polls::polls_claim(&self.system(), longest, 9)
            .await
            .unwrap();
        for claim in &due.claims {
            let seen = seen.map(str::to_owned).map_err(str::to_owned);
            polls::poll_finish(&self.system(), claim, seen)
                .await
                .unwrap();
        }
        due.claims.len()
    }

    /// Makes a run of what waits and takes it, as a node does.
    pub async fn take_run(&self) -> (Run, RunClaim) {
        let (job, claim) = self.take_job().await;
        (job.run, claim)
    }

    /// Looks at what waits, as a node does; answers whether there was nothing to take.
    pub async fn take_none(&self) -> bool {
        let taken = dispatch::runs_take(&self.system(), &self.claimer(), 1).await;
        taken.unwrap().jobs.is_empty()
    }

    pub(crate) fn claimer(&self) -> Claimer {
        Claimer {
            node: NODE.into(),
            lease_until: self.app.now().plus(Duration::from_secs(60)),
        }
    }

    /// The same with all that the run is given, secrets among its settings.
    pub async fn take_job(&self) -> (RunJob, RunClaim) {
        let taken = dispatch::runs_take(&self.system(), &self.claimer(), 1)
            .await
            .unwrap();
        let mut job = taken.jobs.into_iter().next().expect("a run waits");
        let configs = run_configs(&self.system(), &job).await;
        job.tenant.configs = configs.unwrap();
        let claim = RunClaim {
            id: job.run.id,
            attempt: job.run.attempt,
            node: NODE.into(),
        };
        (job, claim)
    }

    /// Takes a run as they were made before what a run is given was kept.
    pub async fn take_old_run(&self, tenant: i64) -> (Run, RunClaim) {
        let id = TenantId::new(tenant);
        let mut tx = self.app.store.write().await.unwrap();
        let integration = tenants::get(&mut tx, id).await.unwrap().integration_id;
        let release = marquetry_store::releases::find_latest(&mut tx, integration).await;
        let wanted = NewRun {
            tenant_id: id,
            integration_id: integration,
            release_id: release.unwrap().expect("there is a release").id,
            mode: Mode::Normal,
            rerun_of: None,
            is_saved: true,
            configs_version: None,
            given: Given::default(),
            stop: marquetry_model::Stop::QueueEmpty,
        };
        let claimer = Claimer {
            node: NODE.into(),
            lease_until: self.app.now().plus(Duration::from_secs(60)),
        };
        let made = runs::insert(&mut tx, &[wanted], Some(&claimer), self.app.now()).await;
        let run = made.unwrap().pop().flatten();
        let run = run.expect("the tenant has no live run");
        let dispatched = Dispatched {
            tenant_id: id,
            taken: 0,
            due_at: None,
            run_id: run.id,
        };
        tenant_states::update_dispatched(&mut tx, &[dispatched])
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let claim = RunClaim {
            id: run.id,
            attempt: run.attempt,
            node: NODE.into(),
        };
        (run, claim)
    }

    /// Adds to the log of a run that was taken.
    pub async fn run_log(&self, run: &Run, claim: &RunClaim, number: i64, text: &[u8]) {
        let until = self.app.now().plus(Duration::from_secs(60));
        let chunk = (number, text.to_vec());
        let kept = run_engine::run_log(&self.system(), run.tenant_id, claim, until, chunk)
            .await
            .unwrap();
        assert!(kept, "the claim holds");
    }

    /// The settings of a tenant as its row has them.
    pub async fn stored_configs(&self, tenant: i64) -> Value {
        let mut tx = self.app.store.read().await.unwrap();
        let found = tenants::get(&mut tx, TenantId::new(tenant)).await;
        Value::Object(found.unwrap().configs)
    }

    /// The settings that are kept for reruns of a tenant: former ones by version, and those that were
    /// written by hand.
    pub async fn stored_for_reruns(&self, tenant: i64) -> Value {
        let mut tx = self.app.store.read().await.unwrap();
        let id = TenantId::new(tenant);
        let former = tenant_configs::list(&mut tx, id).await.unwrap();
        let by_hand = reruns::list_by_hand(&mut tx, id).await.unwrap();
        let by_hand: Vec<_> = by_hand.into_iter().map(|(_, configs)| configs).collect();
        json!({"former": former, "by_hand": by_hand})
    }

    /// The sealed text of a tenant's secret settings.
    pub async fn sealed(&self, tenant: i64) -> Option<String> {
        let mut tx = self.app.store.read().await.unwrap();
        let found = tenant_secrets::find(&mut tx, TenantId::new(tenant)).await;
        found.unwrap()
    }

    /// Puts another text in its place.
    pub async fn set_sealed(&self, tenant: i64, text: &str) {
        let mut tx = self.app.store.write().await.unwrap();
        let now = self.app.now();
        tenant_secrets::update(&mut tx, TenantId::new(tenant), text, now)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    /// The secret settings of a tenant, opened as they lie.
    pub async fn stored_secrets(&self, tenant: i64) -> Value {
        let Some(sealed) = self.sealed(tenant).await else {
            return Value::Null;
        };
        let mut tx = self.app.store.read().await.unwrap();
        let key = data_keys::find(&mut tx, "tenants").await.unwrap().unwrap();
        let master = &self.app.settings.master_key;
        let key = master.open_data_key(key.id, "tenants", &key.wrapped);
        let place = Place {
            table: "tenant_secrets",
            column: "sealed",
            row: tenant,
        };
        let plain = key.unwrap().open(place, &sealed).unwrap();
        serde_json::from_slice(&plain).unwrap()
    }

    /// Seals what has become a secret, as a node does; answers how many tenants had some.
    pub async fn sweep_secrets(&self) -> usize {
        let swept = secret_sweeps::secrets_sweep(&self.system()).await;
        swept.unwrap().sealed
    }
}

pub(crate) fn release(
    build: BuildId,
    integration: IntegrationId,
    tag: &str,
    now: Timestamp,
) -> Release {
    Release {
        id: ReleaseId::new(0),
        integration_id: integration,
        build_id: build,
        name: format!("inside-{tag}"),
        tag: tag.into(),
        branch: Some("main".into()),
        commit_hash: Some("0".repeat(40)),
        manifest_path: "PANDIUM.yaml".into(),
        config_version: "1.0".into(),
        base: "python:3.11".into(),
        run_command: "true".into(),
        config_schema: Some(json!({"schema": {"type": "object"}})),
        metadata_schema: None,
        narrowing: None,
        artifact: "artifact:sha256:0".into(),
        counts_as_latest: true,
        created_at: now,
        artifact_removed_at: None,
    }
}

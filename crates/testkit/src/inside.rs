//! The product inside the test's own process, without an engine: the test itself says what builds
//! make and how runs end. For tests of a door.

use std::sync::Arc;
use std::time::Duration;

use marquetry_app::run_engine::{Finished, RunEnd};
use marquetry_app::{
    App, Ctx, Limits, MasterKey, Settings, bootstrap_key, builds, learned, polls, releases,
    run_engine, schedules,
};
use marquetry_blobs::Blobs;
use marquetry_model::{
    BuildId, BuildStatus, IntegrationId, NewBuild, Outcome, Phase, Release, ReleaseId, Run,
    RunUsage, SimClock, Tenant, TenantId, Timestamp,
};
pub use marquetry_store::builds::BuildClaim;
use marquetry_store::builds::BuildEnd;
use marquetry_store::runs::Claimer;
pub use marquetry_store::runs::RunClaim;
use marquetry_store::{Options, Store, tenants};
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
    _postgres: Option<PostgresDatabase>,
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

    async fn with(database: Database, limits: Limits) -> Self {
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
            environment: "test".into(),
            local_repositories: repositories,
            public_url: None,
            host_network_allowed: false,
            uploads_dir: uploads,
            limits,
        };
        let app = App::new(store, blobs, clock.clone(), settings)
            .await
            .unwrap();
        let key = bootstrap_key(&app, None).await.unwrap().unwrap();
        Self {
            app,
            clock,
            key,
            folder,
            _postgres: postgres,
        }
    }

    /// The platform itself.
    pub fn system(&self) -> Ctx {
        Ctx::system(Arc::clone(&self.app))
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

    async fn end_build_with(&self, claim: &BuildClaim, release: Release) -> ReleaseId {
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
        let build = builds::build_get(&self.system(), claim.id).await.unwrap();
        build.release_ids[0]
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

    /// Makes runs of what waits and takes one, as a node does.
    pub async fn take_run(&self) -> (Run, RunClaim) {
        let (job, claim) = self.take_job().await;
        (job.run, claim)
    }

    /// The same with all that the run is given.
    pub async fn take_job(&self) -> (run_engine::RunJob, RunClaim) {
        let claimer = Claimer {
            node: NODE.into(),
            lease_until: self.app.now().plus(Duration::from_secs(60)),
        };
        let taken = run_engine::runs_take(&self.system(), Some(&claimer), 1)
            .await
            .unwrap();
        let job = taken.jobs.into_iter().next().expect("a run waits");
        let claim = RunClaim {
            id: job.run.id,
            attempt: job.run.attempt,
            node: NODE.into(),
        };
        (job, claim)
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

    /// The settings of a tenant as they are stored, secrets included.
    pub async fn stored_configs(&self, tenant: i64) -> Value {
        let mut tx = self.app.store.read().await.unwrap();
        let found = marquetry_store::tenants::get(&mut tx, TenantId::new(tenant)).await;
        Value::Object(found.unwrap().configs)
    }

    /// Ends a run that was taken, well.
    pub async fn end_run(&self, run: &Run, claim: &RunClaim, std_out: &str) {
        let mut outcome = Outcome {
            phase: Phase::Succeeded,
            message: None,
            exit_code: Some(0),
            std_out: Some(std_out.into()),
            usage: RunUsage::default(),
        };
        let release = releases::release_get(&self.system(), run.integration_id, run.release_id)
            .await
            .unwrap();
        let learned = learned::judge(&release, run.mode, &mut outcome);
        let end = RunEnd {
            tenant: run.tenant_id,
            claim,
            outcome: &outcome,
            learned: &learned,
            chunk: None,
        };
        let finished = run_engine::run_finish(&self.system(), end, None)
            .await
            .unwrap();
        assert!(matches!(finished, Finished::Kept(_)), "the claim holds");
    }
}

fn release(build: BuildId, integration: IntegrationId, tag: &str, now: Timestamp) -> Release {
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
    }
}

//! The product inside the test's own process, without an engine: the test itself says what builds
//! make and how runs end. For tests of a door.

use std::sync::Arc;
use std::time::Duration;

use marquetry_app::{
    App, Ctx, Limits, Settings, bootstrap_key, builds, polls, run_engine, schedules,
};
use marquetry_blobs::Blobs;
use marquetry_model::{
    BuildId, BuildStatus, IntegrationId, NewBuild, Outcome, Phase, Release, ReleaseId, Run,
    RunUsage, SimClock, Timestamp,
};
use marquetry_store::builds::{BuildClaim, BuildEnd};
use marquetry_store::runs::Claimer;
pub use marquetry_store::runs::RunClaim;
use marquetry_store::{Options, Store};
use serde_json::json;
use tempfile::TempDir;

/// An application on SQLite in a folder of its own, whose time the test moves.
pub struct Inside {
    /// The application.
    pub app: Arc<App>,
    /// Its time.
    pub clock: Arc<SimClock>,
    /// The owner's key.
    pub key: String,
    /// Its folder; repositories may lie in `repositories` below it.
    pub folder: TempDir,
}

const NODE: &str = "node-of-the-test";

impl Inside {
    /// A fresh one.
    pub async fn new() -> Self {
        Self::with_limits(Limits::default()).await
    }

    /// A fresh one with other limits.
    pub async fn with_limits(limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(SimClock::new(
            Timestamp::parse("2026-11-23T20:00:00.000Z").unwrap(),
        ));
        let options = Options::Sqlite {
            folder: folder.path().join("data"),
            readers: 2,
        };
        let repositories = folder.path().join("repositories");
        std::fs::create_dir(&repositories).unwrap();
        let uploads = folder.path().join("uploads");
        std::fs::create_dir(&uploads).unwrap();
        let now = Timestamp::parse("2026-11-23T20:00:00.000Z").unwrap();
        let store = Store::open(&options, now).await.unwrap();
        let location = format!("file:{}", folder.path().join("blobs").display());
        let blobs = Blobs::open(&location, &marquetry_blobs::S3Settings::default()).unwrap();
        let settings = Settings {
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
        let (build, _) = claimed.first().expect("a build waits");
        BuildClaim {
            id: build.id,
            attempt: build.attempt,
            node: NODE.into(),
        }
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
        let end = BuildEnd {
            status: BuildStatus::Succeeded,
            message: None,
            tag: Some(tag.into()),
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

    /// Asks for a build and ends it with one release; the integration needs a repository.
    pub async fn release(&self, integration: i64, tag: &str) -> ReleaseId {
        let wanted = NewBuild {
            integration_id: IntegrationId::new(integration),
            tag: Some(tag.into()),
            branch: None,
            latest: None,
        };
        builds::build_create(&self.system(), wanted).await.unwrap();
        let claim = self.take_build().await;
        self.end_build(&claim, integration, tag).await
    }

    /// Looks at the schedules, as a node does; answers how many triggers it made.
    pub async fn fire_schedules(&self) -> usize {
        let fired = schedules::schedules_fire(&self.system()).await;
        fired.unwrap().fired
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
        (job.run, claim)
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

    /// Ends a run that was taken, well.
    pub async fn end_run(&self, run: &Run, claim: &RunClaim, std_out: &str) {
        let outcome = Outcome {
            phase: Phase::Succeeded,
            message: None,
            exit_code: Some(0),
            std_out: Some(std_out.into()),
            usage: RunUsage::default(),
        };
        let kept = run_engine::run_finish(&self.system(), run.tenant_id, claim, &outcome, None)
            .await
            .unwrap();
        assert!(kept, "the claim holds");
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

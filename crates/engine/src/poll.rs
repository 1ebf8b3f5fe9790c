//! Looks at the heads of tracking branches that are due, and sleeps until the next one is.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use marquetry_app::integration_secrets::{BuildSecrets, Credential, build_secrets};
use marquetry_app::polls::{PollClaim, poll_finish, polls_claim};
use marquetry_app::{Topic, repository};
use marquetry_manifest::LastLine;
use marquetry_sandbox::{Access, Limits, Spec, Status};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::build::git;
use crate::inner::Inner;
use crate::keeping::Keeping;
use crate::log::LogBuffer;
use crate::network::Reach;
use crate::pump::{Bounds, Pump, Sink, Stdout, Stored};
use crate::signals::Signal;
use crate::slots::{Slot, Slots};
use crate::step::{Layout, remove_tree};

/// Looks at once: each is a process that waits for a server somewhere.
const LOOKS: usize = 4;
/// How long a host may take to say where a branch is.
const LONGEST: Duration = Duration::from_secs(30);
/// How long a look is its node's: starting and ending it included.
const CLAIM: Duration = Duration::from_secs(90);
/// After a failure, because the database may need a moment.
const AFTER_FAILURE: Duration = Duration::from_secs(1);
/// What a look may write: nothing, but for what Git cannot do without.
const DISK: u64 = 1 << 20;
/// What Git may say about a failure.
const WORDS: u64 = 2_000;

/// Prints the commit of a branch, and nothing where there is none.
const SCRIPT: &str =
    "git ls-remote -q -- \"$MARQUETRY_REPOSITORY\" \"refs/heads/$MARQUETRY_BRANCH\"";

pub(crate) async fn run_loop(inner: Arc<Inner>) {
    let listener = inner.ctx.app.hints.listen(Topic::Polls);
    let slots = Slots::new(LOOKS);
    loop {
        let hint = listener.next();
        if !inner.may_go_on().await {
            return;
        }
        let again = begin(&inner, &slots).await;
        tokio::select! {
            () = hint => {}
            () = slots.freed() => {}
            () = tokio::time::sleep_until(again) => {}
            () = inner.stop.cancelled() => return,
        }
    }
}

/// Begins what is due and answers until when nothing will be.
async fn begin(inner: &Arc<Inner>, slots: &Slots) -> Instant {
    let free = i64::try_from(slots.free()).unwrap_or(i64::MAX);
    if free == 0 {
        // One that ends wakes the loop.
        return inner.look_again(None);
    }
    match polls_claim(&inner.ctx, CLAIM, free).await {
        Ok(due) => {
            for claim in due.claims {
                let look = look(Arc::clone(inner), claim, slots.take());
                inner.tracker.spawn(look);
            }
            inner.look_again(due.next)
        }
        Err(error) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "looking for branches to look at failed"
            );
            Instant::now() + AFTER_FAILURE
        }
    }
}

async fn look(inner: Arc<Inner>, claim: PollClaim, slot: Slot) {
    let id = claim.integration.id;
    let name = format!("poll-{id}-{}", claim.fence.as_millis());
    let scratch = inner.config.work_dir.join(name);
    let seen = tokio::select! {
        seen = head(&inner, &claim, &scratch) => seen,
        // Whoever comes next makes the look again.
        () = inner.stop.cancelled() => return remove_tree(&scratch).await,
    };
    remove_tree(&scratch).await;
    // Failures are shown with the integration; a log would have the same line every time.
    tracing::debug!(integration = %id, ?seen, "looked at a branch");
    if let Err(error) = poll_finish(&inner.ctx, &claim, seen).await {
        tracing::error!(integration = %id, error = &error as &dyn std::error::Error, "what a look saw could not be stored");
    }
    drop(slot);
}

/// The commit at the head of the tracking branch, or why it cannot be seen.
async fn head(inner: &Inner, claim: &PollClaim, scratch: &Path) -> Result<String, String> {
    let integration = &claim.integration;
    let branch = &integration.repository_tracking_branch;
    let address = integration.repository_url.as_deref().unwrap_or_default();
    let location = repository::locate(address, &inner.ctx.app.settings.local_repositories);
    let location = location.map_err(|why| format!("repository_url {why}"))?;
    let secrets = build_secrets(&inner.ctx, integration.id, Some(address)).await;
    let secrets = secrets.map_err(|e| platform(&e))?;
    if let Some(why) = secrets.refusal {
        return Err(format!("repository_credential {why}"));
    }
    let reach = Reach::of_build(inner).await;
    let credential = secrets.credential.as_ref();
    let spec = spec(inner, &reach, &location, branch, scratch, credential).await?;
    let line = ask(inner, &reach, spec, &secrets).await?;
    match line.split_whitespace().next() {
        Some(commit) if commit.bytes().all(|b| b.is_ascii_hexdigit()) => Ok(commit.to_owned()),
        _ => Err(format!("the repository has no branch {branch}")),
    }
}

/// What is run, in which surroundings.
async fn spec(
    inner: &Inner,
    reach: &Reach,
    location: &repository::Location,
    branch: &str,
    scratch: &Path,
    credential: Option<&Credential>,
) -> Result<Spec, String> {
    let tree = scratch.join("tree");
    let made = tokio::fs::create_dir_all(&tree).await;
    made.map_err(|e| platform(&e))?;
    let access = Access::ReadWrite {
        max_bytes: Some(DISK),
    };
    let layout = Layout::of_build(inner, scratch, tree, access).await;
    let mut layout = layout.map_err(|e| platform(&e))?;
    let (address, network) = git::reach(&mut layout, reach, location)?;
    let settings = &inner.config.build;
    let given = &settings.environment;
    let environment = git::environment(&layout, given, &address, branch, None, credential);
    let environment = environment.await.map_err(|e| platform(&e))?;
    Ok(Spec {
        command: ["/bin/sh", "-c", SCRIPT].map(Into::into).to_vec(),
        environment,
        image: None,
        working_dir: layout.source(),
        mounts: layout.mounts.clone(),
        limits: Limits {
            memory_bytes: settings.memory_bytes,
            processes: settings.processes,
            open_files: 1_024,
            disk_bytes: DISK,
        },
        network,
        lease: CLAIM,
    })
}

/// Runs it; answers its last line, or what Git says.
async fn ask(
    inner: &Inner,
    reach: &Reach,
    spec: Spec,
    secrets: &BuildSecrets,
) -> Result<String, String> {
    let child = inner.sandbox.spawn(spec).await;
    let mut child = child.map_err(|e| platform(&e))?;
    let relay = reach.relay(child.egress.take());
    let relay = relay.map_err(|e| platform(&e))?;
    let mut line = LastLine::new();
    let mut log = LogBuffer::new(WORDS);
    log.mask(&secrets.texts());
    let mut words = Words::default();
    // Nobody sends: a look has neither heartbeat nor cancel.
    let (_sender, signal) = watch::channel(Signal::default());
    let pump = Pump {
        child,
        stdout: Stdout::LastLine(&mut line),
        log: &mut log,
        sink: &mut words,
        signal,
        bounds: Bounds {
            timeout: LONGEST,
            used: Duration::ZERO,
            grace: Duration::from_secs(1),
        },
        keeping: Keeping::Never,
    };
    let (ended, stopped) = pump.run().await.end();
    words.take(log.finish());
    if let Some(relay) = relay {
        for refusal in &relay.close().await.recent {
            words.add(&refusal.to_string());
        }
    }
    if stopped.is_some() {
        let seconds = LONGEST.as_secs();
        return Err(format!("the repository did not answer within {seconds} s"));
    }
    if ended.status != Status::Exited(0) {
        return Err(format!(
            "the repository could not be looked at: {}",
            words.text()
        ));
    }
    Ok(line.finish().ok().flatten().unwrap_or_default())
}

fn platform(error: &dyn std::fmt::Display) -> String {
    format!("the look could not be made (platform issue): {error}")
}

/// What Git says, kept for the sentence when it fails.
#[derive(Default)]
struct Words(Vec<u8>);

impl Words {
    fn take(&mut self, chunk: Option<(i64, Vec<u8>)>) {
        self.0
            .extend(chunk.map(|(_, bytes)| bytes).unwrap_or_default());
    }

    fn add(&mut self, line: &str) {
        self.0.extend_from_slice(line.as_bytes());
        self.0.push(b'\n');
    }

    /// On one line, and not too long for an answer.
    fn text(&self) -> String {
        let text = String::from_utf8_lossy(&self.0);
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let text = lines.collect::<Vec<_>>().join("; ");
        text.chars().take(500).collect()
    }
}

impl Sink for Words {
    async fn store(&mut self, chunk: (i64, Vec<u8>)) -> Stored {
        self.take(Some(chunk));
        Stored::Kept
    }
}

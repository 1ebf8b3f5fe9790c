//! Under which terms a run has its process: the narrower of what its integration, the operator and its manifest say.

use std::path::Path;
use std::time::Duration;

use marquetry_app::jobs::RunJob;
use marquetry_manifest::Egress;
use marquetry_sandbox::{Limits, Spec};

use crate::inner::Inner;
use crate::network::Reach;
use crate::step::Layout;

/// The narrower of the integration's setting and the manifest's wish.
pub(super) fn egress(job: &RunJob) -> Egress {
    let setting = Egress::from_word(job.integration.egress.as_str()).unwrap_or(Egress::None);
    let wish = narrowing(job, "egress").and_then(|v| v.as_str().and_then(Egress::from_word));
    wish.map_or(setting, |wish| wish.min(setting))
}

/// The shortest of the integration's setting, the operator's limit, which may be younger, and the manifest's
/// wish, in seconds.
pub(super) fn timeout_s(inner: &Inner, job: &RunJob) -> u64 {
    let most = inner.ctx.app.settings.limits.longest_run_s;
    let setting = u64::try_from(job.integration.timeout_seconds.min(most)).unwrap_or(1);
    let wish = narrowing(job, "timeout_seconds").and_then(serde_json::Value::as_u64);
    wish.map_or(setting, |wish| wish.min(setting)).max(1)
}

/// The integration's memory, within the operator's limit of today, in MiB.
pub(super) fn memory_mb(inner: &Inner, job: &RunJob) -> i64 {
    let most = inner.ctx.app.settings.limits.most_memory_mb;
    job.integration.memory_mb.min(most)
}

fn narrowing<'a>(job: &'a RunJob, key: &str) -> Option<&'a serde_json::Value> {
    job.release.narrowing.as_ref()?.get(key)
}

/// What every run of a release has in common: nothing here is a tenant's.
pub(crate) fn spec(
    inner: &Inner,
    job: &RunJob,
    layout: &Layout,
    reach: &Reach,
    lease: Duration,
) -> Spec {
    let folder = Path::new(&job.release.manifest_path)
        .parent()
        .unwrap_or(Path::new(""));
    let limits = &inner.config.run;
    Spec {
        // Made ready when everything else is.
        image: None,
        command: ["/bin/sh", "-c", job.release.run_command.as_str()]
            .map(Into::into)
            .to_vec(),
        environment: layout.run_environment(&job.release.base, folder),
        working_dir: layout.source().join(folder),
        mounts: layout.mounts.clone(),
        limits: Limits {
            memory_bytes: u64::try_from(memory_mb(inner, job)).unwrap_or(0) << 20,
            processes: limits.processes,
            open_files: limits.open_files,
            disk_bytes: limits.disk_bytes,
        },
        network: reach.network.clone(),
        lease,
    }
}

/// Where a run may connect to.
pub(crate) fn reach(inner: &Inner, job: &RunJob) -> Reach {
    Reach::new(inner, egress(job), &job.integration.egress_ports)
}

/// What of a run's sandbox may change without another release: egress, and memory in MiB.
pub(crate) fn reach_of(inner: &Inner, job: &RunJob) -> (Egress, i64) {
    (egress(job), memory_mb(inner, job))
}

/// What is left of the lease that the claim took: a process never outlives it.
pub(super) fn lease_left(inner: &Inner, job: &RunJob) -> Duration {
    let taken = job.run.started_at.unwrap_or_else(|| inner.ctx.now());
    let used = inner.ctx.now().since(taken);
    inner
        .config
        .lease
        .saturating_sub(used)
        .max(Duration::from_millis(100))
}

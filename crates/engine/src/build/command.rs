//! One command of a build, in the sandbox.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use marquetry_manifest::LastLine;
use marquetry_sandbox::{Cause, Limits, Network, Spec, Status};

use super::cache::cache;
use super::manifests::Found;
use super::work::{BuildError, Site};
use crate::death::{exit_code, killed_by};
use crate::keeping::Keeping;
use crate::pump::{Bounds, Pump, Stdout};
use crate::ready::{self, NotReady};
use crate::toolchain::{build_variables, merge};

/// A command of a build.
pub(super) struct Step<'a> {
    pub(super) command: &'a str,
    /// Below the checkout.
    pub(super) folder: PathBuf,
    /// For the sentence when it fails.
    pub(super) what: &'static str,
}

/// All variables of a manifest's build.
pub(super) async fn variables(
    site: &mut Site<'_, '_>,
    found: &Found,
) -> Result<Vec<(OsString, OsString)>, BuildError> {
    let cache = cache(site).await?;
    let given = &site.inner.config.build.environment;
    let base = &found.manifest.base;
    let folder = found.folder();
    let mut all = site.layout.basic_environment();
    all.extend(site.layout.with_toolchain(base, &folder, |places, tools| {
        build_variables(base, &cache, given, places, tools)
    }));
    let own = site.secrets.build_env.iter();
    // The operator's word is the last one.
    let told = own.chain(given.iter().map(|(name, value)| (name, value)));
    all.extend(told.map(|(name, value)| (name.into(), value.into())));
    Ok(merge(all))
}

/// Runs one in the network given; with `last_line`, its stdout is not part of the log.
pub(super) async fn run(
    site: &mut Site<'_, '_>,
    step: Step<'_>,
    environment: Vec<(OsString, OsString)>,
    network: Network,
    last_line: Option<&mut LastLine>,
) -> Result<Status, BuildError> {
    let settings = &site.inner.config.build;
    let end = site.started + settings.timeout;
    let spec = |image| Spec {
        image,
        command: ["/bin/sh", "-c", step.command].map(Into::into).to_vec(),
        environment: environment.clone(),
        working_dir: site.layout.source().join(&step.folder),
        mounts: site.layout.mounts.clone(),
        limits: Limits {
            memory_bytes: settings.memory_bytes,
            processes: settings.processes,
            open_files: 65_536,
            disk_bytes: settings.artifact_bytes,
        },
        network: network.clone(),
        lease: site.inner.config.lease,
    };
    let image = site.layout.image.as_deref();
    let child = ready::spawn(site.inner, image, &site.signal, end, spec).await;
    let mut child = child.map_err(|why| match why {
        NotReady::Failed(error) => BuildError::platform("the sandbox could not be started", error),
        NotReady::Stopped(why) => BuildError::Stopped(why),
    })?;
    let relay = site.reach.relay(child.egress.take());
    let relay = relay.map_err(|e| BuildError::platform("connections could not be relayed", e))?;
    let left = settings.timeout.saturating_sub(site.started.elapsed());
    let pump = Pump {
        child,
        stdout: last_line.map_or(Stdout::Log, Stdout::LastLine),
        log: &mut *site.log,
        sink: &mut *site.sink,
        signal: site.signal.clone(),
        bounds: Bounds {
            timeout: left,
            used: Duration::ZERO,
            grace: site.inner.config.run.grace,
        },
        keeping: Keeping::Never,
    };
    let (ended, stopped) = pump.run().await.end();
    if let Some(relay) = relay {
        for refusal in &relay.close().await.recent {
            site.log.say(&refusal.to_string());
        }
    }
    if let Some(stopped) = stopped {
        return Err(BuildError::Stopped(stopped));
    }
    match ended.cause {
        Cause::Own => Ok(ended.status),
        Cause::MemoryLimit => Err(BuildError::Source(format!(
            "{} was killed at the memory limit of {} MiB",
            step.what,
            settings.memory_bytes >> 20
        ))),
        Cause::DiskLimit => Err(BuildError::Source(format!(
            "{} wrote more than a build may: {} MiB of sources and results, {} MiB of package cache",
            step.what,
            settings.artifact_bytes >> 19,
            settings.cache_bytes >> 20
        ))),
        Cause::SetupFailed(reason) => Err(BuildError::platform(
            "the sandbox could not be set up",
            reason,
        )),
        Cause::LeaseEnded | Cause::Killed | Cause::Lost => {
            Err(BuildError::platform("the sandbox was lost", step.what))
        }
    }
}

/// A command of the code must end with 0.
pub(super) fn judge(status: Status, what: &'static str) -> Result<(), BuildError> {
    match status {
        Status::Exited(0) => Ok(()),
        Status::Exited(code) => Err(BuildError::Source(format!(
            "{what} ended with {}; its log says why",
            exit_code(code)
        ))),
        Status::Signalled(signal) => Err(BuildError::Source(format!(
            "{what} was {}",
            killed_by(signal)
        ))),
    }
}

//! From a [`Spec`] to what the spawner and a child's first process are told.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::mount::OpenTreeFlags;

use crate::cgroup::Group;
use crate::error::Error;
use crate::link::{self, Link};
use crate::slots::Slot;
use crate::spec::{Access, Mount, Network, Spec};
use crate::wire::{Body, BodyMount, Head, Net};

/// A request before it is sent.
pub(crate) struct Request<'a> {
    /// Standard output, standard error and the control socket.
    pub(crate) fds: [OwnedFd; 3],
    pub(crate) slot: &'a Slot,
    pub(crate) group: Option<&'a Group>,
    pub(crate) spec: Spec,
}

impl Request<'_> {
    /// Sends it; `watches_memory` where no control group does.
    pub(crate) async fn send(&self, link: &Link, watches_memory: bool) -> Result<(), Error> {
        let mounts = if link.privileged {
            open_mounts(&self.spec.mounts)?
        } else {
            Vec::new()
        };
        let head = Head {
            slot: self.slot.number,
            own_network: self.spec.network != Network::Host,
            group_fds: self.group.map_or(0, |group| group.fds.len()),
            group_is_v2: self.group.is_some_and(|group| group.is_v2),
            mount_fds: mounts.len(),
        };
        let body = body(&self.spec, watches_memory);
        let body =
            link::memory_file(&body.encode()).map_err(Error::system("make a memory file"))?;
        let fds: Vec<_> = std::iter::once(&body)
            .chain(&self.fds)
            .chain(self.group.into_iter().flat_map(|group| &group.fds))
            .chain(&mounts)
            .map(AsFd::as_fd)
            .collect();
        link.send(&head.encode(), &fds)
            .await
            .map_err(|source| Error::SpawnerGone { source })
    }
}

/// The host's resolver settings, for children on the host's network.
pub(crate) fn host_resolver() -> Option<Mount> {
    let source = Path::new("/etc/resolv.conf").canonicalize().ok()?;
    Some(Mount {
        source,
        target: "/etc/resolv.conf".into(),
        access: Access::ReadOnly,
    })
}

/// Takes hold of the mounts' sources while we are still who may see them.
fn open_mounts(mounts: &[Mount]) -> Result<Vec<OwnedFd>, Error> {
    mounts
        .iter()
        .map(|mount| {
            rustix::mount::open_tree(
                rustix::fs::CWD,
                &mount.source,
                OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC,
            )
            .map_err(|source| Error::Mount {
                source_path: mount.source.clone(),
                source: source.into(),
            })
        })
        .collect()
}

/// The large part of a request.
pub(crate) fn body(spec: &Spec, watch_memory: bool) -> Body {
    Body {
        lease_ms: u64::try_from(spec.lease.as_millis()).unwrap_or(u64::MAX),
        memory_bytes: spec.limits.memory_bytes,
        watch_memory,
        processes: spec.limits.processes.into(),
        open_files: spec.limits.open_files.into(),
        disk_bytes: spec.limits.disk_bytes,
        net: match &spec.network {
            Network::None => Net::None,
            Network::Host => Net::Host,
            Network::Relayed { ports } => Net::Relayed(ports.clone()),
        },
        working_dir: spec.working_dir.clone(),
        mounts: spec
            .mounts
            .iter()
            .map(|mount| BodyMount {
                source: mount.source.clone(),
                target: mount.target.clone(),
                writable: mount.access != Access::ReadOnly,
            })
            .collect(),
        command: spec.command.clone(),
        environment: spec
            .environment
            .iter()
            .map(|(name, value)| {
                let mut entry = name.clone();
                entry.push("=");
                entry.push(value);
                entry
            })
            .collect(),
    }
}

/// What a NUL byte cannot be in, and what must be there.
pub(crate) fn check(spec: &Spec) -> Result<(), Error> {
    let bad = |what| Err(Error::InvalidSpec { what });
    if spec
        .command
        .first()
        .is_none_or(|program| program.is_empty())
    {
        return bad("the program");
    }
    if spec.command.iter().any(|text| text.as_bytes().contains(&0)) {
        return bad("an argument");
    }
    let ill = |(name, value): &(std::ffi::OsString, std::ffi::OsString)| {
        let name = name.as_bytes();
        name.is_empty()
            || name.contains(&b'=')
            || name.contains(&0)
            || value.as_bytes().contains(&0)
    };
    if spec.environment.iter().any(ill) {
        return bad("a variable");
    }
    Ok(())
}

//! Children of a former server.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;

use rustix::event::PollFlags;
use tokio::sync::{mpsc, oneshot, watch};

use crate::cgroup::{Group, Groups};
use crate::child::Child;
use crate::containers::{Engines, Watched};
use crate::disk_watch::DiskWatch;
use crate::error::Error;
use crate::keep::{About, End, Entry, Handles, Kept, Taken};
use crate::output::Output;
use crate::slots::Slots;
use crate::supervise::{self, Supervised};
use crate::watched::{self, at_once};

/// A child of a former server.
#[derive(Debug)]
pub struct TakenBack {
    /// What that server called it.
    pub label: Vec<u8>,
    /// The child; its writable mounts are not watched any more.
    pub child: Child,
    /// Whether it had ended before. What it had on this machine may then belong to another one already.
    pub has_ended: bool,
    /// Until this forgets it, the next server takes it back.
    pub kept: Kept,
}

/// What says whose the control groups are, for the keeper to hold.
pub(crate) fn locks(groups: Option<&Groups>) -> Result<Vec<OwnedFd>, Error> {
    let locks = groups.map_or_else(|| Ok(Vec::new()), Groups::locks);
    locks.map_err(Error::system("hold a control group"))
}

/// Takes back what a former server left, and removes the control groups of all else. The last that it started is the
/// first: of children that had the same number or control groups, the one that still has them.
pub(crate) async fn take_back(
    former: Option<Taken>,
    groups: Option<&Arc<Groups>>,
    slots: &Slots,
    engines: Option<&Arc<Engines>>,
) -> Vec<TakenBack> {
    let mut read = Vec::new();
    let mut link = None;
    if let Some(taken) = former {
        for entry in taken.entries {
            if let Some((about, label)) = About::of(&entry.body) {
                read.push((entry, about, label));
            } else {
                taken.link.forget(entry.id);
                End::of(&entry).now().await;
            }
        }
        link = Some(taken.link);
    }
    read.sort_by_key(|(entry, _, _)| std::cmp::Reverse(entry.id));
    if let Some(groups) = groups {
        let kept: Vec<PathBuf> = read
            .iter()
            .flat_map(|(_, about, _)| about.groups.clone())
            .collect();
        groups.clean(&kept);
    }
    let mut taken = Vec::new();
    let mut in_use = BTreeSet::new();
    for (entry, mut about, label) in read {
        let Some(link) = &link else { break };
        if !in_use.is_disjoint(&about.groups.iter().cloned().collect()) {
            about.groups.clear();
        }
        in_use.extend(about.groups.iter().cloned());
        let kept = Kept::new(Arc::clone(link), entry.id);
        let end = End::of(&entry);
        let has_ended = at_once(&entry.pidfd, PollFlags::IN).is_ok_and(|found| !found.is_empty());
        match resume(entry, about, groups, slots, engines, has_ended).await {
            Ok(child) => taken.push(TakenBack {
                label,
                child,
                has_ended,
                kept,
            }),
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "what a former server left cannot be taken back and is ended"
                );
                end.now().await;
                kept.forget();
            }
        }
    }
    taken
}

async fn resume(
    entry: Entry,
    about: About,
    groups: Option<&Arc<Groups>>,
    slots: &Slots,
    engines: Option<&Arc<Engines>>,
    has_ended: bool,
) -> Result<Child, Error> {
    let slot = match slots.take_back(about.slot) {
        None if !has_ended => return Err(Error::TooMany),
        slot => slot,
    };
    let group = match groups {
        Some(_) if !about.groups.is_empty() => Some(Group::of(&about)?),
        Some(_) | None => None,
    };
    let failed = Error::system("watch a socket");
    let watch = |fd| watched::watch(fd);
    let (control, pidfd) = watch(entry.control)
        .and_then(|control| Ok((control, watch(entry.pidfd)?)))
        .map_err(failed)?;
    let output = |[pipe, journal]: [OwnedFd; 2]| Output::taken_back(pipe, journal);
    let outputs = output(entry.stdout)
        .and_then(|stdout| Ok((stdout, output(entry.stderr)?)))
        .map_err(Error::system("watch a pipe"))?;
    let name = Some(about.container.clone()).filter(|name| !name.is_empty());
    let container = engines.zip(name).map(|(engines, name)| Watched {
        engines: Arc::clone(engines),
        name,
        // It stands: its image is nobody's concern.
        image: String::new(),
    });
    let handles = Arc::new(Handles {
        control,
        pidfd,
        about,
    });
    let (asks, ask_receiver) = mpsc::unbounded_channel();
    let (ended_sender, ended) = watch::channel(None);
    let (ready, stands) = oneshot::channel();
    let supervised = Supervised {
        groups: groups.cloned(),
        group,
        _slot: slot,
        disk: DiskWatch::new(&[]),
        container,
        asks: ask_receiver,
        ended: ended_sender,
    };
    tokio::spawn(supervise::resume(supervised, Arc::clone(&handles), ready));
    let egress = stands.await.unwrap_or(None);
    Ok(Child::new(outputs.0, outputs.1, egress, asks, ended).with(handles))
}

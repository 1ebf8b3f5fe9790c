//! Landlock: what of the visible files a child may read and write.
//!
//! In the full sandbox this is a second fence behind the mounts. Where mounts are not available it
//! is the first one, and then the rules name the host's folders.

use std::path::Path;

use landlock::{
    ABI, Access as _, AccessFs, CompatLevel, Compatible as _, PathBeneath, PathFd, Ruleset,
    RulesetAttr as _, RulesetCreated, RulesetCreatedAttr as _, RulesetStatus, Scope,
};

use super::root::shown_paths;
use super::{Step, at};
use crate::spec::{HOME, TMP};
use crate::wire::{Body, Setup};

/// What every kernel with Landlock has.
const FLOOR: ABI = ABI::V1;

/// The newest rules used; kernels that know all of them must enforce all of them.
const NEWEST: ABI = ABI::V6;

/// Readable on hosts where the child shares the host's root, besides what of `/etc` children see
/// everywhere.
const SHARED_READABLE: [&str; 13] = [
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/opt",
    "/proc",
    "/etc/hosts",
    "/etc/resolv.conf",
    "/etc/passwd",
    "/etc/group",
];

const DEVICES: [&str; 5] = [
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
];

/// Restricts the calling process and all it will start.
/// Returns the version of the kernel's landlock.
pub(crate) fn restrict(setup: &Setup, body: &Body, own_root: bool) -> Step<ABI> {
    let mut rules = Rules::new()?;
    if own_root {
        rules.allow("/", Kind::Read)?;
        for path in [HOME, TMP, "/dev/shm", "/proc"] {
            rules.allow(path, Kind::Write)?;
        }
    } else {
        for path in SHARED_READABLE {
            rules.allow(path, Kind::Read)?;
        }
        for path in setup.toolchain_paths.iter().chain(&shown_paths()) {
            rules.allow(path, Kind::Read)?;
        }
    }
    for path in DEVICES {
        rules.allow(path, Kind::Write)?;
    }
    for mount in &body.mounts {
        let path = if own_root {
            &mount.target
        } else {
            &mount.source
        };
        let kind = if mount.writable {
            Kind::Write
        } else {
            Kind::Read
        };
        rules.allow(path, kind)?;
    }
    rules.enforce()
}

#[derive(Clone, Copy)]
enum Kind {
    Read,
    Write,
}

struct Rules(RulesetCreated);

impl Rules {
    fn new() -> Step<Self> {
        let ruleset = Ruleset::default()
            .set_compatibility(CompatLevel::HardRequirement)
            .handle_access(AccessFs::from_all(FLOOR))
            .map_err(at("ask for landlock"))?
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessFs::from_all(NEWEST))
            .and_then(|rules| rules.scope(Scope::from_all(NEWEST)))
            .and_then(Ruleset::create)
            .map_err(at("make landlock rules"))?;
        Ok(Self(ruleset))
    }

    /// Allows what `kind` says below a path; a path that does not exist needs no rule.
    fn allow(&mut self, path: impl AsRef<Path>, kind: Kind) -> Step<()> {
        let shown = path.as_ref().display();
        let Ok(descriptor) = PathFd::new(path.as_ref()) else {
            return Ok(());
        };
        let mut access = match kind {
            Kind::Read => AccessFs::from_read(NEWEST),
            Kind::Write => AccessFs::from_all(NEWEST),
        };
        let is_folder = rustix::fs::fstat(&descriptor)
            .map(|stat| rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir())
            .map_err(at(format_args!("look at {shown}")))?;
        if !is_folder {
            access &= AccessFs::from_file(NEWEST);
        }
        (&mut self.0)
            .add_rule(PathBeneath::new(descriptor, access))
            .map(drop)
            .map_err(at(format_args!("allow {shown}")))
    }

    fn enforce(self) -> Step<ABI> {
        let status = self
            .0
            .restrict_self()
            .map_err(at("enforce landlock rules"))?;
        let abi = ABI::from(status.landlock);
        match status.ruleset {
            RulesetStatus::FullyEnforced => Ok(abi),
            RulesetStatus::PartiallyEnforced if abi < NEWEST => Ok(abi),
            RulesetStatus::PartiallyEnforced | RulesetStatus::NotEnforced => {
                Err("landlock rules are not fully enforced".to_owned())
            }
        }
    }
}

//! Whose control groups are whose: a server that was killed cannot remove its own, and its data folder
//! may be gone by the time another one starts.
//!
//! Each instance's folder holds an empty group that is named after the server's process. Where that
//! process is gone, so is the reason for the folder.

use std::fs;
use std::path::Path;

use super::remove;

/// What begins the name of the folder of an instance.
pub(super) const INSTANCE: &str = "marquetry-";
/// What begins the name of the group that tells the owner.
const OWNER: &str = "owner-";

/// Says that this process owns the folder of an instance. Best effort: a folder without an owner is
/// only removed by a server of its name.
pub(super) fn mark(base: &Path) {
    if let Some(name) = own_name() {
        let _ = fs::create_dir(base.join(name));
    }
}

/// Takes back what [`mark`] said.
pub(super) fn unmark(base: &Path) {
    if let Some(name) = own_name() {
        let _ = fs::remove_dir(base.join(name));
    }
}

/// Removes the folders beside this one whose owners are gone.
pub(super) fn remove_abandoned(base: &Path) {
    let Some(parent) = base.parent() else { return };
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let folder = entry.path();
        let named = entry.file_name().to_string_lossy().starts_with(INSTANCE);
        if named && folder != base && is_abandoned(&folder) {
            remove_all(&folder);
        }
    }
}

/// Ends what is in the groups of an instance, and removes them; its own folder stays.
pub(super) fn empty(base: &Path) {
    for entry in fs::read_dir(base).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove(&entry.path());
        }
    }
}

fn remove_all(folder: &Path) {
    empty(folder);
    remove(folder);
}

/// Whether owners are named and none of them lives. Of a process in another process namespace nothing
/// is known.
fn is_abandoned(folder: &Path) -> bool {
    let names = fs::read_dir(folder).into_iter().flatten().flatten();
    let owners = names.filter_map(|entry| {
        let name = entry.file_name();
        Some(name.to_str()?.strip_prefix(OWNER)?.to_owned())
    });
    let mut any = false;
    for owner in owners {
        any = true;
        if lives(&owner).unwrap_or(true) {
            return false;
        }
    }
    any
}

/// Whether the process lives; none where that cannot be known.
fn lives(owner: &str) -> Option<bool> {
    let mut parts = owner.split('-');
    let (namespace, process, start) = (parts.next()?, parts.next()?, parts.next()?);
    let process: u32 = process.parse().ok()?;
    if namespace != process_namespace()? {
        return None;
    }
    Some(start_of(&process.to_string()).is_some_and(|found| found == start))
}

fn own_name() -> Option<String> {
    let namespace = process_namespace()?;
    let start = start_of("self")?;
    Some(format!("{OWNER}{namespace}-{}-{start}", std::process::id()))
}

/// The number of this process's process namespace.
fn process_namespace() -> Option<String> {
    let link = fs::read_link("/proc/self/ns/pid").ok()?;
    let number = link.to_str()?.strip_prefix("pid:[")?.strip_suffix(']')?;
    Some(number.to_owned())
}

/// When a process was started, in ticks since the machine was: process ids come again, both together
/// do not.
fn start_of(process: &str) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name, in brackets, may hold anything; field 22 is the 20th behind it.
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_ascii_whitespace().nth(19).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_lives_and_an_earlier_one_of_its_number_does_not() {
        let own = own_name().unwrap();
        let own = own.strip_prefix(OWNER).unwrap();
        assert_eq!(lives(own), Some(true));
        let (rest, _) = own.rsplit_once('-').unwrap();
        assert_eq!(lives(&format!("{rest}-1")), Some(false));
        assert_eq!(lives("1-1-1"), None, "in another namespace");
        assert_eq!(lives("nonsense"), None);
    }

    #[test]
    fn only_folders_of_dead_owners_are_abandoned() {
        let folder = tempfile::tempdir().unwrap();
        let base = |name: &str| {
            let base = folder.path().join(name);
            fs::create_dir(&base).unwrap();
            base
        };
        let own = own_name().unwrap();
        let (rest, _) = own.rsplit_once('-').unwrap();
        let dead = format!("{rest}-1");
        let (mine, live, left, unknown, other) = (
            base("marquetry-a"),
            base("marquetry-b"),
            base("marquetry-c"),
            base("marquetry-d"),
            base("other"),
        );
        mark(&live);
        for of_dead in [&left, &live, &other] {
            fs::create_dir(of_dead.join(&dead)).unwrap();
        }
        for with_run in [&left, &unknown] {
            fs::create_dir(with_run.join("run-0")).unwrap();
        }
        remove_abandoned(&mine);
        assert!(!left.exists());
        for stays in [&mine, &live, &unknown, &other] {
            assert!(stays.exists(), "{}", stays.display());
        }
    }
}

//! User namespaces of children, one per slot.
//!
//! A slot belongs to at most one living child. Its namespaces are made when it is first used and
//! entered by one child after the other: making one for each child would cost another process and
//! two rounds of messages, and nothing is left in a user namespace when its processes are gone.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags};

use super::root::Root;
use super::{Step, at, sys};

/// First host user id of children when the server is root; slot `n` has this plus `n`.
const FIRST_USER: u32 = 200_000;

/// The user and group id of children inside their namespace.
pub(crate) const INSIDE_USER: u32 = 1000;

/// Who a child is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Identity<'a> {
    /// The user namespace to enter.
    pub(crate) namespace: &'a OwnedFd,
    /// Maps files of the server's user to the child's user, where the server is root.
    pub(crate) id_map: Option<&'a OwnedFd>,
    /// The child's user and group id as the spawner sees it.
    pub(crate) user: u32,
}

#[derive(Debug)]
struct Slot {
    namespace: OwnedFd,
    id_map: Option<OwnedFd>,
    user: u32,
}

/// The namespaces made so far.
#[derive(Debug, Default)]
pub(crate) struct UserNamespaces(HashMap<u32, Slot>);

impl UserNamespaces {
    /// The identity of a slot's child.
    pub(crate) fn identity(&mut self, slot: u32, root: &Root) -> Step<Identity<'_>> {
        let slot = match self.0.entry(slot) {
            Entry::Occupied(slot) => slot.into_mut(),
            Entry::Vacant(free) => free.insert(make_slot(slot, root)?),
        };
        Ok(Identity {
            namespace: &slot.namespace,
            id_map: slot.id_map.as_ref(),
            user: slot.user,
        })
    }
}

/// Whether a `/proc/<pid>/uid_map` has the users of children.
pub(crate) fn are_mapped(map: &str) -> bool {
    map.lines().any(|line| {
        let mut fields = line.split_ascii_whitespace().map(str::parse::<u64>);
        let (Some(Ok(inside)), Some(Ok(_)), Some(Ok(count))) =
            (fields.next(), fields.next(), fields.next())
        else {
            return false;
        };
        let first = u64::from(FIRST_USER);
        inside <= first && first + u64::from(crate::slots::MAX_SLOTS) <= inside + count
    })
}

fn make_slot(slot: u32, root: &Root) -> Step<Slot> {
    let user = if root.privileged {
        FIRST_USER + slot
    } else {
        INSIDE_USER
    };
    let id_map = if root.privileged {
        Some(make(&root.host_proc, &format!("0 {user} 1"))?)
    } else {
        None
    };
    Ok(Slot {
        namespace: make(&root.host_proc, &format!("{INSIDE_USER} {user} 1"))?,
        id_map,
        user,
    })
}

/// Makes a user namespace with this map for users and groups.
fn make(proc: &OwnedFd, map: &str) -> Step<OwnedFd> {
    let (reader, writer) =
        rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(at("make a pipe"))?;
    // Dropping the parent's side of the pipe ends the child, whichever way this function is left.
    match sys::clone3(libc::CLONE_NEWUSER, None).map_err(at("make a user namespace"))? {
        sys::Side::Child => {
            drop(writer);
            // Children could otherwise make user namespaces of their own, the usual way to reach
            // flaws of the kernel; the seccomp filter denies it too.
            let _ = write(proc, "sys/user/max_user_namespaces", "0");
            let _ = File::from(reader).read(&mut [0]);
            sys::exit(0)
        }
        sys::Side::Parent { pid, .. } => {
            drop(reader);
            // Without CAP_SETGID over the parent namespace this write is a precondition of the
            // next; with it, it keeps children from dropping groups.
            write(proc, &format!("{pid}/setgroups"), "deny").map_err(at("deny setgroups"))?;
            write(proc, &format!("{pid}/uid_map"), map).map_err(at("map users"))?;
            write(proc, &format!("{pid}/gid_map"), map).map_err(at("map groups"))?;
            let namespace = rustix::fs::openat(
                proc,
                format!("{pid}/ns/user"),
                OFlags::RDONLY | OFlags::CLOEXEC,
                Mode::empty(),
            )
            .map_err(at("open the user namespace"))?;
            drop(writer);
            Ok(namespace)
        }
    }
}

/// Writes a file below a `/proc`.
fn write(proc: &OwnedFd, path: &str, text: &str) -> io::Result<()> {
    let file = rustix::fs::openat(proc, path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    File::from(file).write_all(text.as_bytes())
}

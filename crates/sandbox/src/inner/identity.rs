//! Giving up privileges.

use std::fs;

use rustix::process::{Gid, Resource, Rlimit, Uid};
use rustix::thread::{CapabilitySet, CapabilitySets, LinkNameSpaceType, UnshareFlags};

use super::users::{INSIDE_USER, Identity};
use super::{Step, at};
use crate::wire::Body;

/// Highest capability number that a kernel may have.
const CAPABILITIES: u32 = 63;

/// Enters the child's user namespace as its ordinary user.
pub(crate) fn enter(identity: Identity<'_>) -> Step<()> {
    // The control group of this moment becomes the root of what the child sees.
    unshare(UnshareFlags::NEWCGROUP).map_err(at("make a control group namespace"))?;
    rustix::thread::move_into_link_name_space(
        std::os::fd::AsFd::as_fd(identity.namespace),
        Some(LinkNameSpaceType::User),
    )
    .map_err(at("enter the user namespace"))?;
    become_user(INSIDE_USER)
}

/// Makes mount, IPC, host name and, where asked for, network namespaces and enters them.
pub(crate) fn leave_namespaces(own_network: bool) -> Step<()> {
    let mut flags = UnshareFlags::NEWNS | UnshareFlags::NEWIPC | UnshareFlags::NEWUTS;
    if own_network {
        flags |= UnshareFlags::NEWNET;
    }
    unshare(flags).map_err(at("make namespaces"))
}

#[expect(
    unsafe_code,
    reason = "the library's call is unsafe for threads that share descriptors"
)]
fn unshare(flags: UnshareFlags) -> rustix::io::Result<()> {
    // SAFETY: the descriptor table is not unshared, and there is one thread.
    unsafe { rustix::thread::unshare_unsafe(flags) }
}

/// Takes on a user and the group of the same number.
pub(crate) fn become_user(id: u32) -> Step<()> {
    let (user, group) = (Uid::from_raw(id), Gid::from_raw(id));
    rustix::thread::set_thread_res_gid(group, group, group).map_err(at("change the group"))?;
    rustix::thread::set_thread_res_uid(user, user, user).map_err(at("change the user"))
}

/// Leaves the server's supplementary groups, which only root may.
pub(crate) fn leave_groups() -> Step<()> {
    rustix::thread::set_thread_groups(&[]).map_err(at("leave supplementary groups"))
}

/// Empties all five capability sets.
pub(crate) fn drop_capabilities() -> Step<()> {
    for number in 0..=CAPABILITIES {
        let capability = CapabilitySet::from_bits_retain(1 << number);
        match rustix::thread::remove_capability_from_bounding_set(capability) {
            Ok(()) => {}
            // Past the kernel's last capability, or nothing to drop it with. Without new
            // privileges (set next) the bounding set has no use.
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::PERM) => break,
            Err(error) => return Err(format!("empty the bounding set: {error}")),
        }
    }
    rustix::thread::clear_ambient_capability_set().map_err(at("empty the ambient set"))?;
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    rustix::thread::set_capabilities(None, none).map_err(at("drop capabilities"))?;
    rustix::thread::set_no_new_privs(true).map_err(at("forbid new privileges"))
}

/// Sets the limits that each process carries.
pub(crate) fn limit(body: &Body) -> Step<()> {
    set(Resource::Core, 0).map_err(at("limit core files"))?;
    set(Resource::Nofile, body.open_files).map_err(at("limit open files"))?;
    set(Resource::Nproc, body.processes).map_err(at("limit processes"))?;
    // When the host itself runs out of memory, children go before the server. Not vital.
    let _ = fs::write("/proc/self/oom_score_adj", "500");
    Ok(())
}

/// Lowers a limit; a hard limit that is lower already stays.
fn set(resource: Resource, value: u64) -> rustix::io::Result<()> {
    let hard = rustix::process::getrlimit(resource).maximum;
    let value = Some(hard.map_or(value, |hard| hard.min(value)));
    rustix::process::setrlimit(
        resource,
        Rlimit {
            current: value,
            maximum: value,
        },
    )
}

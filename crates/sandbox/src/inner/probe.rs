//! Trying each part of the sandbox, every one in a child of its own.

use std::fs;
use std::io::{Read as _, Write as _};

use rustix::mount::{MountFlags, MountPropagationFlags};

use super::{Step, at, confine, filter, identity, sys};
use crate::report::PartName;
use crate::wire::{Body, Net, Setup};

/// Last argument that asks for the probe.
pub(crate) const PROBE_ARGUMENT: &str = "probe";

/// Prints one line per part and exits.
pub(crate) fn main() -> ! {
    let mut out = String::new();
    for name in PartName::ALL {
        let test: fn() -> Step<String> = match name {
            PartName::ProcessHandles => process_handles,
            PartName::UserNamespace => user_namespace,
            PartName::MountNamespace => mount_namespace,
            PartName::ProcessNamespaces => process_namespaces,
            PartName::NetworkNamespace => network_namespace,
            PartName::Landlock => landlock,
            PartName::Seccomp => seccomp,
            // The server looks for these itself.
            PartName::ControlGroups => continue,
        };
        let (sign, detail) = match in_child(test) {
            Ok(detail) => ("+", detail),
            Err(detail) => ("-", detail),
        };
        out.push_str(&[name.as_str(), "\t", sign, "\t", &detail, "\n"].concat());
    }
    let written = std::io::stdout().write_all(out.as_bytes());
    sys::exit(i32::from(written.is_err()))
}

/// Runs a test in a child, because it changes the process that it runs in.
fn in_child(test: fn() -> Step<String>) -> Step<String> {
    let (reader, writer) =
        rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(at("make a pipe"))?;
    match sys::clone3(0, None).map_err(at("clone3"))? {
        sys::Side::Child => {
            let (sign, detail) = match test() {
                Ok(detail) => ('+', detail),
                Err(detail) => ('-', detail),
            };
            let _ = fs::File::from(writer).write_all(format!("{sign}{detail}").as_bytes());
            sys::exit(0)
        }
        sys::Side::Parent { .. } => {
            drop(writer);
            let mut answer = String::new();
            fs::File::from(reader)
                .read_to_string(&mut answer)
                .map_err(at("read the answer"))?;
            match answer.strip_prefix('+') {
                Some(detail) => Ok(detail.to_owned()),
                None => Err(answer.trim_start_matches('-').to_owned()),
            }
        }
    }
}

fn process_handles() -> Step<String> {
    let (reader, writer) =
        rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(at("make a pipe"))?;
    match sys::clone3(0, None).map_err(at("clone3"))? {
        sys::Side::Child => {
            drop(writer);
            let _ = fs::File::from(reader).read(&mut [0]);
            sys::exit(0)
        }
        sys::Side::Parent { pidfd, .. } => {
            let ended = rustix::process::pidfd_send_signal(pidfd, rustix::process::Signal::KILL);
            drop(writer);
            ended
                .map(|()| "clone3 with pidfds".to_owned())
                .map_err(at("signal through a pidfd"))
        }
    }
}

/// Goes where the spawner would be: the host's user where it is root and may, else a namespace.
fn privileges() -> Step<bool> {
    if rustix::process::geteuid().is_root()
        && in_child(|| unshare(libc::CLONE_NEWNS).map(|()| String::new())).is_ok()
    {
        return Ok(true);
    }
    let (user, group) = (
        rustix::process::geteuid().as_raw(),
        rustix::process::getegid().as_raw(),
    );
    unshare(libc::CLONE_NEWUSER)?;
    fs::write("/proc/self/setgroups", "deny").map_err(at("deny setgroups"))?;
    fs::write("/proc/self/uid_map", format!("1000 {user} 1")).map_err(at("map users"))?;
    fs::write("/proc/self/gid_map", format!("1000 {group} 1")).map_err(at("map groups"))?;
    Ok(false)
}

#[expect(
    unsafe_code,
    reason = "the library's call is unsafe for threads that share descriptors"
)]
fn unshare(flags: i32) -> Step<()> {
    let flags = rustix::thread::UnshareFlags::from_bits_retain(flags.cast_unsigned());
    // SAFETY: the descriptor table is not unshared, and there is one thread.
    unsafe { rustix::thread::unshare_unsafe(flags) }.map_err(at("unshare"))
}

fn user_namespace() -> Step<String> {
    if privileges()? {
        // The server is root: children get users that the host must know as free numbers.
        let map = fs::read_to_string("/proc/self/uid_map").map_err(at("read the user map"))?;
        if !super::users::are_mapped(&map) {
            return Err("the container maps too few user ids for children".to_owned());
        }
        unshare(libc::CLONE_NEWUSER)?;
        return Ok("as root: one host user per child".to_owned());
    }
    Ok("as an ordinary user: children are the server's user".to_owned())
}

fn mount_namespace() -> Step<String> {
    privileges()?;
    unshare(libc::CLONE_NEWNS)?;
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    rustix::mount::mount_change("/", private).map_err(at("make mounts private"))?;
    rustix::mount::mount("tmpfs", "/tmp", "tmpfs", MountFlags::NOSUID, c"size=4k")
        .map_err(at("mount a file system"))?;
    Ok("mounts a root of its own".to_owned())
}

fn process_namespaces() -> Step<String> {
    privileges()?;
    unshare(
        libc::CLONE_NEWPID
            | libc::CLONE_NEWNS
            | libc::CLONE_NEWIPC
            | libc::CLONE_NEWUTS
            | libc::CLONE_NEWCGROUP,
    )?;
    // Only a child is in the new PID namespace, and a container may forbid it to mount /proc.
    in_child(|| {
        rustix::mount::mount("proc", "/proc", "proc", MountFlags::NOSUID, None)
            .map_err(at("mount /proc"))?;
        Ok("pid, ipc, uts and control group".to_owned())
    })
}

fn network_namespace() -> Step<String> {
    privileges()?;
    unshare(libc::CLONE_NEWNET)?;
    super::network::relayed(&[443])?;
    Ok("relays connections with their destination".to_owned())
}

fn landlock() -> Step<String> {
    identity::drop_capabilities()?;
    let (setup, body) = (empty_setup(), empty_body());
    let abi = confine::restrict(&setup, &body, true)?;
    Ok(format!("abi {abi}"))
}

fn seccomp() -> Step<String> {
    rustix::thread::set_no_new_privs(true).map_err(at("forbid new privileges"))?;
    sys::install_filter(&filter::program(filter::Sockets::Internet)).map_err(at("seccomp"))?;
    if unshare(libc::CLONE_NEWUSER).is_ok() {
        return Err("the filter has no effect".to_owned());
    }
    Ok("filters system calls".to_owned())
}

fn empty_setup() -> Setup {
    Setup {
        namespaces: false,
        landlock: true,
        seccomp: true,
        toolchain_paths: Vec::new(),
        hidden_paths: Vec::new(),
        scratch_dir: "/tmp".into(),
    }
}

fn empty_body() -> Body {
    Body {
        lease_ms: 0,
        memory_bytes: 0,
        watch_memory: false,
        processes: 0,
        open_files: 0,
        disk_bytes: 0,
        net: Net::None,
        working_dir: "/".into(),
        mounts: Vec::new(),
        command: Vec::new(),
        environment: Vec::new(),
    }
}

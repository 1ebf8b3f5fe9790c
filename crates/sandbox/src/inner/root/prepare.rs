//! Building the root once, when the spawner starts.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags};
use rustix::thread::UnshareFlags;

use super::{HOST, PRIVATE, Root, etc};
use crate::inner::users::INSIDE_USER;
use crate::inner::{Step, at, sys};
use crate::spec::{HOME, TMP};
use crate::wire::Setup;

/// Host folders shown read-only where they exist.
const SYSTEM: [&str; 9] = [
    "usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32", "libexec", "opt",
];

const DEVICES: [(&str, u32); 5] = [
    ("null", 3),
    ("zero", 5),
    ("full", 7),
    ("random", 8),
    ("urandom", 9),
];

/// Key folders that are not for children even though their parents are.
const ALWAYS_HIDDEN: [&str; 2] = ["/etc/ssl/private", "/etc/pki/tls/private"];

/// See [`Root::build`].
pub(super) fn build(setup: &Setup) -> Step<Root> {
    let privileged = new_namespaces()?;
    let host_proc = fs::File::open("/proc").map_err(at("open /proc"))?.into();
    rustix::mount::mount_change(
        "/",
        MountPropagationFlags::PRIVATE | MountPropagationFlags::REC,
    )
    .map_err(at("make mounts private"))?;
    let root = setup.scratch_dir.as_path();
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    rustix::mount::mount("tmpfs", root, "tmpfs", flags, c"size=16m,mode=755")
        .map_err(at(format_args!("mount the root at {}", root.display())))?;
    folders(root)?;
    if !privileged {
        rustix::mount::mount_bind_recursive("/", inside(root, Path::new(HOST)))
            .map_err(at("bind the host's root"))?;
    }
    for name in SYSTEM {
        system_folder(root, name)?;
    }
    for path in &setup.toolchain_paths {
        bind_read_only(path, &inside(root, path))?;
    }
    devices(root, privileged)?;
    etc::fill(root)?;
    for path in setup
        .hidden_paths
        .iter()
        .map(PathBuf::as_path)
        .chain(ALWAYS_HIDDEN.iter().map(Path::new))
    {
        hide(&inside(root, path))?;
    }
    pivot(root)?;
    Ok(Root {
        host_proc,
        privileged,
    })
}

/// Enters new namespaces: of mounts alone where the spawner may, else with a user namespace.
/// Returns whether it may.
fn new_namespaces() -> Step<bool> {
    if rustix::process::geteuid().is_root() && unshare(UnshareFlags::NEWNS).is_ok() {
        return Ok(true);
    }
    let (user, group) = (
        rustix::process::geteuid().as_raw(),
        rustix::process::getegid().as_raw(),
    );
    unshare(UnshareFlags::NEWUSER | UnshareFlags::NEWNS)
        .map_err(at("make user and mount namespaces"))?;
    fs::write("/proc/self/setgroups", "deny").map_err(at("deny setgroups"))?;
    fs::write("/proc/self/uid_map", format!("{INSIDE_USER} {user} 1")).map_err(at("map users"))?;
    fs::write("/proc/self/gid_map", format!("{INSIDE_USER} {group} 1"))
        .map_err(at("map groups"))?;
    Ok(false)
}

#[expect(
    unsafe_code,
    reason = "the library's call is unsafe for threads that share descriptors"
)]
fn unshare(flags: UnshareFlags) -> io::Result<()> {
    // SAFETY: the descriptor table is not unshared, and there is one thread.
    unsafe { rustix::thread::unshare_unsafe(flags) }.map_err(io::Error::from)
}

fn folders(root: &Path) -> Step<()> {
    for path in [
        "/dev", "/etc", "/proc", "/run", "/var", TMP, HOME, HOST, PRIVATE,
    ] {
        fs::create_dir_all(inside(root, Path::new(path)))
            .map_err(at(format_args!("make {path}")))?;
    }
    // Programs that insist on /var/tmp find the private folder.
    symlink(TMP, root.join("var/tmp")).map_err(at("link /var/tmp"))
}

fn system_folder(root: &Path, name: &str) -> Step<()> {
    let source = Path::new("/").join(name);
    match fs::symlink_metadata(&source) {
        Ok(data) if data.is_symlink() => {
            let link = fs::read_link(&source).map_err(at(format_args!("read /{name}")))?;
            symlink(link, root.join(name)).map_err(at(format_args!("link /{name}")))
        }
        Ok(data) if data.is_dir() => bind_read_only(&source, &root.join(name)),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Binds a host folder or file with everything mounted below it.
pub(super) fn bind_read_only(source: &Path, target: &Path) -> Step<()> {
    let shown = source.display();
    super::make_target(target, source.is_dir()).map_err(at(format_args!("make {shown}")))?;
    rustix::mount::mount_bind_recursive(source, target)
        .map_err(at(format_args!("bind {shown}")))?;
    let path = c_path(target)?;
    sys::mount_setattr(
        rustix::fs::CWD,
        &path,
        true,
        sys::READ_ONLY | sys::NO_SUID | sys::NO_DEV,
        None,
    )
    .map_err(at(format_args!("make {shown} read-only")))
}

fn devices(root: &Path, privileged: bool) -> Step<()> {
    let folder = root.join("dev");
    if privileged {
        // Its own file system, because devices do not work on one mounted without them.
        rustix::mount::mount(
            "tmpfs",
            &folder,
            "tmpfs",
            MountFlags::NOSUID | MountFlags::NOEXEC,
            c"size=64k,mode=755",
        )
        .map_err(at("mount /dev"))?;
    }
    let old_mask = rustix::process::umask(rustix::fs::Mode::empty());
    for (name, minor) in DEVICES {
        let target = folder.join(name);
        let made = privileged
            && rustix::fs::mknodat(
                rustix::fs::CWD,
                &target,
                rustix::fs::FileType::CharacterDevice,
                rustix::fs::Mode::from_raw_mode(0o666),
                rustix::fs::makedev(1, minor),
            )
            .is_ok();
        if !made {
            fs::write(&target, "").map_err(at(format_args!("make /dev/{name}")))?;
            rustix::mount::mount_bind(Path::new("/dev").join(name), &target)
                .map_err(at(format_args!("bind /dev/{name}")))?;
        }
    }
    rustix::process::umask(old_mask);
    for (name, link) in [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
    ] {
        symlink(link, folder.join(name)).map_err(at(format_args!("link /dev/{name}")))?;
    }
    fs::create_dir(folder.join("shm")).map_err(at("make /dev/shm"))?;
    if privileged {
        let path = c_path(&folder)?;
        sys::mount_setattr(rustix::fs::CWD, &path, false, sys::READ_ONLY, None)
            .map_err(at("make /dev read-only"))?;
    }
    Ok(())
}

/// Covers a path that is visible through a bound folder; one that is not there needs no cover.
fn hide(path: &Path) -> Step<()> {
    let shown = path.display();
    match fs::metadata(path) {
        Ok(data) if data.is_dir() => rustix::mount::mount(
            "tmpfs",
            path,
            "tmpfs",
            MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV,
            c"size=4k,mode=555",
        )
        .map_err(at(format_args!("hide {shown}"))),
        Ok(_) => {
            rustix::mount::mount_bind("/dev/null", path).map_err(at(format_args!("hide {shown}")))
        }
        Err(_) => Ok(()),
    }
}

fn pivot(root: &Path) -> Step<()> {
    rustix::process::chdir(root).map_err(at("enter the root"))?;
    rustix::process::pivot_root(".", ".").map_err(at("pivot into the root"))?;
    // The old root now lies over the new one.
    rustix::mount::unmount(".", UnmountFlags::DETACH).map_err(at("leave the old root"))?;
    rustix::process::chdir("/").map_err(at("enter /"))
}

/// A host path below the new root.
fn inside(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

fn c_path(path: &Path) -> Step<std::ffi::CString> {
    use std::os::unix::ffi::OsStrExt as _;
    std::ffi::CString::new(path.as_os_str().as_bytes())
        .map_err(at(format_args!("use {}", path.display())))
}

//! Thin wrappers of system calls that have no safe wrapper in a library.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

/// `struct clone_args` of clone3(2), up to and with `cgroup`.
#[repr(C)]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// The two sides of a clone.
pub(crate) enum Side {
    /// This is the new process.
    Child,
    /// This is the old one.
    Parent {
        pid: libc::pid_t,
        /// Becomes readable when the child has ended.
        pidfd: OwnedFd,
    },
}

/// Clones the calling process like fork, into the new namespaces of `flags` and, where given, into
/// the version 2 control group.
///
/// Only for single-threaded processes: the child goes on with everything that the parent had, so a
/// lock held by another thread would stay locked for ever.
#[expect(unsafe_code, reason = "clone3 has no wrapper")]
pub(crate) fn clone3(flags: libc::c_int, group: Option<&OwnedFd>) -> io::Result<Side> {
    let mut pidfd: RawFd = -1;
    let mut args = CloneArgs {
        flags: u64::from(flags.cast_unsigned()) | u64::from(libc::CLONE_PIDFD.cast_unsigned()),
        pidfd: (&raw mut pidfd) as u64,
        exit_signal: libc::SIGCHLD.cast_unsigned().into(),
        ..CloneArgs::default()
    };
    if let Some(group) = group {
        // CLONE_INTO_CGROUP is wider than libc's `c_int` constants.
        args.flags |= 0x2_0000_0000;
        args.cgroup = u64::from(group.as_raw_fd().cast_unsigned());
    }
    // SAFETY: `args` and `pidfd` live over the call and have the layout the kernel asks for; no
    // memory is shared with the child (no CLONE_VM), so it may go on as after fork.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw mut args, size_of::<CloneArgs>()) };
    match pid {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Side::Child),
        pid => Ok(Side::Parent {
            pid: i32::try_from(pid).expect("process ids fit 32 bits"),
            // SAFETY: the kernel has just opened this descriptor for us alone.
            pidfd: unsafe { OwnedFd::from_raw_fd(pidfd) },
        }),
    }
}

/// Stack of a child that shares the memory of its waiting parent, in bytes.
const SHARED_STACK: usize = 256 * 1024;

/// Starts a child that runs `body` in the memory of the caller, who waits until the child has
/// become another program or ended: no page is copied.
///
/// What `body` changes in memory stays changed for the caller. Descriptors, credentials and
/// everything else that the kernel holds is the child's own.
#[expect(unsafe_code, reason = "clone with shared memory has no wrapper")]
pub(crate) fn spawn_sharing<F: FnOnce()>(body: F) -> io::Result<libc::pid_t> {
    extern "C" fn enter<F: FnOnce()>(body: *mut libc::c_void) -> libc::c_int {
        // SAFETY: the pointer is that of the `Some(body)` below, whose owner waits meanwhile.
        let body = unsafe { &mut *body.cast::<Option<F>>() }.take();
        if let Some(body) = body {
            body();
        }
        // Bodies end in another program or exit.
        libc::EXIT_FAILURE
    }
    let mut stack = vec![0_u128; SHARED_STACK / size_of::<u128>()];
    let mut body = Some(body);
    // SAFETY: the stack grows down from its end, which is aligned to 16 bytes, and outlives the
    // child's use of it, as does `body`: with CLONE_VFORK the call returns when the child is gone
    // from this memory.
    let pid = unsafe {
        libc::clone(
            enter::<F>,
            stack.as_mut_ptr_range().end.cast(),
            libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD,
            (&raw mut body).cast(),
        )
    };
    check(pid.into()).map(|()| pid)
}

/// `struct mount_attr` of mount_setattr(2).
#[repr(C)]
struct MountAttr {
    set: u64,
    clear: u64,
    propagation: u64,
    userns: u64,
}

/// Attributes for [`mount_setattr`].
pub(crate) const READ_ONLY: u64 = 0x1;
pub(crate) const NO_SUID: u64 = 0x2;
pub(crate) const NO_DEV: u64 = 0x4;
const ID_MAP: u64 = 0x0010_0000;
const AT_RECURSIVE: libc::c_int = 0x8000;

/// Sets attributes of the mount at `path`, or of the mount `dir` itself when `path` is empty; with
/// `users`, owners are mapped by that user namespace.
#[expect(unsafe_code, reason = "mount_setattr has no wrapper")]
pub(crate) fn mount_setattr(
    dir: impl AsFd,
    path: &CStr,
    recursive: bool,
    set: u64,
    users: Option<&OwnedFd>,
) -> io::Result<()> {
    let mut attr = MountAttr {
        set,
        clear: 0,
        propagation: 0,
        userns: 0,
    };
    if let Some(users) = users {
        attr.set |= ID_MAP;
        attr.userns = u64::from(users.as_raw_fd().cast_unsigned());
    }
    let mut flags = libc::AT_EMPTY_PATH;
    if recursive {
        flags |= AT_RECURSIVE;
    }
    // SAFETY: `path` ends with NUL and `attr` has the layout and the length that are passed.
    check(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            dir.as_fd().as_raw_fd(),
            path.as_ptr(),
            flags,
            &raw const attr,
            size_of::<MountAttr>(),
        )
    })
}

/// Sets the disposition of a signal to the default or to ignore.
#[expect(unsafe_code, reason = "the library has no signal dispositions")]
pub(crate) fn signal_disposition(signal: libc::c_int, ignore: bool) {
    let action = if ignore { libc::SIG_IGN } else { libc::SIG_DFL };
    // SAFETY: no handler function is installed. An error (a signal that cannot be changed) leaves
    // things as they are, which is what the caller wants for those.
    unsafe { libc::signal(signal, action) };
}

/// Resets every disposition and unblocks every signal, for the command to be started.
#[expect(unsafe_code, reason = "the library has no signal masks")]
pub(crate) fn reset_signals() {
    for signal in 1..=libc::SIGRTMAX() {
        signal_disposition(signal, false);
    }
    // SAFETY: the set is initialised by sigemptyset before it is used.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const set, ptr::null_mut());
    }
}

/// Blocks SIGCHLD and opens a descriptor that is readable when one waits.
#[expect(unsafe_code, reason = "the library has no signalfd")]
pub(crate) fn child_signal_fd() -> io::Result<OwnedFd> {
    // SAFETY: the set is initialised before it is used, and the descriptor is checked and owned by
    // nobody else.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGCHLD);
        if libc::sigprocmask(libc::SIG_BLOCK, &raw const set, ptr::null_mut()) != 0 {
            return Err(io::Error::last_os_error());
        }
        let fd = libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

/// Resources used by all children waited for: (processor microseconds, largest resident KiB).
#[expect(unsafe_code, reason = "the library has no getrusage")]
pub(crate) fn children_usage() -> (u64, u64) {
    // SAFETY: getrusage fills the whole zeroed structure.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_CHILDREN, &raw mut usage);
        usage
    };
    usage_numbers(&usage)
}

/// Processor microseconds and largest resident KiB of a `rusage`.
pub(crate) fn usage_numbers(usage: &libc::rusage) -> (u64, u64) {
    let micros = |time: libc::timeval| {
        u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000
            + u64::try_from(time.tv_usec).unwrap_or(0)
    };
    (
        micros(usage.ru_utime) + micros(usage.ru_stime),
        u64::try_from(usage.ru_maxrss).unwrap_or(0),
    )
}

/// Reaps an ended child of this process: its raw wait status, processor microseconds and largest
/// resident KiB, those of its own reaped children included.
#[expect(unsafe_code, reason = "the library's waits do not tell the usage")]
pub(crate) fn wait_with_usage(pid: libc::pid_t) -> io::Result<(i32, (u64, u64))> {
    let mut status = 0;
    // SAFETY: both are written by the kernel within the call.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        if libc::wait4(pid, &raw mut status, 0, &raw mut usage) < 0 {
            return Err(io::Error::last_os_error());
        }
        usage
    };
    Ok((status, usage_numbers(&usage)))
}

/// Sets an integer socket option.
#[expect(
    unsafe_code,
    reason = "the library lacks the packet information options"
)]
pub(crate) fn set_socket_option(
    socket: impl AsFd,
    level: libc::c_int,
    option: libc::c_int,
    value: libc::c_int,
) -> io::Result<()> {
    // SAFETY: the option value is an integer that lives over the call; its length is passed.
    let result = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            level,
            option,
            (&raw const value).cast(),
            u32::try_from(size_of::<libc::c_int>()).expect("the size of an integer is small"),
        )
    };
    check(result.into())
}

/// Installs a seccomp filter for the calling thread; needs `no_new_privs`.
#[expect(unsafe_code, reason = "seccomp has no wrapper")]
pub(crate) fn install_filter(program: &[libc::sock_filter]) -> io::Result<()> {
    let filter = libc::sock_fprog {
        len: u16::try_from(program.len()).map_err(|_| io::ErrorKind::InvalidInput)?,
        filter: program.as_ptr().cast_mut(),
    };
    // SAFETY: `filter` points at `len` instructions that live over the call; the kernel copies them
    // and does not write to them.
    check(unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            0,
            &raw const filter,
        )
    })
}

/// Replaces this process by the program; returns only on failure.
#[expect(unsafe_code, reason = "exec by file descriptor tables of C strings")]
pub(crate) fn exec(program: &CStr, arguments: &[CString], environment: &[CString]) -> io::Error {
    let table = |list: &[CString]| {
        let mut pointers: Vec<_> = list.iter().map(|text| text.as_ptr()).collect();
        pointers.push(ptr::null());
        pointers
    };
    let (arguments, environment) = (table(arguments), table(environment));
    // SAFETY: both tables end with a null pointer and point at strings that live over the call.
    unsafe { libc::execve(program.as_ptr(), arguments.as_ptr(), environment.as_ptr()) };
    io::Error::last_os_error()
}

/// Ends this process at once, without running anything that the parent registered.
#[expect(unsafe_code, reason = "the standard library's exit runs handlers")]
pub(crate) fn exit(code: i32) -> ! {
    // SAFETY: _exit has no preconditions.
    unsafe { libc::_exit(code) }
}

/// Sends a signal to every other process of the PID namespace whose PID 1 the caller is. Does
/// nothing in any other process: there it would reach the whole host.
#[expect(unsafe_code, reason = "the library has no kill of everything")]
pub(crate) fn kill_namespace(signal: libc::c_int) {
    if std::process::id() == 1 {
        // SAFETY: kill has no memory preconditions. ESRCH (nobody left) is no failure here.
        unsafe { libc::kill(-1, signal) };
    }
}

fn check(result: libc::c_long) -> io::Result<()> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

//! The child of PID 1 that becomes the command.

use std::ffi::{CString, OsStr};
use std::fs;
use std::io::Write as _;
use std::os::fd::AsFd;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;

use super::spawner::{Prepared, Request};
use super::users::Identity;
use super::{Step, at, confine, identity, sys};
use crate::channel;
use crate::wire::{Body, Net, Notice};

/// Exit codes of shells for a program that cannot be started, and one that is not there.
const CANNOT_START: i32 = 126;
const NOT_FOUND: i32 = 127;

/// Exit code when the set-up failed; the server learns the reason by a notice.
const SETUP_FAILED: i32 = 125;

/// Becomes the command.
pub(crate) fn main(
    prepared: &Prepared,
    identity: Option<Identity<'_>>,
    request: &Request,
    body: Body,
) -> ! {
    if let Err(reason) = confine(prepared, identity, request, &body) {
        let _ = channel::send(
            &request.control,
            &Notice::Failed(reason).encode(),
            &[],
            false,
        );
        sys::exit(SETUP_FAILED);
    }
    sys::exit(start(body))
}

fn confine(
    prepared: &Prepared,
    identity: Option<Identity<'_>>,
    request: &Request,
    body: &Body,
) -> Step<()> {
    if !request.head.group_is_v2 {
        for group in &request.groups {
            // A zero is this very task; it spares the kernel the lock over all tasks.
            rustix::io::write(group, b"0").map_err(at("enter the control group"))?;
        }
    }
    rustix::process::setsid().map_err(at("make a session"))?;
    if let Some(identity) = identity {
        identity::enter(identity)?;
    }
    identity::limit(body)?;
    rustix::stdio::dup2_stdin(&prepared.null)
        .and_then(|()| rustix::stdio::dup2_stdout(request.stdout.as_fd()))
        .and_then(|()| rustix::stdio::dup2_stderr(request.stderr.as_fd()))
        .map_err(at("connect the output"))?;
    rustix::process::chdir(&body.working_dir)
        .map_err(at(format_args!("enter {}", body.working_dir.display())))?;
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    identity::drop_capabilities()?;
    if prepared.setup.landlock {
        confine::restrict(&prepared.setup, body, prepared.root.is_some())?;
    }
    if prepared.setup.seccomp {
        // Without a network namespace nothing can be relayed; then nothing is reached at all.
        let offline = body.net != Net::Host;
        let program = if prepared.root.is_none() && offline {
            &prepared.offline_filter
        } else {
            &prepared.filter
        };
        sys::install_filter(program).map_err(at("install the system call filter"))?;
    }
    Ok(())
}

/// Replaces this process by the command; returns an exit code when that fails.
fn start(body: Body) -> i32 {
    let strings = |list: Vec<std::ffi::OsString>| {
        list.into_iter()
            .map(|text| CString::new(text.into_vec()))
            .collect::<Result<Vec<_>, _>>()
    };
    let path = body
        .environment
        .iter()
        .find_map(|entry| entry.as_bytes().strip_prefix(b"PATH="))
        .unwrap_or(b"/usr/local/bin:/usr/bin:/bin")
        .to_vec();
    let (Ok(arguments), Ok(environment)) = (strings(body.command), strings(body.environment))
    else {
        // The server has checked that there is no NUL in them.
        return CANNOT_START;
    };
    let Some(name) = arguments.first() else {
        return NOT_FOUND;
    };
    sys::reset_signals();
    let mut error = std::io::Error::from_raw_os_error(libc::ENOENT);
    for program in candidates(name, &path) {
        let failure = sys::exec(&program, &arguments, &environment);
        // As shells do: a program that is there but cannot be started is worth more than none.
        if failure.kind() != std::io::ErrorKind::NotFound {
            error = failure;
        }
    }
    let text = format!("cannot start {}: {error}\n", name.to_string_lossy());
    let _ = std::io::stderr().write_all(text.as_bytes());
    if error.kind() == std::io::ErrorKind::NotFound {
        NOT_FOUND
    } else {
        CANNOT_START
    }
}

/// The files that a program name may mean.
fn candidates(name: &CString, path: &[u8]) -> Vec<CString> {
    if name.as_bytes().contains(&b'/') {
        return vec![name.clone()];
    }
    path.split(|byte| *byte == b':')
        .map(|folder| Path::new(OsStr::from_bytes(folder)).join(OsStr::from_bytes(name.as_bytes())))
        .filter(|file| fs::metadata(file).is_ok_and(|data| data.is_file()))
        .filter_map(|file| CString::new(file.into_os_string().into_vec()).ok())
        .collect()
}

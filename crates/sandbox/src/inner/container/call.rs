//! Calls of the engine.

use std::ffi::OsString;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;
use std::process::{Child, Command, Stdio};

use rustix::fs::MemfdFlags;
use rustix::io::Errno;
use rustix::pipe::PipeFlags;

use crate::containers::engine::words_of;
use crate::inner::{Step, at};

/// What is read of an answer; no answer is longer.
const LONGEST: usize = 64 << 10;

/// A call that goes on.
pub(super) struct Call {
    process: Child,
    output: OwnedFd,
    said: Vec<u8>,
    errors: File,
}

/// What a call that has ended said.
pub(super) struct Answer {
    has_succeeded: bool,
    said: Vec<u8>,
    errors: Vec<u8>,
}

impl Answer {
    /// What it warned of, where it did what it was asked for and not all of it.
    pub(super) fn warning(&self) -> Option<String> {
        let said = String::from_utf8_lossy(&self.errors);
        let is_limit = |line: &&str| {
            ["not supported", "discarded"]
                .iter()
                .any(|word| line.contains(word))
        };
        said.lines()
            .find(is_limit)
            .map(|line| line.trim().to_owned())
    }

    /// What it printed, or the sentence on why it failed.
    pub(super) fn success(self, step: &str) -> Step<String> {
        if self.has_succeeded {
            return Ok(String::from_utf8_lossy(&self.said).into_owned());
        }
        Err(format!("{step}: {}", words_of(&self.errors)))
    }
}

impl Call {
    pub(super) fn start(words: &[OsString]) -> Step<Self> {
        let (output, theirs) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)
            .map_err(at("make a pipe for the engine"))?;
        rustix::io::ioctl_fionbio(&output, true).map_err(at("read from the engine"))?;
        let errors = rustix::fs::memfd_create("errors", MemfdFlags::CLOEXEC)
            .map_err(at("make a memory file for the engine"))?;
        let errors = File::from(errors);
        let to = errors.try_clone().map_err(at("share a memory file"))?;
        let mut command = command(words)?;
        let process = command.stdout(theirs).stderr(to).spawn();
        Ok(Self {
            process: process.map_err(at("start the engine"))?,
            output,
            said: Vec::new(),
            errors,
        })
    }

    /// What is readable when there is something to read.
    pub(super) fn output(&self) -> &OwnedFd {
        &self.output
    }

    /// Reads what there is; answers whether that was the end.
    pub(super) fn read(&mut self) -> Step<bool> {
        let mut buffer = [0; 4_096];
        loop {
            match rustix::io::read(&self.output, &mut buffer) {
                Ok(0) => return Ok(true),
                Ok(count) if self.said.len() < LONGEST => {
                    self.said.extend_from_slice(&buffer[..count]);
                }
                Ok(_) | Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(false),
                Err(error) => return Err(format!("read from the engine: {error}")),
            }
        }
    }

    /// Its answer, after the end of what it says.
    pub(super) fn finish(mut self) -> Answer {
        let status = self.process.wait();
        let mut errors = vec![0; LONGEST];
        let length = self.errors.read_at(&mut errors, 0).unwrap_or(0);
        errors.truncate(length);
        Answer {
            has_succeeded: status.is_ok_and(|status| status.success()),
            said: self.said,
            errors,
        }
    }
}

/// Calls the engine and waits for its answer.
pub(super) fn to_the_end(words: &[OsString]) -> Answer {
    let failed = |reason: String| Answer {
        has_succeeded: false,
        said: Vec::new(),
        errors: reason.into_bytes(),
    };
    let mut call = match Call::start(words) {
        Ok(call) => call,
        Err(reason) => return failed(reason),
    };
    loop {
        match call.read() {
            Ok(true) => return call.finish(),
            Ok(false) => super::watch::wait_for_end(&call.output),
            Err(reason) => {
                let _ = call.finish();
                return failed(reason);
            }
        }
    }
}

/// Calls the engine and does not wait.
pub(super) fn begin(words: &[OsString]) -> Option<Child> {
    let mut command = command(words).ok()?;
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().ok()
}

#[expect(
    clippy::disallowed_methods,
    reason = "this crate is where processes are started"
)]
fn command(words: &[OsString]) -> Step<Command> {
    let (program, arguments) = words.split_first().ok_or("there is no engine to call")?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    Ok(command)
}

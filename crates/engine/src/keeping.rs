//! Letting a process outlive this server, while its output is read.

use std::time::Duration;

use marquetry_manifest::LastLine;
use marquetry_sandbox::{Child, Kept, Output, Sandbox};
use tokio::io::AsyncReadExt as _;

use crate::label::{Known, Label};
use crate::log::LogBuffer;

/// How long a process lives before the keeper hears of it: of short ones it never does. So much more for each that is
/// live, because they slow each other down.
const AFTER: Duration = Duration::from_millis(20);
const AFTER_EACH: Duration = Duration::from_millis(4);
/// What is left of a standard output for the next server is at most this, in bytes.
const NEEDED: u64 = 4 << 20;
/// What is kept of a standard error until it is stored is at most this, in bytes.
const UNSTORED: u64 = 64 << 20;

/// What reading brought.
pub(crate) enum Read {
    Some(usize),
    End,
    /// Only of what is kept.
    Failed(std::io::Error),
}

/// Whether a process outlives the server.
pub(crate) enum Keeping<'a> {
    /// It does not.
    Never,
    /// It shall, once it has lived for a while.
    Wanted {
        sandbox: &'a Sandbox,
        known: Known,
        /// How many runs are live.
        live: u32,
    },
    /// It does: what of its output is neither stored nor without meaning is there for the next server.
    Kept { sandbox: &'a Sandbox, kept: Kept },
}

impl Keeping<'_> {
    /// How long after its start, if it is wanted.
    pub(crate) fn after(&self) -> Option<Duration> {
        match self {
            Self::Wanted { live, .. } => Some(AFTER + AFTER_EACH * *live),
            Self::Never | Self::Kept { .. } => None,
        }
    }

    pub(crate) fn is_kept(&self) -> bool {
        matches!(self, Self::Kept { .. })
    }

    /// Lets the keeper have it. Where that cannot be, it ends with the server.
    pub(crate) async fn begin(&mut self, child: &mut Child, log: &LogBuffer, stdout: &LastLine) {
        let Self::Wanted { sandbox, known, .. } = self else {
            return;
        };
        let (sandbox, label) = (*sandbox, Label::of(known, log, stdout));
        let run = known.run;
        *self = Self::Never;
        let Some(label) = label else {
            tracing::warn!(%run, "this run prints a line that is too long to be kept: it will end with the server");
            return;
        };
        match sandbox.keep(child, &label.encode(), &log.undecided()).await {
            Ok(kept) => *self = Self::Kept { sandbox, kept },
            Err(error) => tracing::warn!(
                %run,
                error = &error as &dyn std::error::Error,
                "this run will end with the server"
            ),
        }
    }

    /// Lets go of it; where it is not kept, that cannot be.
    pub(crate) async fn leave(&self, child: &Child) -> bool {
        match self {
            Self::Kept { sandbox, kept } if kept.is_held() => {
                sandbox.leave(child).await;
                true
            }
            Self::Never | Self::Wanted { .. } | Self::Kept { .. } => false,
        }
    }

    /// What tells the keeper that the end is known.
    pub(crate) fn into_kept(self) -> Option<Kept> {
        match self {
            Self::Kept { kept, .. } => Some(kept),
            Self::Never | Self::Wanted { .. } => None,
        }
    }

    /// Reads on. Where the next server could not read it, it ends with this one.
    pub(crate) async fn read(is_kept: bool, output: &mut Output, buffer: &mut [u8]) -> Read {
        match output.read(buffer).await {
            Ok(0) => Read::End,
            Ok(count) => Read::Some(count),
            Err(error) if is_kept => Read::Failed(error),
            Err(_) => Read::End,
        }
    }

    /// The next server cannot have it.
    pub(crate) fn give_up(&mut self, child: &mut Child, why: &std::io::Error) {
        let Self::Kept { kept, .. } = self else {
            return;
        };
        tracing::warn!(
            error = why as &dyn std::error::Error,
            "a run will end with the server"
        );
        kept.forget();
        child.stdout.end_journal();
        child.stderr.end_journal();
        *self = Self::Never;
    }

    /// What was read of a standard error and has become nothing is not needed. Where too much waits for the store, the
    /// process ends with the server after all.
    pub(crate) fn after_stderr(&mut self, child: &mut Child, log: &LogBuffer) {
        if !self.is_kept() {
            return;
        }
        let done = if log.has_text() {
            Ok(())
        } else {
            child.stderr.need_last(log.undecided().len() as u64)
        };
        if let Err(error) = done {
            self.give_up(child, &error);
        } else if child.stderr.kept() > UNSTORED {
            let why = std::io::Error::other("it says more than can be kept until it is stored");
            self.give_up(child, &why);
        }
    }

    /// The last bytes that were read of a standard error are beyond the limit of the log.
    pub(crate) fn beyond_the_log(&mut self, child: &mut Child, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        if let Err(error) = child.stderr.drop_last(bytes) {
            self.give_up(child, &error);
        }
    }

    /// This part of the log is going to be stored.
    pub(crate) fn before_storing(&mut self, child: &mut Child, log: &LogBuffer, part: i64) {
        let number = u64::try_from(part).unwrap_or(0);
        let undecided = log.undecided().len() as u64;
        if let Err(error) = child.stderr.part(number, undecided) {
            self.give_up(child, &error);
        }
    }

    /// It is stored.
    pub(crate) fn after_storing(&mut self, child: &mut Child) {
        if let Err(error) = child.stderr.settle() {
            self.give_up(child, &error);
        }
    }

    /// What of a standard output matters no more is not needed. Where too much matters, the process ends with the
    /// server after all.
    pub(crate) fn after_stdout(&mut self, child: &mut Child, line: &LastLine) {
        if !self.is_kept() {
            return;
        }
        // With the end of the line before: what was read before the keeper heard of it may lack it.
        let needed = line.needed() + 1;
        if needed > NEEDED {
            let why = std::io::Error::other("it prints a line that is too long to be kept");
            self.give_up(child, &why);
        } else if let Err(error) = child.stdout.need_last(needed) {
            self.give_up(child, &error);
        }
    }
}

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
/// A pipe is full when each of its pages is begun: it may hold little more than a half of its size. So what is left in it
/// on purpose is a part of that: of a standard error what is not stored, of a standard output what matters, and what
/// matters no more.
const UNSTORED: usize = 4;
const NEEDED: usize = 4;
const STALE: usize = 8;

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
    /// It does: what of its output is neither stored nor without meaning stays in the pipes.
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
    pub(crate) async fn begin(&mut self, child: &Child, log: &LogBuffer, stdout: &LastLine) {
        let Self::Wanted { sandbox, known, .. } = self else {
            return;
        };
        let (sandbox, label) = (*sandbox, Label::of(known, log, stdout));
        let run = known.run;
        *self = Self::Never;
        let Some(label) = label else {
            return;
        };
        match sandbox.keep(child, &label.encode()).await {
            Ok(kept) => *self = Self::Kept { sandbox, kept },
            Err(error) => tracing::warn!(
                %run,
                error = &error as &dyn std::error::Error,
                "this run will end with the server"
            ),
        }
    }

    /// Lets go of it, where it is kept; else the child comes back.
    pub(crate) async fn leave(self, child: Child) -> Result<(), (Self, Child)> {
        match self {
            Self::Kept { sandbox, kept } if kept.is_held() => {
                sandbox.leave(child, kept).await;
                Ok(())
            }
            Self::Never | Self::Wanted { .. } | Self::Kept { .. } => Err((self, child)),
        }
    }

    /// What tells the keeper that the end is known.
    pub(crate) fn into_kept(self) -> Option<Kept> {
        match self {
            Self::Kept { kept, .. } => Some(kept),
            Self::Never | Self::Wanted { .. } => None,
        }
    }

    /// Reads on.
    pub(crate) async fn read(is_kept: bool, output: &mut Output, buffer: &mut [u8]) -> Read {
        let read = if is_kept {
            output.look(buffer).await
        } else {
            // What was left there while it was kept was read then.
            output.consume(output.seen());
            output.read(buffer).await
        };
        match read {
            Ok(0) => Read::End,
            Ok(count) => Read::Some(count),
            Err(error) if is_kept => Read::Failed(error),
            Err(_) => Read::End,
        }
    }

    /// Its output cannot be left where it is: it is read, and ends with the server.
    pub(crate) fn give_up(&mut self, why: &std::io::Error) {
        tracing::warn!(
            error = why as &dyn std::error::Error,
            "a run will end with the server"
        );
        self.end();
    }

    fn end(&mut self) {
        if let Self::Kept { kept, .. } = self {
            kept.forget();
        }
        *self = Self::Never;
    }

    /// Takes away what of a standard error is stored, or is not to be. The next server reads what is left.
    pub(crate) fn after_stderr(&self, output: &mut Output, log: &LogBuffer) {
        if self.is_kept() && !log.has_text() {
            let seen = output.seen();
            output.consume(seen.saturating_sub(log.undecided()));
        }
    }

    /// Whether the process will soon wait for what it has said to be stored.
    pub(crate) fn is_pressed(&self, output: &Output) -> bool {
        self.is_kept() && output.seen() > output.capacity() / UNSTORED
    }

    /// The store does not answer: the process shall not wait for it, so what was read is no longer left for the next
    /// server where the pipe has no room.
    pub(crate) fn make_room(&self, output: &mut Output) {
        if self.is_kept() && output.seen() > output.capacity() / UNSTORED {
            let seen = output.seen();
            output.consume(seen);
        }
    }

    /// Takes away what of a standard output matters no more. Where what matters does not fit the pipe, the process
    /// ends with the server after all.
    pub(crate) fn after_stdout(&mut self, output: &mut Output, line: &LastLine) {
        if !self.is_kept() {
            return;
        }
        // With the end of the line before: what was read before the keeper heard of it may lack it.
        let needed = usize::try_from(line.needed() + 1).unwrap_or(usize::MAX);
        let capacity = output.capacity();
        if needed > capacity / NEEDED {
            let seen = output.seen();
            output.consume(seen);
            self.end();
        } else if output.seen() > needed + capacity / STALE {
            output.consume(output.seen() - needed);
        }
    }
}

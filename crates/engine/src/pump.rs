//! Watching over one process: its output, its time, its lease, the wish to stop it.

use std::time::Duration;

use marquetry_manifest::LastLine;
use marquetry_sandbox::{Cause, Child, Ended, Kept, Status, Usage};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use crate::keeping::{Keeping, Read};
use crate::log::LogBuffer;
use crate::signals::{Signal, Stop};

/// How long text waits for more before it is stored.
const FLUSH: Duration = Duration::from_millis(250);
/// How long text waits when the store did not answer. It is bounded by the log's limit meanwhile.
const RETRY: Duration = Duration::from_secs(1);
/// Enough for most processes, which write little.
const FIRST_READ: usize = 4 * 1024;
/// A pipe's usual capacity, for a process that writes much.
const READ: usize = 64 * 1024;
/// How long the store is waited for when a process is left.
const LAST_FLUSH: Duration = Duration::from_secs(5);
/// How long output may still come after the process has ended; only without a sandbox can
/// somebody else hold the pipe.
const DRAIN: Duration = Duration::from_secs(2);

/// What became of a chunk.
pub(crate) enum Stored {
    /// It is in the store.
    Kept,
    /// The claim is lost; nobody wants it.
    Lost,
    /// The store did not answer; it is to be tried again.
    Again,
}

/// Where the log goes.
pub(crate) trait Sink: Send {
    /// Stores a chunk.
    fn store(&mut self, chunk: (i64, Vec<u8>)) -> impl Future<Output = Stored> + Send;
}

/// What happens with stdout.
pub(crate) enum Stdout<'a> {
    /// Its last line is the answer.
    LastLine(&'a mut LastLine),
    /// It belongs to the log.
    Log,
}

/// Bounds of one process.
pub(crate) struct Bounds {
    pub(crate) timeout: Duration,
    /// How much of that is over.
    pub(crate) used: Duration,
    pub(crate) grace: Duration,
}

/// What became of a process.
pub(crate) enum Watched {
    /// It is gone, with all that it started.
    Ended {
        ended: Ended,
        stopped: Option<Stopped>,
        /// To be told when the end is stored.
        kept: Option<Kept>,
    },
    /// It lives on without this server.
    Left,
}

impl Watched {
    /// The end, for what is never kept; one that was left would be none that we know.
    pub(crate) fn end(self) -> (Ended, Option<Stopped>) {
        match self {
            Self::Ended { ended, stopped, .. } => (ended, stopped),
            Self::Left => {
                let ended = Ended {
                    status: Status::Signalled(9),
                    cause: Cause::Lost,
                    usage: Usage::default(),
                };
                (ended, Some(Stopped::Shutdown))
            }
        }
    }
}

/// Why a process was stopped from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stopped {
    Timeout,
    Cancelled,
    Lost,
    Shutdown,
}

/// Everything that one process needs to be watched.
pub(crate) struct Pump<'a, S> {
    pub(crate) child: Child,
    pub(crate) stdout: Stdout<'a>,
    pub(crate) log: &'a mut LogBuffer,
    pub(crate) sink: &'a mut S,
    pub(crate) signal: watch::Receiver<Signal>,
    pub(crate) bounds: Bounds,
    pub(crate) keeping: Keeping<'a>,
}

struct State {
    out_open: bool,
    err_open: bool,
    ended: Option<Ended>,
    stopped: Option<Stopped>,
    lease_end: Option<Instant>,
    flush_at: Option<Instant>,
    /// The store did not answer; the log waits for `flush_at`, however full it is.
    retrying: bool,
    stop_at: Instant,
    drain_until: Option<Instant>,
    keep_at: Option<Instant>,
}

impl<S: Sink> Pump<'_, S> {
    /// Until the process and all that it started are gone, or it is left.
    pub(crate) async fn run(mut self) -> Watched {
        let mut out = vec![0; FIRST_READ];
        let mut err = vec![0; FIRST_READ];
        let mut state = State {
            out_open: true,
            err_open: true,
            ended: None,
            stopped: None,
            // What the child was given may be older than what is known by now.
            lease_end: None,
            flush_at: None,
            retrying: false,
            stop_at: Instant::now() + self.bounds.timeout.saturating_sub(self.bounds.used),
            drain_until: None,
            keep_at: self.keeping.after().map(|after| Instant::now() + after),
        };
        self.heed(&mut state).await;
        let end = self.child.end();
        tokio::pin!(end);
        loop {
            if let Some(ended) = &state.ended
                && (!state.out_open && !state.err_open)
            {
                let ended = ended.clone();
                if self.log.is_unsettled() {
                    // Who follows the log may have the part: what comes behind it is another one, if that can be.
                    self.flush(&mut state).await;
                }
                return Watched::Ended {
                    ended,
                    stopped: state.stopped,
                    kept: self.keeping.into_kept(),
                };
            }
            if self.leaves(&state) {
                // The lease is for the time without a server.
                self.heed(&mut state).await;
            }
            if self.leaves(&state) {
                if self.leave(&mut state).await {
                    return Watched::Left;
                }
                self.stop_further(&mut state, Stopped::Shutdown);
            }
            let is_kept = self.keeping.is_kept();
            let never = Instant::now() + Duration::from_secs(86_400);
            tokio::select! {
                read = Keeping::read(is_kept, &mut self.child.stdout, &mut out), if state.out_open => {
                    match read {
                        Read::Some(n) => {
                            self.take_stdout(&out[..n]);
                            grow(&mut out, n);
                        }
                        Read::End => state.out_open = false,
                        Read::Failed(error) => self.keeping.give_up(&mut self.child, &error),
                    }
                }
                read = Keeping::read(is_kept, &mut self.child.stderr, &mut err), if state.err_open => {
                    match read {
                        Read::Some(n) => {
                            self.take_stderr(&err[..n]);
                            grow(&mut err, n);
                        }
                        Read::End => state.err_open = false,
                        Read::Failed(error) => self.keeping.give_up(&mut self.child, &error),
                    }
                }
                ended = &mut end, if state.ended.is_none() => {
                    state.ended = Some(ended);
                    state.drain_until = Some(Instant::now() + DRAIN);
                }
                () = sleep_until(state.stop_at), if state.ended.is_none() => {
                    self.stop_further(&mut state, Stopped::Timeout);
                }
                () = sleep_until(state.drain_until.unwrap_or(never)), if state.drain_until.is_some() => {
                    state.out_open = false;
                    state.err_open = false;
                }
                () = sleep_until(state.flush_at.unwrap_or(never)), if state.flush_at.is_some() => {
                    self.flush(&mut state).await;
                }
                () = sleep_until(state.keep_at.unwrap_or(never)), if state.keep_at.is_some() => {
                    self.keep(&mut state).await;
                }
                changed = self.signal.changed(), if state.ended.is_none() => {
                    if changed.is_ok() {
                        self.heed(&mut state).await;
                    }
                }
            }
            if self.log.is_full() && !state.retrying {
                self.flush(&mut state).await;
            } else if self.log.has_text() && state.flush_at.is_none() {
                state.flush_at = Some(Instant::now() + FLUSH);
            }
        }
    }

    fn take_stdout(&mut self, bytes: &[u8]) {
        match &mut self.stdout {
            Stdout::LastLine(last) => {
                last.push(bytes);
                self.keeping.after_stdout(&mut self.child, last);
            }
            Stdout::Log => self.log.push(bytes),
        }
    }

    fn take_stderr(&mut self, bytes: &[u8]) {
        if self.log.is_truncated() {
            self.keeping.beyond_the_log(&mut self.child, bytes.len());
        }
        self.log.push(bytes);
        self.keeping.after_stderr(&mut self.child, self.log);
    }

    /// Lets it outlive the server, if that is wanted.
    async fn keep(&mut self, state: &mut State) {
        state.keep_at = None;
        if let (None, Stdout::LastLine(line)) = (&state.ended, &self.stdout) {
            self.keeping.begin(&mut self.child, self.log, line).await;
        }
    }

    /// Whether the server stops, and it shall live on.
    fn leaves(&self, state: &State) -> bool {
        let is_left_alone = state.ended.is_none() && state.stopped.is_none();
        is_left_alone && self.signal.borrow().stop == Stop::Leave
    }

    /// Lets go of it, with all stored that can be, where it is kept.
    async fn leave(&mut self, state: &mut State) -> bool {
        self.keep(state).await;
        if !self.keeping.is_kept() {
            return false;
        }
        // What is not stored by then is the next server's to store.
        let _ = timeout(LAST_FLUSH, self.flush(state)).await;
        self.keeping.leave(&self.child).await
    }

    async fn flush(&mut self, state: &mut State) {
        state.flush_at = None;
        state.retrying = false;
        // What others can read of it, it has said for good.
        self.keep(state).await;
        let is_new = !self.log.is_unsettled();
        let Some(part) = self.log.next_part() else {
            return;
        };
        if is_new {
            self.keeping
                .before_storing(&mut self.child, self.log, part.0);
        }
        match self.sink.store(part).await {
            Stored::Lost if state.ended.is_none() => {
                self.log.settle();
                self.stop_now(state, Stopped::Lost);
            }
            Stored::Kept | Stored::Lost => {
                self.log.settle();
                self.keeping.after_storing(&mut self.child);
            }
            Stored::Again => {
                state.retrying = true;
                state.flush_at = Some(Instant::now() + RETRY);
            }
        }
    }

    /// Reacts to what the heartbeat says.
    async fn heed(&mut self, state: &mut State) {
        let signal = *self.signal.borrow_and_update();
        if signal.lost {
            self.stop_now(state, Stopped::Lost);
            return;
        }
        if signal.lease_end > state.lease_end {
            state.lease_end = signal.lease_end;
            let end = signal.lease_end.unwrap_or_else(Instant::now);
            self.child
                .extend_lease(end.saturating_duration_since(Instant::now()))
                .await;
        }
        if state.stopped.is_none() && (signal.cancel || signal.stop == Stop::End) {
            let why = if signal.cancel {
                Stopped::Cancelled
            } else {
                Stopped::Shutdown
            };
            self.stop_further(state, why);
        }
    }

    /// First SIGTERM, then, after the grace time, SIGKILL.
    fn stop_further(&mut self, state: &mut State, why: Stopped) {
        if state.stopped.is_some() {
            self.child.kill();
            state.stop_at = Instant::now() + self.bounds.grace;
            return;
        }
        state.stopped = Some(why);
        state.stop_at = Instant::now() + self.bounds.grace;
        let grace = self.bounds.grace.as_secs();
        match why {
            Stopped::Timeout => self.log.say(&format!(
                "the time limit of {} s is passed; SIGTERM now, SIGKILL in {grace} s",
                self.bounds.timeout.as_secs()
            )),
            Stopped::Cancelled => {
                self.log
                    .say(&format!("cancelled; SIGTERM now, SIGKILL in {grace} s"));
            }
            Stopped::Shutdown => self.log.say("the server stops"),
            Stopped::Lost => {}
        }
        self.child.terminate();
    }

    fn stop_now(&mut self, state: &mut State, why: Stopped) {
        state.stopped = Some(why);
        self.child.kill();
    }
}

/// A buffer that was filled once is too small.
fn grow(buffer: &mut Vec<u8>, filled: usize) {
    if filled == buffer.len() {
        buffer.resize(READ, 0);
    }
}

#[cfg(test)]
mod tests {
    use marquetry_sandbox::{Config, Limits, Mode, Network, Sandbox, Spec};

    use super::*;

    /// A store that does not answer, and how often it was asked.
    struct Deaf(u32);

    impl Sink for Deaf {
        async fn store(&mut self, _part: (i64, Vec<u8>)) -> Stored {
            self.0 += 1;
            Stored::Again
        }
    }

    #[tokio::test]
    async fn a_store_that_does_not_answer_is_asked_once_a_second() {
        let folder = tempfile::tempdir().unwrap();
        let config = Config::new(Mode::Off, "pump", folder.path().to_owned());
        let sandbox = Sandbox::start(config).await.unwrap();
        let talks = "head -c 3000000 /dev/zero | tr '\\0' x >&2";
        let spec = Spec {
            image: None,
            command: ["/bin/sh", "-c", talks].map(Into::into).to_vec(),
            environment: vec![("PATH".into(), "/usr/bin:/bin".into())],
            working_dir: folder.path().to_owned(),
            mounts: Vec::new(),
            limits: Limits {
                memory_bytes: 1 << 30,
                processes: 64,
                open_files: 64,
                disk_bytes: 1 << 20,
            },
            network: Network::Host,
            lease: Duration::from_secs(60),
        };
        let mut log = LogBuffer::new(10 << 20);
        let mut sink = Deaf(0);
        let (_heartbeat, signal) = watch::channel(Signal::default());
        let begun = Instant::now();
        let pump = Pump {
            child: sandbox.spawn(spec).await.unwrap(),
            stdout: Stdout::Log,
            log: &mut log,
            sink: &mut sink,
            signal,
            bounds: Bounds {
                timeout: Duration::from_secs(60),
                used: Duration::ZERO,
                grace: Duration::from_secs(1),
            },
            keeping: Keeping::Never,
        };
        pump.run().await;
        let seconds = begun.elapsed().as_secs();
        assert!(
            // And once more at its end.
            u64::from(sink.0) <= 2 + seconds,
            "{} times in {seconds} s",
            sink.0
        );
        assert!(log.end().text.len() >= 3_000_000, "nothing is lost");
    }
}

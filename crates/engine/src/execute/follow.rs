//! A run from the start of its process to its end.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use marquetry_app::jobs::RunJob;
use marquetry_app::run_engine::run_log;
use marquetry_manifest::LastLine;
use marquetry_model::Outcome;
use marquetry_outbound::relay::RelayStats;
use marquetry_sandbox::{Child, Kept};
use marquetry_store::runs::RunClaim;
use tokio::sync::watch;

use super::outcome::{CutOff, End, cut_off, judge};
use super::resume::end_child;
use super::start::StartError;
use super::terms::{memory_mb, timeout_s};
use crate::inner::Inner;
use crate::keeping::Keeping;
use crate::log::LogBuffer;
use crate::network::Reach;
use crate::pump::{Bounds, Pump, Sink, Stdout, Stored, Watched};
use crate::signals::Signal;

/// A run that is executed.
pub(super) struct Run<'a> {
    pub(super) inner: &'a Arc<Inner>,
    pub(super) job: &'a RunJob,
    pub(super) claim: &'a RunClaim,
    pub(super) log: &'a mut LogBuffer,
    pub(super) signal: watch::Receiver<Signal>,
}

/// What became of it.
pub(super) enum Followed {
    /// It is over.
    Ended(Box<RunOutcome>),
    /// It lives on without this server.
    Left,
}

/// How it ended.
pub(super) struct RunOutcome {
    pub(super) outcome: Outcome,
    /// Why the platform ended it, where its node could not go on.
    pub(super) cut_off: CutOff,
    /// To be told when the end is stored.
    pub(super) kept: Option<Kept>,
}

impl Run<'_> {
    /// Watches over its process, which has been there for a time.
    pub(super) async fn follow(
        self,
        mut child: Child,
        reach: &Reach,
        keeping: Keeping<'_>,
        mut stdout: LastLine,
        used: Duration,
    ) -> Result<Followed, StartError> {
        let Self {
            inner,
            job,
            claim,
            log,
            signal,
        } = self;
        let relay = match reach.relay(child.egress.take()) {
            Ok(relay) => relay,
            Err(error) => {
                end_child(child, keeping.into_kept()).await;
                return Err(error.into());
            }
        };
        let mut sink = RunSink { inner, job, claim };
        let timeout_s = timeout_s(inner, job);
        let pump = Pump {
            child,
            stdout: Stdout::LastLine(&mut stdout),
            log,
            sink: &mut sink,
            signal,
            bounds: Bounds {
                timeout: Duration::from_secs(timeout_s),
                used,
                grace: inner.config.run.grace,
            },
            keeping,
        };
        let Watched::Ended {
            ended,
            stopped,
            kept,
        } = pump.run().await
        else {
            inner.left.fetch_add(1, Ordering::SeqCst);
            return Ok(Followed::Left);
        };
        if let Some(relay) = relay {
            say_refused(log, &relay.close().await);
        }
        let cut_off = cut_off(&ended, stopped);
        let mut outcome = judge(End {
            ended,
            stopped,
            stdout,
            memory_mb: memory_mb(inner, job),
            timeout_s,
        });
        outcome.std_out = outcome.std_out.map(|line| log.hide(line));
        Ok(Followed::Ended(Box::new(RunOutcome {
            outcome,
            cut_off,
            kept,
        })))
    }
}

fn say_refused(log: &mut LogBuffer, stats: &RelayStats) {
    for refusal in &stats.recent {
        log.say(&refusal.to_string());
    }
}

struct RunSink<'a> {
    inner: &'a Inner,
    job: &'a RunJob,
    claim: &'a RunClaim,
}

impl Sink for RunSink<'_> {
    async fn store(&mut self, chunk: (i64, Vec<u8>)) -> Stored {
        let lease = self.inner.lease_until();
        let tenant = self.job.tenant.id;
        match run_log(&self.inner.ctx, tenant, self.claim, lease, chunk).await {
            Ok(true) => Stored::Kept,
            Ok(false) => Stored::Lost,
            Err(error) => {
                tracing::error!(run = %self.claim.id, error = &error as &dyn std::error::Error, "a part of a log could not be stored; it is tried again");
                Stored::Again
            }
        }
    }
}

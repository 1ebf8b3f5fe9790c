//! From the end of a process to the phase of a run.

use marquetry_manifest::LastLine;
use marquetry_model::{Outcome, Phase, RunUsage};
use marquetry_sandbox::{Cause, Ended, Status};

use crate::death::{exit_code, killed_by};
use crate::pump::Stopped;

/// What the phase is judged by.
pub(super) struct End {
    pub(super) ended: Ended,
    pub(super) stopped: Option<Stopped>,
    pub(super) stdout: LastLine,
    pub(super) memory_mb: i64,
    pub(super) timeout_s: u64,
}

/// Section 2 of the runtime contract, and our decisions where it is silent. A run that was stopped
/// from outside has no output: it was cut off in the middle.
pub(super) fn judge(end: End) -> Outcome {
    let usage = RunUsage {
        cpu_ms: i64::try_from(end.ended.usage.cpu_ms).unwrap_or(i64::MAX),
        max_rss_bytes: i64::try_from(end.ended.usage.max_rss_bytes).unwrap_or(i64::MAX),
        log_bytes: 0,
    };
    let exit_code = match end.ended.status {
        Status::Exited(code) => Some(i64::from(code)),
        Status::Signalled(_) => None,
    };
    let (phase, message, keeps_output) = phase(&end);
    let mut outcome = Outcome {
        phase,
        message,
        exit_code,
        std_out: None,
        usage,
    };
    if !keeps_output {
        outcome.exit_code = exit_code.filter(|_| phase == Phase::FailedIntegration);
        return outcome;
    }
    match end.stdout.finish() {
        Ok(line) => outcome.std_out = line,
        Err(over) if outcome.phase == Phase::Succeeded => {
            outcome.phase = Phase::FailedPlatform;
            outcome.message = Some(format!(
                "the last line of stdout has {} bytes; the platform keeps at most {}",
                over.length, over.limit
            ));
        }
        Err(_) => {}
    }
    outcome
}

/// Why the platform ended a run, where its node could not go on.
pub(super) type CutOff = Option<&'static str>;

/// Whether it is the node's fault that a run has ended, as if it had been lost.
pub(super) fn cut_off(ended: &Ended, stopped: Option<Stopped>) -> CutOff {
    match stopped {
        Some(Stopped::Shutdown) => Some("the server was stopped while this ran"),
        None if matches!(ended.cause, Cause::LeaseEnded) => {
            Some("the node that ran this could not reach the database")
        }
        // With the server and all that it started, but for what keeps runs; or alone.
        None if matches!(ended.cause, Cause::Lost) => Some("the sandbox of this run vanished"),
        Some(Stopped::Timeout | Stopped::Cancelled | Stopped::Lost) | None => None,
    }
}

fn phase(end: &End) -> (Phase, Option<String>, bool) {
    match end.stopped {
        Some(Stopped::Timeout) => {
            let message = format!("stopped at the time limit of {} s", end.timeout_s);
            return (Phase::FailedTimeout, Some(message), false);
        }
        Some(Stopped::Cancelled) => {
            return (
                Phase::Cancelled,
                Some("stopped by request".to_owned()),
                false,
            );
        }
        Some(Stopped::Shutdown) => {
            let message = "the server was stopped while this ran".to_owned();
            return (Phase::FailedPlatform, Some(message), false);
        }
        Some(Stopped::Lost) => {
            let message = "the node lost its claim".to_owned();
            return (Phase::FailedPlatform, Some(message), false);
        }
        None => {}
    }
    let platform = |message: String| (Phase::FailedPlatform, Some(message), false);
    match &end.ended.cause {
        Cause::Own => own(end.ended.status),
        Cause::MemoryLimit => {
            let message = format!("killed at the memory limit of {} MiB", end.memory_mb);
            (Phase::FailedIntegration, Some(message), false)
        }
        Cause::DiskLimit => {
            let message = "killed at the limit of writable disk".to_owned();
            (Phase::FailedIntegration, Some(message), false)
        }
        Cause::LeaseEnded => {
            platform("the lease ended: the node could not reach the database".into())
        }
        Cause::Killed => platform("killed by the platform".into()),
        Cause::SetupFailed(step) => platform(format!("the sandbox could not be set up: {step}")),
        Cause::Lost => platform("the sandbox vanished".into()),
    }
}

fn own(status: Status) -> (Phase, Option<String>, bool) {
    let failed = |message: String| (Phase::FailedIntegration, Some(message), true);
    match status {
        Status::Exited(0) => (Phase::Succeeded, None, true),
        Status::Exited(126) => failed("exit code 126: the run command cannot be executed".into()),
        Status::Exited(127) => failed("exit code 127: the run command was not found".into()),
        Status::Exited(code) => failed(exit_code(code)),
        Status::Signalled(signal) => failed(killed_by(signal)),
    }
}

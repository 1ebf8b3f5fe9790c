//! How runs end, and what they leave.

use marquetry_model::{Phase, RunId};
use serde_json::Value;

use super::{Asked, Oracle, Output, State};

impl Oracle {
    /// A live run has ended; a rerun that is not saved leaves nothing to others.
    pub(crate) fn ended(&mut self, id: RunId, phase: Phase, std_out: Option<String>) {
        assert!(phase.is_final());
        let run = self.run(id);
        assert!(!run.phase.is_final(), "run {id} ends once");
        run.phase = phase;
        run.std_out.clone_from(&std_out);
        let (tenant, saved) = (run.tenant, run.is_saved());
        if !saved {
            return;
        }
        let tenant = self.tenant(tenant);
        tenant.last = Some(id);
        if phase != Phase::Succeeded {
            return;
        }
        tenant.last_successful = Some(id);
        tenant.output = Output::OfRun;
        let printed = std_out.and_then(|text| serde_json::from_str(&text).ok());
        if let Some(Value::Object(printed)) = printed {
            tenant.metadata.extend(printed);
        }
    }

    /// The node of a run was lost. Answers how it is to be repeated, if it is.
    pub(crate) fn lost(&mut self, id: RunId) -> Option<Asked> {
        let run = self.runs[&id].clone();
        self.ended(id, Phase::FailedPlatform, None);
        let wanted = self.integration_of(run.tenant).repeats_lost;
        let nobody_waits = run.cancel_asked || self.tenants[&run.tenant].archived;
        // Once: what repeats a run that the platform had failed is not repeated again.
        let former = run.asked.as_ref().map(|asked| self.runs[&asked.of].phase);
        if !wanted || nobody_waits || former == Some(Phase::FailedPlatform) {
            return None;
        }
        // What somebody asked for in a rerun, it gets again; else all is as it is then.
        Some(match run.asked {
            Some(asked) => Asked { of: id, ..asked },
            None => Asked {
                of: id,
                region: None,
                state: State::Current,
                is_saved: true,
            },
        })
    }
}

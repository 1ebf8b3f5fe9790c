//! May the server open enough files and connections?

use rustix::process::{Resource, getrlimit};

use super::Check;
use crate::config::ServerConfig;

const NAME: &str = "open files";
/// For clients, the database and the server itself.
const BASE: u64 = 512;
/// A run has its output, its link to the sandbox, and its connections to the outside.
const FOR_EACH_RUN: u64 = 64;

pub(super) fn check(config: &ServerConfig) -> Check {
    let limit = getrlimit(Resource::Nofile);
    let may_have = limit.current.unwrap_or(u64::MAX);
    let slots =
        u64::try_from(config.run_slots + config.build_slots + config.prestart).unwrap_or(u64::MAX);
    judge(may_have, slots)
}

fn judge(may_have: u64, slots: u64) -> Check {
    let wanted = slots.saturating_mul(FOR_EACH_RUN).saturating_add(BASE);
    if may_have >= wanted {
        let shown = if may_have == u64::MAX {
            "no limit".to_owned()
        } else {
            format!("at most {may_have}")
        };
        return Check::ok(NAME, shown);
    }
    let detail =
        format!("at most {may_have}, and {slots} runs and builds at once may need {wanted}");
    let remedy = format!(
        "raise it before the start (ulimit -n {wanted}, or LimitNOFILE={wanted} in the service), or lower --run-slots"
    );
    if may_have < BASE {
        Check::fail(NAME, detail, remedy)
    } else {
        Check::warn(NAME, detail, remedy)
    }
}

#[cfg(test)]
mod tests {
    use super::super::CheckState;
    use super::*;

    #[test]
    fn more_slots_need_more_files() {
        assert_eq!(judge(1024, 8).state, CheckState::Ok);
        assert_eq!(judge(1024, 9).state, CheckState::Warn);
        assert_eq!(judge(256, 1).state, CheckState::Fail);
        assert_eq!(judge(u64::MAX, 9999).state, CheckState::Ok);
    }
}

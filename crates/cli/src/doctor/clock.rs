//! Does the machine know what day it is?

use marquetry_model::{Clock, SystemClock};

use super::Check;

const NAME: &str = "clock";
/// 2026-01-01: this version did not exist before.
const EARLIEST_MS: i64 = 1_767_225_600_000;
/// 2100-01-01.
const LATEST_MS: i64 = 4_102_444_800_000;

pub(super) fn check() -> Check {
    judge(SystemClock.now().as_millis())
}

fn judge(now_ms: i64) -> Check {
    let shown = jiff::Timestamp::from_millisecond(now_ms).map_or_else(
        |_| "beyond every calendar".to_owned(),
        |now| now.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
    );
    if (EARLIEST_MS..LATEST_MS).contains(&now_ms) {
        Check::ok(NAME, shown)
    } else {
        Check::fail(
            NAME,
            format!("it shows {shown}"),
            "set it, best by NTP: schedules, signed links and TLS depend on it",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::CheckState;
    use super::*;

    #[test]
    fn a_clock_of_another_century_is_wrong() {
        assert_eq!(judge(0).state, CheckState::Fail);
        assert_eq!(judge(EARLIEST_MS).state, CheckState::Ok);
        assert_eq!(judge(LATEST_MS).state, CheckState::Fail);
        assert_eq!(judge(i64::MAX).state, CheckState::Fail);
    }
}

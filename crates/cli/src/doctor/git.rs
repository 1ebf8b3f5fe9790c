//! Is Git there, and new enough?

use std::ffi::OsStr;
use std::time::Duration;

use super::Check;
use crate::programs;

const NAME: &str = "git";
/// The first with everything that builds use.
const OLDEST: (u32, u32) = (2, 30);

pub(super) async fn check() -> Check {
    let arguments = [OsStr::new("--version")];
    let said = programs::ask("git", &arguments, None, &[], Duration::from_secs(10)).await;
    match said {
        Ok(said) => judge(&said.text),
        Err(error) => {
            let what = format!("cannot be started: {error}");
            Check::fail(
                NAME,
                what,
                "install Git 2.30 or newer; builds fetch code with it",
            )
        }
    }
}

fn judge(text: &str) -> Check {
    match version(text) {
        Some(found) if found >= OLDEST => Check::ok(NAME, text),
        Some(_) => Check::fail(
            NAME,
            format!("{text} is too old"),
            "install Git 2.30 or newer",
        ),
        None => Check::warn(
            NAME,
            format!("`{text}` tells no version"),
            "check what `git` is",
        ),
    }
}

fn version(text: &str) -> Option<(u32, u32)> {
    let numbers = text.strip_prefix("git version ")?;
    let mut parts = numbers.split(['.', ' ', '-']);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::super::CheckState;
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(
            judge("git version 2.39.5 (Apple Git-154)").state,
            CheckState::Ok
        );
        assert_eq!(judge("git version 10.1").state, CheckState::Ok);
        assert_eq!(judge("git version 2.9.9").state, CheckState::Fail);
        assert_eq!(judge("hello").state, CheckState::Warn);
    }
}

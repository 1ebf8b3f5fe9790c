//! Trying the parts of the sandbox.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::cgroup::Groups;
use crate::config::Config;
use crate::inner::PROBE_ARGUMENT;
use crate::report::{Part, PartName, Report};

/// Tries every part of the sandbox in short-lived child processes and reports what works.
///
/// Blocks for some milliseconds. Needs the same [`Config::helper`] as [`crate::Sandbox::start`].
pub fn detect(config: &Config) -> Report {
    // A name of its own: a server of this instance may be running.
    let name = format!("{}-probe-{}", config.instance, std::process::id());
    let groups = Groups::find(Path::new("/proc/self"), &name);
    report(config, &groups)
}

pub(crate) fn report(config: &Config, groups: &Result<Groups, String>) -> Report {
    let probed = probe(config);
    let tried = |name: PartName| match (&probed, name) {
        (_, PartName::ControlGroups) => groups
            .as_ref()
            .map(|groups| groups.kind().to_owned())
            .map_err(Clone::clone),
        (Ok(lines), _) => find(lines, name),
        (Err(reason), _) => Err(reason.clone()),
    };
    Report {
        parts: PartName::ALL
            .into_iter()
            .map(|name| Part::new(name, tried(name)))
            .collect(),
    }
}

/// Runs the probe; its lines.
fn probe(config: &Config) -> Result<String, String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "this crate is where processes are started"
    )]
    let mut command = Command::new(config.helper_path());
    command
        .args(&config.helper_args)
        .arg(PROBE_ARGUMENT)
        .env_clear()
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    let output = command
        .output()
        .map_err(|error| format!("cannot run the probe: {error}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A line is the name, `+` or `-`, and the detail, parted by tabs.
fn find(lines: &str, name: PartName) -> Result<String, String> {
    lines
        .lines()
        .find_map(|line| {
            let mut fields = line.splitn(3, '\t');
            if fields.next() != Some(name.as_str()) {
                return None;
            }
            let works = fields.next() == Some("+");
            let detail = fields.next().unwrap_or_default().to_owned();
            Some(if works { Ok(detail) } else { Err(detail) })
        })
        .unwrap_or_else(|| Err("the probe gave no answer".to_owned()))
}

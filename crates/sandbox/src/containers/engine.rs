//! The engine: which program it is, and its command lines.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use crate::error::Error;

/// How long an engine may take to say who it is, or to remove a container.
const PATIENCE: Duration = Duration::from_mins(1);

/// The label of every container, whose value is the instance.
pub(crate) const LABEL: &str = "marquetry.instance";

/// Which engine runs containers, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Containers {
    /// `podman`, `docker`, or a path to one of them or to a program that takes the same arguments.
    pub program: OsString,
    /// The OCI runtime, such as `runc`; the engine's own choice without.
    pub runtime: Option<String>,
    /// When images are fetched.
    pub pull: Pull,
}

/// When an engine fetches an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pull {
    /// When the machine does not have it.
    Missing,
    /// Never: the operator sees to it that the machine has it.
    Never,
}

impl Pull {
    /// As the engines take it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Never => "never",
        }
    }
}

/// Whose arguments an engine takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// podman, with or without root.
    Podman,
    /// docker, whose engine runs on this machine.
    Docker,
}

/// An engine that has said who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Engine {
    pub(crate) program: PathBuf,
    pub(crate) kind: Kind,
    pub(crate) runtime: Option<String>,
}

impl Engine {
    /// Asks it.
    pub(crate) async fn find(containers: &Containers) -> Result<Self, Error> {
        let (kind, _) = ask_version(containers).await?;
        let engine = Self {
            program: PathBuf::from(&containers.program),
            kind,
            runtime: containers.runtime.clone(),
        };
        let unfit = |reason: String| Error::Engine {
            program: containers.program.clone(),
            reason,
        };
        if let Some(elsewhere) = elsewhere(&environment()) {
            let reason = format!("{elsewhere} is another machine's; it must run on this one");
            return Err(unfit(reason));
        }
        if kind == Kind::Docker {
            let words = ["info", "--format", "{{.SecurityOptions}}"];
            let options = engine.tell(&words).await?;
            if ["rootless", "userns"]
                .iter()
                .any(|word| options.contains(word))
            {
                let reason = "docker maps users here, so containers could not read what they are given; use podman";
                return Err(unfit(reason.to_owned()));
            }
        }
        Ok(engine)
    }

    /// The program and what stands before every command of it.
    pub(crate) fn base(&self) -> Vec<OsString> {
        let mut words: Vec<OsString> = vec![self.program.clone().into()];
        if let (Kind::Podman, Some(runtime)) = (self.kind, &self.runtime) {
            words.extend(["--runtime", runtime.as_str()].map(OsString::from));
        }
        words
    }

    /// Lets it do something, within [`PATIENCE`]; answers what it printed.
    pub(crate) async fn tell(&self, words: &[&str]) -> Result<String, Error> {
        let mut command = self.base();
        command.extend(words.iter().map(OsString::from));
        output(&command, PATIENCE, environment()).await
    }

    /// Lets it fetch an image, by the proxies that we have too.
    pub(crate) async fn fetch(&self, most: Duration, image: &str) -> Result<(), Error> {
        let mut command = self.base();
        command.extend(["pull", "--quiet", image].map(OsString::from));
        let proxies = std::env::vars_os().filter(|(name, _)| is_proxy(name));
        let environment = environment().into_iter().chain(proxies).collect();
        output(&command, most, environment).await.map(drop)
    }
}

/// Which engine this is, and its version as it says it.
///
/// # Errors
/// It cannot be started, fails, or is neither podman nor docker.
pub async fn ask_version(containers: &Containers) -> Result<(Kind, String), Error> {
    let said = output(
        &[containers.program.clone(), "--version".into()],
        PATIENCE,
        environment(),
    )
    .await?;
    let line = said.lines().next().unwrap_or_default().trim().to_owned();
    let word = line.split_whitespace().next().unwrap_or_default();
    let kind = match word.to_ascii_lowercase().as_str() {
        "podman" => Kind::Podman,
        "docker" => Kind::Docker,
        _ => {
            return Err(Error::Engine {
                program: containers.program.clone(),
                reason: format!("its version is {line:?}, which is neither podman's nor docker's"),
            });
        }
    };
    Ok((kind, line))
}

async fn output(
    words: &[OsString],
    most: Duration,
    environment: Vec<(OsString, OsString)>,
) -> Result<String, Error> {
    let (program, arguments) = words
        .split_first()
        .ok_or(Error::InvalidSpec { what: "the engine" })?;
    let failed = |reason: String| Error::Engine {
        program: program.clone(),
        reason,
    };
    let done = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(environment)
        .current_dir("/")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let done = tokio::time::timeout(most, done)
        .await
        .map_err(|_| failed("it gives no answer".to_owned()))?
        .map_err(|error| failed(error.to_string()))?;
    if done.status.success() {
        Ok(String::from_utf8_lossy(&done.stdout).into_owned())
    } else {
        Err(failed(words_of(&done.stderr)))
    }
}

/// What an engine said of a failure, on one line and not endless.
pub(crate) fn words_of(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let said: String = lines.join("; ").chars().take(1_000).collect();
    if said.is_empty() {
        "it failed without a word".to_owned()
    } else {
        said
    }
}

/// What of our environment the engine needs. The rest may hold what it must not see: it stores much.
pub(crate) fn environment() -> Vec<(OsString, OsString)> {
    std::env::vars_os()
        .filter(|(name, _)| is_for_engines(name))
        .collect()
}

fn is_for_engines(name: &OsStr) -> bool {
    const NAMES: [&str; 8] = [
        "PATH",
        "HOME",
        "USER",
        "TMPDIR",
        "XDG_RUNTIME_DIR",
        "XDG_CONFIG_HOME",
        "XDG_DATA_HOME",
        "DBUS_SESSION_BUS_ADDRESS",
    ];
    const FAMILIES: [&str; 4] = ["DOCKER_", "CONTAINER_", "CONTAINERS_", "REGISTRY_"];
    name.to_str().is_some_and(|name| {
        NAMES.contains(&name) || FAMILIES.iter().any(|family| name.starts_with(family))
    })
}

fn is_proxy(name: &OsStr) -> bool {
    const NAMES: [&str; 3] = ["http_proxy", "https_proxy", "no_proxy"];
    name.to_str()
        .is_some_and(|name| NAMES.contains(&name.to_ascii_lowercase().as_str()))
}

/// What leads an engine's command line to another machine.
fn elsewhere(environment: &[(OsString, OsString)]) -> Option<String> {
    let is_elsewhere = |(name, value): &(OsString, OsString)| {
        let is_host = name == "DOCKER_HOST" || name == "CONTAINER_HOST";
        is_host && !value.to_string_lossy().starts_with("unix:")
    };
    let (name, value) = environment.iter().find(|pair| is_elsewhere(pair))?;
    Some(format!("{}={}", name.display(), value.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_gets_nothing_of_ours() {
        for name in ["PATH", "XDG_RUNTIME_DIR", "DOCKER_HOST", "CONTAINERS_CONF"] {
            assert!(is_for_engines(OsStr::new(name)), "{name}");
        }
        for name in [
            "MARQUETRY_MASTER_KEY",
            "AWS_SECRET_ACCESS_KEY",
            "https_proxy",
        ] {
            assert!(!is_for_engines(OsStr::new(name)), "{name}");
        }
    }

    #[test]
    fn an_engine_of_another_machine_is_known() {
        let said = |value: &str| elsewhere(&[("DOCKER_HOST".into(), value.into())]);
        assert_eq!(said("unix:///run/docker.sock"), None);
        assert_eq!(
            said("tcp://10.0.0.1:2375").unwrap(),
            "DOCKER_HOST=tcp://10.0.0.1:2375"
        );
    }

    #[tokio::test]
    async fn what_is_no_engine_is_said() {
        for (program, words) in [
            ("/no/such/engine", "No such file"),
            ("/bin/false", "without a word"),
            ("/bin/echo", "neither podman's nor docker's"),
        ] {
            let containers = Containers {
                program: program.into(),
                runtime: None,
                pull: Pull::Never,
            };
            let error = ask_version(&containers).await.unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}

//! What the tests share.

#![allow(
    dead_code,
    clippy::allow_attributes,
    reason = "every test file uses another part, so nothing can be expected"
)]
#![expect(
    unreachable_pub,
    clippy::disallowed_methods,
    reason = "a module shared by test programs, which start processes"
)]

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use marquetry_sandbox::{Child, Config, Ended, Limits, Mode, Network, Sandbox, Spec};
use tokio::io::AsyncReadExt as _;

/// A sandbox with a folder of its own.
pub struct Fixture {
    pub sandbox: Sandbox,
    pub folder: tempfile::TempDir,
}

pub fn config(mode: Mode, name: &str, scratch: PathBuf) -> Config {
    let mut config = Config::new(mode, format!("test-{name}-{}", std::process::id()), scratch);
    config.helper = std::env::var_os("MARQUETRY_TEST_SPAWNER")
        .or_else(|| Some(env!("CARGO_BIN_EXE_marquetry-sandbox-helper").into()))
        .map(PathBuf::from);
    config
}

pub async fn start(mode: Mode, name: &str) -> Fixture {
    let folder = tempfile::tempdir().expect("a folder");
    let scratch = folder.path().join("scratch");
    std::fs::create_dir(&scratch).expect("a scratch folder");
    let sandbox = Sandbox::start(config(mode, name, scratch))
        .await
        .expect("the sandbox starts");
    Fixture { sandbox, folder }
}

/// A shell script with ordinary limits.
pub fn script(text: &str) -> Spec {
    command(&["/bin/sh", "-c", text])
}

pub fn command(words: &[&str]) -> Spec {
    Spec {
        command: words.iter().map(OsString::from).collect(),
        environment: vec![("PATH".into(), "/usr/bin:/bin".into())],
        working_dir: PathBuf::from("/"),
        mounts: Vec::new(),
        limits: Limits {
            memory_bytes: 512 << 20,
            processes: 64,
            open_files: 256,
            disk_bytes: 32 << 20,
        },
        network: Network::None,
        lease: Duration::from_mins(1),
    }
}

/// Everything a child wrote, and its end.
pub struct Outcome {
    pub stdout: String,
    pub stderr: String,
    pub ended: Ended,
}

pub async fn finish(mut child: Child) -> Outcome {
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let (a, b) = tokio::join!(
        child.stdout.read_to_end(&mut stdout),
        child.stderr.read_to_end(&mut stderr)
    );
    a.expect("standard output can be read");
    b.expect("standard error can be read");
    let ended = child.wait().await;
    Outcome {
        stdout: String::from_utf8_lossy(&stdout).into_owned(),
        stderr: String::from_utf8_lossy(&stderr).into_owned(),
        ended,
    }
}

impl Fixture {
    pub async fn run(&self, spec: Spec) -> Outcome {
        let child = self.sandbox.spawn(spec).await.expect("the child starts");
        tokio::time::timeout(Duration::from_mins(1), finish(child))
            .await
            .expect("the child ends in time")
    }
}

/// Kills the spawner, as the kernel might when memory runs out.
pub fn kill_spawner(fixture: &Fixture) {
    let spawner = fixture.sandbox.spawner_id().expect("a spawner runs");
    let killed = std::process::Command::new("/bin/kill")
        .args(["-KILL", &spawner.to_string()])
        .status()
        .expect("kill runs");
    assert!(killed.success());
}

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

use marquetry_sandbox::{
    Child, Config, Containers, Ended, Error, Limits, Mode, Network, Pull, Sandbox, Spec,
};
use tokio::io::AsyncReadExt as _;

/// How children are started: what the suite is run with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Off,
    Degraded,
    Full,
    Container,
}

/// Every way that this machine has, of those that the suite's tests hold for.
pub fn ways() -> Vec<Way> {
    [vec![Way::Off], confined()].concat()
}

/// Those that keep a child from what is not its own.
pub fn confined() -> Vec<Way> {
    if containers().is_some() {
        vec![Way::Full, Way::Container]
    } else {
        vec![Way::Full]
    }
}

/// A test for each way that confines: the function takes the way.
#[macro_export]
macro_rules! in_each_way {
    ($($(#[$attribute:meta])* $name:ident),+ $(,)?) => {
        mod process {
            $($(#[$attribute])* #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name($crate::common::Way::Full).await;
            })+
        }
        mod container {
            $($(#[$attribute])* #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                if $crate::common::containers().is_some() {
                    super::$name($crate::common::Way::Container).await;
                }
            })+
        }
    };
}

/// The engine that `tools/container-engine` has made ready; the test says what it does not try without.
pub fn containers() -> Option<Containers> {
    let variable = |name: &str| std::env::var_os(format!("MARQUETRY_TEST_CONTAINER_{name}"));
    let Some(program) = variable("ENGINE") else {
        skipped("containers: tools/container-engine makes an engine ready");
        return None;
    };
    let runtime = variable("RUNTIME").and_then(|name| name.into_string().ok());
    Some(Containers {
        program,
        runtime: runtime.filter(|name| !name.is_empty()),
        pull: Pull::Never,
    })
}

/// What `./test` says at its end.
#[expect(clippy::print_stderr, reason = "the output of tests")]
fn skipped(why: &str) {
    use std::io::Write as _;
    eprintln!("SKIPPED: {why}");
    if let Some(path) = std::env::var_os("MARQUETRY_TEST_SKIPPED") {
        let file = std::fs::File::options()
            .append(true)
            .create(true)
            .open(path);
        let mut file = file.expect("the list of what is not tried");
        file.write_all(format!("{why}\n").as_bytes())
            .expect("a line");
    }
}

pub fn image() -> String {
    let image = std::env::var_os("MARQUETRY_TEST_CONTAINER_IMAGE").expect("the image is named");
    image.into_string().expect("the name of the image is text")
}

/// A sandbox with a folder of its own.
pub struct Fixture {
    pub sandbox: Sandbox,
    pub way: Way,
    pub folder: tempfile::TempDir,
}

/// The settings for a way.
pub fn config(way: Way, name: &str, scratch: PathBuf) -> Config {
    let mode = match way {
        Way::Off => Mode::Off,
        Way::Degraded => Mode::Degraded,
        Way::Full | Way::Container => Mode::Full,
    };
    let mut config = Config::new(mode, format!("test-{name}-{}", std::process::id()), scratch);
    config.helper = std::env::var_os("MARQUETRY_TEST_SPAWNER")
        .or_else(|| Some(env!("CARGO_BIN_EXE_marquetry-sandbox-helper").into()))
        .map(PathBuf::from);
    if way == Way::Container {
        config.containers = containers();
    }
    config
}

/// The same child by a way.
pub async fn by(sandbox: &Sandbox, way: Way, mut spec: Spec) -> Spec {
    if way == Way::Container {
        let image = sandbox.prepare(&image()).await;
        spec.image = Some(image.expect("the image is ready"));
    }
    spec
}

pub async fn start(way: Way, name: &str) -> Fixture {
    let folder = tempfile::tempdir().expect("a folder");
    let scratch = folder.path().join("scratch");
    std::fs::create_dir(&scratch).expect("a scratch folder");
    let sandbox = Sandbox::start(config(way, name, scratch))
        .await
        .expect("the sandbox starts");
    Fixture {
        sandbox,
        way,
        folder,
    }
}

/// A shell script with ordinary limits.
pub fn script(text: &str) -> Spec {
    command(&["/bin/sh", "-c", text])
}

pub fn command(words: &[&str]) -> Spec {
    Spec {
        image: None,
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
    pub async fn spawn(&self, spec: Spec) -> Result<Child, Error> {
        self.sandbox
            .spawn(by(&self.sandbox, self.way, spec).await)
            .await
    }

    pub async fn run(&self, spec: Spec) -> Outcome {
        let child = self.spawn(spec).await.expect("the child starts");
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

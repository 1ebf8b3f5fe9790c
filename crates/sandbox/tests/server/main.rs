//! What becomes of children when the server is killed or frozen, when their lease passes, and when
//! the server is an ordinary user.
//!
//! A program of its own, not a set of test functions, because it is also the server that is killed.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test program of its own, which also plays the server"
)]

#[path = "../common/mod.rs"]
mod common;
mod containers;

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{Outcome, Way, by, command, confined, finish, script, ways};
use marquetry_sandbox::{Access, Cause, Config, Mode, Mount, Network, Sandbox, Spec, Status};
use tokio::io::AsyncReadExt as _;

const ROLE: &str = "MARQUETRY_TEST_ROLE";
const WAY: &str = "MARQUETRY_TEST_WAY";
const NOBODY: u32 = 65534;

fn main() {
    let role = std::env::var_os(ROLE);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    match role.as_deref().and_then(|role| role.to_str()) {
        Some("server") => runtime.block_on(serve()),
        Some("keeps") => runtime.block_on(keep_one()),
        Some("unprivileged") => runtime.block_on(unprivileged()),
        Some("degraded") => runtime.block_on(degraded()),
        _ => as_a_test_binary(&runtime),
    }
}

type Case = (&'static str, fn(&tokio::runtime::Runtime));

const CASES: [Case; 18] = [
    ("a_lease_that_passes_ends_the_child", |runtime| {
        runtime.block_on(a_lease_that_passes_ends_the_child());
    }),
    ("a_lease_that_is_extended_does_not", |runtime| {
        runtime.block_on(a_lease_that_is_extended_does_not());
    }),
    ("a_killed_server_leaves_nothing", |_| {
        a_killed_server_leaves_nothing();
    }),
    ("a_killed_server_leaves_no_container", |runtime| {
        runtime.block_on(containers::a_killed_server_leaves_no_container());
    }),
    ("an_image_that_is_gone_is_looked_for_again", |runtime| {
        runtime.block_on(containers::an_image_that_is_gone_is_looked_for_again());
    }),
    ("volumes_of_an_image_are_no_disk", |runtime| {
        runtime.block_on(containers::volumes_of_an_image_are_no_disk_of_its_own());
    }),
    ("a_container_that_is_killed_from_outside", |runtime| {
        runtime.block_on(containers::a_container_that_is_killed_from_outside_is_lost());
    }),
    ("an_end_that_the_engine_does_not_know", |runtime| {
        runtime.block_on(containers::an_end_that_the_engine_does_not_know_is_no_success());
    }),
    ("a_container_that_is_given_up_leaves_nothing", |runtime| {
        runtime.block_on(containers::a_container_that_is_given_up_while_it_starts_leaves_nothing());
    }),
    ("a_killed_conductor_leaves_no_container", |runtime| {
        runtime.block_on(containers::a_killed_conductor_leaves_no_container());
    }),
    ("a_frozen_server_loses_its_children", |_| {
        for way in confined() {
            a_frozen_server_loses_its_children_when_their_lease_passes(way);
        }
    }),
    ("a_kept_child_outlives_a_killed_server", |runtime| {
        runtime.block_on(a_kept_child_outlives_its_server("killed", Way::Full));
    }),
    ("a_kept_child_that_is_left_outlives_its_server", |runtime| {
        runtime.block_on(a_kept_child_outlives_its_server("left", Way::Full));
    }),
    ("a_kept_container_outlives_a_killed_server", |runtime| {
        runtime.block_on(a_kept_child_outlives_its_server("killed", Way::Container));
    }),
    (
        "a_kept_container_that_is_left_outlives_its_server",
        |runtime| {
            runtime.block_on(a_kept_child_outlives_its_server("left", Way::Container));
        },
    ),
    ("full_as_another_user", |_| as_another_user("unprivileged")),
    ("degraded", |runtime| runtime.block_on(degraded())),
    ("degraded_as_another_user", |_| as_another_user("degraded")),
];

/// What test runners expect of a binary: a list, one case by its name, or all of them.
fn as_a_test_binary(runtime: &tokio::runtime::Runtime) {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |word: &str| arguments.iter().any(|argument| argument == word);
    if has("--list") {
        // None is ignored, so the list of ignored ones is empty.
        for (name, _) in CASES.iter().filter(|_| !has("--ignored")) {
            println!("{name}: test");
        }
        return;
    }
    let filter = arguments.iter().find(|argument| !argument.starts_with('-'));
    let mut passed = 0;
    for (name, case) in CASES {
        let wanted = filter.is_none_or(|filter| {
            name == filter || (!has("--exact") && name.contains(filter.as_str()))
        });
        if wanted {
            println!("test {name} ...");
            case(runtime);
            passed += 1;
        }
    }
    println!("{passed} passed, 0 failed");
}

/// A sandbox in a folder.
async fn start(way: Way, folder: &Path, name: &str) -> Sandbox {
    let scratch = folder.join("scratch");
    std::fs::create_dir_all(&scratch).unwrap();
    let config: Config = common::config(way, name, scratch);
    Sandbox::start(config).await.unwrap()
}

async fn run(sandbox: &Sandbox, spec: Spec) -> Outcome {
    let child = sandbox.spawn(spec).await.unwrap();
    tokio::time::timeout(Duration::from_mins(1), finish(child))
        .await
        .expect("the child ends in time")
}

/// A short lease; an engine takes its time to start.
fn lease(way: Way, short: Duration) -> Duration {
    if way == Way::Container {
        Duration::from_secs(4)
    } else {
        short
    }
}

async fn a_lease_that_passes_ends_the_child() {
    let folder = tempfile::tempdir().unwrap();
    for way in ways() {
        let sandbox = start(way, folder.path(), "lease").await;
        let mut spec = script("trap '' TERM; setsid sleep 3601 & sleep 3601");
        let lease = lease(way, Duration::from_millis(300));
        spec.lease = lease;
        let started = Instant::now();
        let mut child = sandbox.spawn(by(&sandbox, way, spec).await).await.unwrap();
        let ended = child.wait().await;
        assert_eq!(ended.cause, Cause::LeaseEnded, "{way:?}");
        assert_eq!(ended.status, Status::Signalled(9));
        assert!(started.elapsed() >= lease);
        assert!(started.elapsed() < 2 * lease + Duration::from_secs(5));
        sandbox.shutdown().await;
    }
}

async fn a_lease_that_is_extended_does_not() {
    let folder = tempfile::tempdir().unwrap();
    for way in ways() {
        let sandbox = start(way, folder.path(), "extend").await;
        let lease = lease(way, Duration::from_millis(500));
        let mut spec = script(&format!(
            "sleep {}; echo done",
            2 * lease.as_millis() / 1000
        ));
        spec.lease = lease;
        let child = sandbox.spawn(by(&sandbox, way, spec).await).await.unwrap();
        child.extend_lease(Duration::from_mins(1)).await;
        let outcome = finish(child).await;
        assert_eq!(outcome.stdout, "done\n", "{way:?} {:?}", outcome.ended);
        sandbox.shutdown().await;
    }
}

/// The role of a server with some children, until it is killed.
async fn serve() {
    let folder = PathBuf::from(std::env::var_os("MARQUETRY_TEST_FOLDER").unwrap());
    let word = std::env::var("MARQUETRY_TEST_WORD").unwrap();
    let sandbox = start(role_way(), &folder, "server").await;
    let mut children = Vec::new();
    for _ in 0..3 {
        let mut spec = script(&format!("setsid sleep {word} & echo up; sleep {word}"));
        spec.lease = lease(role_way(), Duration::from_secs(2));
        spec.network = Network::Relayed { ports: vec![443] };
        let mut child = sandbox
            .spawn(by(&sandbox, role_way(), spec).await)
            .await
            .unwrap();
        child.stdout.read_exact(&mut [0; 3]).await.unwrap();
        children.push(child);
        for child in &children {
            child
                .extend_lease(lease(role_way(), Duration::from_secs(2)))
                .await;
        }
    }
    println!("{}", std::process::id());
    loop {
        for child in &children {
            child
                .extend_lease(lease(role_way(), Duration::from_secs(2)))
                .await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The way of a role that is played in a process of its own.
fn role_way() -> Way {
    if std::env::var_os(WAY).is_some_and(|way| way == "container") {
        Way::Container
    } else {
        Way::Full
    }
}

struct Server {
    process: std::process::Child,
    word: String,
    folder: tempfile::TempDir,
}

fn start_server(index: u32, way: Way) -> Server {
    let folder = tempfile::tempdir().unwrap();
    let word = format!("{}.{}", 5000 + index, std::process::id());
    let server = Server {
        process: play("server", way, folder.path(), &word),
        word,
        folder,
    };
    wait_until("all children run", || count(&server.word) == 6);
    server
}

/// A process of its own in a role, when it is up.
fn play(role: &str, way: Way, folder: &Path, word: &str) -> std::process::Child {
    let mut process = Command::new(std::env::current_exe().unwrap())
        .env(ROLE, role)
        .env(
            WAY,
            if way == Way::Container {
                "container"
            } else {
                "full"
            },
        )
        .env("MARQUETRY_TEST_FOLDER", folder)
        .env("MARQUETRY_TEST_WORD", word)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(process.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert_eq!(line.trim(), process.id().to_string(), "{role} is up");
    process
}

impl Drop for Server {
    fn drop(&mut self) {
        // Gone already in most tests.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Processes anywhere on the host with this word among their arguments, shells' scripts apart.
fn count(word: &str) -> usize {
    std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().parse::<u32>().is_ok())
        .filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok())
        .filter(|line| {
            line.split(|byte| *byte == 0)
                .any(|part| part == word.as_bytes())
        })
        .count()
}

fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "{what} in time");
        std::thread::yield_now();
    }
}

fn signal(signal: &str, process: u32) {
    let sent = Command::new("/bin/kill")
        .args([signal, &process.to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
}

fn a_killed_server_leaves_nothing() {
    let mut server = start_server(1, Way::Full);
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
    let id = server.process.id();
    server.process.kill().unwrap();
    server.process.wait().unwrap();
    wait_until("all processes are gone", || count(&server.word) == 0);
    assert!(!mounts.contains(server.folder.path().to_str().unwrap()));
    // Its control groups are removed by the next server, whatever its name, and no others.
    let name = format!("marquetry-test-server-{id}");
    assert!(groups(&name) > 0);
    let other = start_server(2, Way::Full);
    assert_eq!(groups(&name), 0);
    let mut config = Config::new(
        Mode::Full,
        format!("test-server-{id}"),
        server.folder.path().join("scratch"),
    );
    config.helper = Some(env!("CARGO_BIN_EXE_marquetry-sandbox-helper").into());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let sandbox = Sandbox::start(config).await.unwrap();
        let outcome = run(&sandbox, script("echo fine")).await;
        assert_eq!(outcome.stdout, "fine\n");
        sandbox.shutdown().await;
    });
    assert_eq!(groups(&name), 0);
    let mut other = other;
    assert_eq!(count(&other.word), 6, "another server's children live on");
    other.process.kill().unwrap();
    other.process.wait().unwrap();
    wait_until("all processes are gone", || count(&other.word) == 0);
}

/// Control group folders of this name, with those in them.
fn groups(name: &str) -> usize {
    fn walk(folder: &Path, name: &str, inside: bool) -> usize {
        std::fs::read_dir(folder)
            .into_iter()
            .flatten()
            .flatten()
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
            .map(|entry| {
                let inside = inside || entry.file_name().to_str() == Some(name);
                usize::from(inside) + walk(&entry.path(), name, inside)
            })
            .sum()
    }
    walk(Path::new("/sys/fs/cgroup"), name, false)
}

/// Says what it sees, lives on for a while, and listens to its network.
const KEPT: &str = "echo one; echo two >&2; sleep 2; echo three; exit 7";

/// The role of a server that keeps a child and is killed, or leaves it.
async fn keep_one() {
    let folder = PathBuf::from(std::env::var_os("MARQUETRY_TEST_FOLDER").unwrap());
    let sandbox = Sandbox::start(kept_config(&folder, role_way()))
        .await
        .unwrap();
    // Its end is not known when the server goes, and what it had is the next one's then.
    let mut before = sandbox
        .spawn(by(&sandbox, role_way(), script("exit 3")).await)
        .await
        .unwrap();
    let _kept = sandbox.keep(&mut before, b"before", b"").await.unwrap();
    finish(before).await;
    let mut spec = script(KEPT);
    spec.network = Network::Relayed { ports: vec![443] };
    let mut child = sandbox
        .spawn(by(&sandbox, role_way(), spec).await)
        .await
        .unwrap();
    let _kept = sandbox.keep(&mut child, b"the label", b"").await.unwrap();
    let mut seen = [0; 99];
    assert_eq!(child.stdout.read(&mut seen).await.unwrap(), 4);
    assert_eq!(child.stderr.read(&mut seen).await.unwrap(), 4);
    child.stderr.part(1, 2).unwrap();
    // One whose end is known is forgotten.
    let mut over = sandbox
        .spawn(by(&sandbox, role_way(), script("sleep 0.1")).await)
        .await
        .unwrap();
    sandbox
        .keep(&mut over, b"over", b"")
        .await
        .unwrap()
        .forget();
    finish(over).await;
    println!("{}", std::process::id());
    if std::env::var("MARQUETRY_TEST_WORD").unwrap() == "left" {
        sandbox.leave(&child).await;
        sandbox.shutdown().await;
    } else {
        std::future::pending::<()>().await;
    }
}

fn kept_config(folder: &Path, way: Way) -> Config {
    let scratch = folder.join("scratch");
    std::fs::create_dir_all(&scratch).unwrap();
    let mut config = common::config(way, "keeps", scratch);
    let mut word = std::collections::hash_map::DefaultHasher::new();
    std::hash::Hash::hash(folder, &mut word);
    config.instance = format!("test-keeps-{:x}", std::hash::Hasher::finish(&word));
    config
}

async fn a_kept_child_outlives_its_server(how: &str, way: Way) {
    if !confined().contains(&way) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut process = play("keeps", way, folder.path(), how);
    if how == "killed" {
        process.kill().unwrap();
    }
    process.wait().unwrap();
    let config = kept_config(folder.path(), way);
    let name = format!("marquetry-{}", config.instance);
    let sandbox = Sandbox::start(config).await.unwrap();
    let mut taken = sandbox.take_back();
    assert!(sandbox.take_back().is_empty(), "once");
    let before = taken.pop().expect("what has ended is taken back");
    let mut one = taken.pop().expect("it is taken back");
    assert!(taken.is_empty());
    assert_eq!(before.label, b"before");
    assert!(before.has_ended && !one.has_ended);
    assert_eq!(finish(before.child).await.ended.status, Status::Exited(3));
    before.kept.forget();
    assert_eq!(one.label, b"the label");
    assert!(one.child.egress.is_some(), "with its network");
    let beside = run(&sandbox, by(&sandbox, way, script("echo beside")).await).await;
    assert_eq!(beside.stdout, "beside\n", "others start meanwhile");
    one.child.stderr.skip_stored(1).unwrap();
    let outcome = finish(one.child).await;
    assert_eq!(outcome.stdout, "one\nthree\n");
    assert_eq!(outcome.stderr, "o\n", "what is stored is not read again");
    assert_eq!(outcome.ended.status, Status::Exited(7));
    assert_eq!(outcome.ended.cause, Cause::Own);
    one.kept.forget();
    sandbox.shutdown().await;
    wait_until("control groups are gone", || groups(&name) == 0);
    // Its end is known: the next server hears of nothing, and the keeper has ended.
    let socket = folder.path().join("scratch/keeper-3.sock");
    let next = Sandbox::start(kept_config(folder.path(), way))
        .await
        .unwrap();
    assert!(next.take_back().is_empty());
    next.shutdown().await;
    wait_until("the keeper is gone", || {
        std::os::unix::net::UnixStream::connect(&socket).is_err()
    });
}

fn a_frozen_server_loses_its_children_when_their_lease_passes(way: Way) {
    let mut server = start_server(3, way);
    signal("-STOP", server.process.id());
    wait_until("all processes are gone", || count(&server.word) == 0);
    server.process.kill().unwrap();
    server.process.wait().unwrap();
}

/// Plays a role as a user without privileges.
fn as_another_user(role: &str) {
    let folder = tempfile::tempdir().unwrap();
    // The programs under test may lie where that user cannot go.
    let program = folder.path().join("server");
    let spawner = folder.path().join("spawner");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    std::fs::copy(env!("CARGO_BIN_EXE_marquetry-sandbox-helper"), &spawner).unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    std::os::unix::fs::chown(folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    std::os::unix::fs::chown(&data, Some(NOBODY), Some(NOBODY)).unwrap();
    let status = Command::new(&program)
        .env(ROLE, role)
        .env("MARQUETRY_TEST_FOLDER", &data)
        .env("MARQUETRY_TEST_SPAWNER", &spawner)
        .uid(NOBODY)
        .gid(NOBODY)
        .status()
        .unwrap();
    assert!(status.success(), "{role}");
}

/// The folder of a role that is played in a process of its own, else a new one.
fn role_folder() -> (PathBuf, Option<tempfile::TempDir>) {
    if let Some(folder) = std::env::var_os("MARQUETRY_TEST_FOLDER") {
        return (folder.into(), None);
    }
    let folder = tempfile::tempdir().unwrap();
    (folder.path().to_path_buf(), Some(folder))
}

/// The full sandbox of a server that is an ordinary user.
async fn unprivileged() {
    let (folder, _keep) = role_folder();
    let sandbox = start(Way::Full, &folder, "unprivileged").await;
    assert!(sandbox.report().is_full(), "{:?}", sandbox.report());

    let outcome = run(&sandbox, script("id -un; cat /proc/self/status")).await;
    assert!(
        outcome.stdout.starts_with("integration\n"),
        "{}",
        outcome.stderr
    );
    for line in [
        "CapEff:\t0000000000000000",
        "CapBnd:\t0000000000000000",
        "NoNewPrivs:\t1",
        "Seccomp:\t2",
    ] {
        assert!(
            outcome.stdout.contains(line),
            "{line} in {}",
            outcome.stdout
        );
    }

    // The root belongs to the same user and is still not to be written.
    let text = "for d in / /etc /usr /dev /run /var /.private; do touch $d/x 2>/dev/null && echo $d; done; \
                touch /tmp/x /home/integration/x || echo private; ls -A /.host; cat /root/* 2>/dev/null; \
                kill -9 -1";
    let outcome = run(&sandbox, script(text)).await;
    assert_eq!(outcome.stdout, "", "{}", outcome.stderr);

    let secret = folder.join("secret");
    std::fs::write(&secret, "secret").unwrap();
    let mount = folder.join("mount");
    std::fs::create_dir_all(&mount).unwrap();
    let mut spec = script(&format!(
        "cat {}; echo made > file; sleep 0",
        secret.display()
    ));
    spec.working_dir = "/integration/mount".into();
    spec.mounts.push(Mount {
        source: mount.clone(),
        target: "/integration/mount".into(),
        access: Access::ReadWrite { max_bytes: None },
    });
    let outcome = run(&sandbox, spec).await;
    assert_eq!(outcome.stdout, "");
    assert_eq!(
        std::fs::read_to_string(mount.join("file")).unwrap(),
        "made\n"
    );

    let mut spec = command(&[
        "/usr/bin/python3",
        "-c",
        "import time; x = bytearray(300 << 20); time.sleep(30)",
    ]);
    spec.limits.memory_bytes = 64 << 20;
    let outcome = run(&sandbox, spec).await;
    assert_eq!(
        outcome.ended.cause,
        Cause::MemoryLimit,
        "{}",
        outcome.stderr
    );

    let mut spec = script("i=0; while [ $i -lt 100 ]; do sleep 30 & i=$((i+1)); done; echo all");
    spec.limits.processes = 20;
    let outcome = run(&sandbox, spec).await;
    assert_eq!(outcome.stdout, "", "{}", outcome.stderr);

    let mut spec = script("true");
    spec.network = Network::Relayed { ports: vec![443] };
    let mut child = sandbox.spawn(spec).await.unwrap();
    let egress = child.egress.take().expect("sockets");
    assert_eq!(egress.tcp.len(), 2);
    assert_eq!(child.wait().await.status, Status::Exited(0));
    sandbox.shutdown().await;
}

/// What is left where there are no namespaces: landlock, seccomp, limits, and the reaper.
async fn degraded() {
    let (folder, _keep) = role_folder();
    let scratch = folder.join("scratch");
    std::fs::create_dir_all(&scratch).unwrap();
    let mut config = common::config(Way::Degraded, "degraded", scratch);
    config.without_namespaces = true;
    let sandbox = Sandbox::start(config).await.unwrap();
    assert!(!sandbox.has_own_root());

    let word = format!("6000.{}", std::process::id());
    let secret = folder.join("secret");
    std::fs::write(&secret, "secret").unwrap();
    let mount = folder.join("work");
    std::fs::create_dir_all(&mount).unwrap();
    let text = format!(
        "cat {} /etc/shadow 2>/dev/null; touch /tmp/x-$$ 2>/dev/null && echo tmp; echo made > file; \
         (setsid sh -c 'trap \"\" TERM HUP; sleep {word}' &); cat /proc/self/status",
        secret.display()
    );
    let mut spec = script(&text);
    spec.working_dir.clone_from(&mount);
    spec.mounts.push(Mount {
        source: mount.clone(),
        target: "/integration/mount".into(),
        access: Access::ReadWrite { max_bytes: None },
    });
    let outcome = run(&sandbox, spec).await;
    assert!(outcome.stdout.starts_with("Name:"), "{}", outcome.stdout);
    for line in ["CapEff:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"] {
        assert!(outcome.stdout.contains(line), "{line}");
    }
    assert_eq!(
        std::fs::read_to_string(mount.join("file")).unwrap(),
        "made\n"
    );
    assert_eq!(count(&word), 0);

    let text = "import socket; socket.socket()";
    let outcome = run(&sandbox, command(&["/usr/bin/python3", "-c", text])).await;
    assert_eq!(outcome.ended.status, Status::Exited(1), "no network");

    let mut spec = script("trap '' TERM; sleep 3600");
    spec.lease = Duration::from_millis(300);
    assert_eq!(run(&sandbox, spec).await.ended.cause, Cause::LeaseEnded);
    sandbox.shutdown().await;
}

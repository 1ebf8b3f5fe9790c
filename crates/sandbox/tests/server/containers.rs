//! What becomes of containers: their server is killed, their conductor, or what their engine knows of them.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use marquetry_sandbox::{Cause, Sandbox, Status};
use tokio::io::AsyncReadExt as _;

use super::common::{self, Way, by, containers, script};
use super::{count, run, signal, start, start_server, wait_until};

/// The names of all containers of the test's engine whose name has this word.
fn containers_named(word: &str) -> Vec<String> {
    let names = ask(&["ps", "--all", "--format", "{{.Names}}"]);
    let names = names.lines().filter(|name| name.contains(word));
    names.map(str::to_owned).collect()
}

/// Whether the sandbox has a folder for any container.
fn has_folders(scratch: &Path) -> bool {
    let folders = std::fs::read_dir(scratch.join("containers"));
    folders.is_ok_and(|mut folders| folders.next().is_some())
}

pub(super) async fn a_killed_server_leaves_no_container() {
    if containers().is_none() {
        return;
    }
    let mut server = start_server(4, Way::Container);
    let scratch = server.folder.path().join("scratch");
    let name = format!("test-server-{}", server.process.id());
    assert_eq!(containers_named(&name).len(), 3);
    // By themselves, when nobody is there any more.
    server.process.kill().unwrap();
    server.process.wait().unwrap();
    wait_until("all processes are gone", || count(&server.word) == 0);
    wait_until("all folders are gone", || !has_folders(&scratch));
    assert_eq!(containers_named(&name), [""; 0]);

    // The power fails: the conductors are gone too, and the next server of this name removes what is left.
    let mut server = start_server(5, Way::Container);
    let scratch = server.folder.path().join("scratch");
    let name = format!("test-server-{}", server.process.id());
    for conductor in conductors(&scratch) {
        signal("-KILL", conductor);
    }
    server.process.kill().unwrap();
    server.process.wait().unwrap();
    // They end without a server, too.
    wait_until("all processes are gone", || count(&server.word) == 0);
    assert_eq!(containers_named(&name).len(), 3);
    let mut config = common::config(Way::Container, "server", scratch.clone());
    config.instance = name.clone();
    let sandbox = Sandbox::start(config).await.unwrap();
    assert_eq!(containers_named(&name), [""; 0]);
    assert!(!has_folders(&scratch));
    assert_eq!(count(&server.word), 0);
    sandbox.shutdown().await;
}

/// The processes that hold a container's folder of this sandbox.
fn conductors(scratch: &Path) -> Vec<u32> {
    let holds = |process: &Path| {
        let files = std::fs::read_dir(process.join("fd"));
        let mut files = files.into_iter().flatten().flatten();
        files.any(|file| {
            std::fs::read_link(file.path())
                .is_ok_and(|to| to.starts_with(scratch) && to.ends_with("lock"))
        })
    };
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    let numbered = all.filter_map(|entry| {
        let number = entry.file_name().to_str()?.parse::<u32>().ok()?;
        holds(&entry.path()).then_some(number)
    });
    numbered.collect()
}

/// What the test's engine answers.
fn ask(words: &[&str]) -> String {
    let engine = containers().unwrap();
    let done = Command::new(engine.program).args(words).output().unwrap();
    assert!(done.status.success(), "{words:?}: {done:?}");
    String::from_utf8(done.stdout).unwrap()
}

pub(super) async fn an_image_that_is_gone_is_looked_for_again() {
    if containers().is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let sandbox = start(Way::Container, folder.path(), "gone").await;
    let name = format!("localhost/marquetry-gone-{}:1", std::process::id());
    let spec = async || {
        let mut spec = script("echo here");
        spec.image = Some(sandbox.prepare(&name).await.unwrap());
        spec
    };
    let tag = || ask(&["tag", &common::image(), &name]);
    tag();
    assert_eq!(run(&sandbox, spec().await).await.stdout, "here\n");
    ask(&["untag", &common::image(), &name]);
    let error = sandbox.spawn(spec().await).await.unwrap_err().to_string();
    assert!(error.contains(&name), "{error}");
    tag();
    assert_eq!(run(&sandbox, spec().await).await.stdout, "here\n");
    ask(&["untag", &common::image(), &name]);
    sandbox.shutdown().await;
}

pub(super) async fn volumes_of_an_image_are_no_disk_of_its_own() {
    if containers().is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let sandbox = start(Way::Container, folder.path(), "volume").await;
    let name = format!("localhost/marquetry-volume-{}:1", std::process::id());
    let file = folder.path().join("Containerfile");
    std::fs::write(&file, format!("FROM {}\nVOLUME /data\n", common::image())).unwrap();
    let here = folder.path().to_str().unwrap();
    ask(&[
        "build",
        "--quiet",
        "--tag",
        &name,
        "--file",
        file.to_str().unwrap(),
        here,
    ]);
    let mut spec = script("touch /data/x 2>/dev/null && echo written; echo over");
    spec.image = Some(sandbox.prepare(&name).await.unwrap());
    assert_eq!(run(&sandbox, spec).await.stdout, "over\n");
    assert_eq!(ask(&["volume", "ls", "--quiet"]), "");
    sandbox.shutdown().await;
}

/// Where the engine has lost sight of a container, nobody guesses how it ended.
pub(super) async fn an_end_that_the_engine_does_not_know_is_no_success() {
    if containers().is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let sandbox = start(Way::Container, folder.path(), "unseen").await;
    let spec = by(&sandbox, Way::Container, script("echo up; sleep 2; exit 7")).await;
    let mut child = sandbox.spawn(spec).await.unwrap();
    child.stdout.read_exact(&mut [0; 3]).await.unwrap();
    let name = format!("test-unseen-{}", std::process::id());
    let monitors = std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| {
            let line = std::fs::read(entry.path().join("cmdline")).ok()?;
            let line = String::from_utf8_lossy(&line).into_owned();
            let is_meant = line.contains("conmon") && line.contains(&name);
            is_meant.then(|| entry.file_name().to_str()?.parse::<u32>().ok())?
        });
    for monitor in monitors.collect::<Vec<_>>() {
        signal("-KILL", monitor);
    }
    let ended = tokio::time::timeout(Duration::from_mins(2), child.wait()).await;
    assert_eq!(ended.unwrap().cause, Cause::Lost);
    assert_eq!(containers_named(&name), [""; 0]);
    sandbox.shutdown().await;
}

/// Of what somebody else ends, nobody says that it has failed.
pub(super) async fn a_container_that_is_killed_from_outside_is_lost() {
    if containers().is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let sandbox = start(Way::Container, folder.path(), "outside").await;
    let spec = by(&sandbox, Way::Container, script("echo up; sleep 60")).await;
    let mut child = sandbox.spawn(spec).await.unwrap();
    child.stdout.read_exact(&mut [0; 3]).await.unwrap();
    let name = format!("test-outside-{}", std::process::id());
    ask(&["kill", &containers_named(&name)[0]]);
    assert_eq!(child.wait().await.cause, Cause::Lost);
    // What ends so by its own hand has failed.
    let spec = by(&sandbox, Way::Container, script("kill -KILL $$")).await;
    let ended = run(&sandbox, spec).await.ended;
    assert_eq!(
        (ended.status, ended.cause),
        (Status::Exited(137), Cause::Own)
    );
    sandbox.shutdown().await;
}

/// Processes of the test's engine that look after a container of this name.
fn looks_after(word: &str) -> usize {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    let is_meant = |line: &Vec<u8>| String::from_utf8_lossy(line).contains(word);
    lines.filter(is_meant).count()
}

pub(super) async fn a_container_that_is_given_up_while_it_starts_leaves_nothing() {
    if containers().is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let sandbox = start(Way::Container, folder.path(), "given-up").await;
    let word = format!("5007.{}", std::process::id());
    for number in 0..12 {
        let spec = script(&format!("sleep {word}"));
        let spec = by(&sandbox, Way::Container, spec).await;
        // At another instant of its start each time.
        let patience = Duration::from_millis(20 * number);
        let _ = tokio::time::timeout(patience, sandbox.spawn(spec)).await;
    }
    let scratch = folder.path().join("scratch");
    // The server goes on meanwhile.
    let until = Instant::now() + Duration::from_secs(20);
    while has_folders(&scratch) {
        assert!(Instant::now() < until, "all folders are gone in time");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let name = format!("test-given-up-{}", std::process::id());
    assert_eq!(containers_named(&name), [""; 0]);
    assert_eq!(count(&word), 0);
    // One that the engine no longer knows of would be looked after still.
    wait_until("nothing looks after any", || looks_after(&name) == 0);
    sandbox.shutdown().await;
}

pub(super) async fn a_killed_conductor_leaves_no_container() {
    if containers().is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let sandbox = start(Way::Container, folder.path(), "conductor").await;
    let word = format!("5006.{}", std::process::id());
    let spec = script(&format!("echo up; sleep {word}"));
    let mut child = sandbox
        .spawn(by(&sandbox, Way::Container, spec).await)
        .await
        .unwrap();
    child.stdout.read_exact(&mut [0; 3]).await.unwrap();
    let scratch = folder.path().join("scratch");
    let [conductor] = conductors(&scratch)[..] else {
        panic!("one conductor");
    };
    signal("-KILL", conductor);
    let ended = child.wait().await;
    assert_eq!(ended.cause, Cause::Lost);
    assert_eq!(count(&word), 0);
    let name = format!("test-conductor-{}", std::process::id());
    assert_eq!(containers_named(&name), [""; 0]);
    assert!(!has_folders(&scratch));
    sandbox.shutdown().await;
}

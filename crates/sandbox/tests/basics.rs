//! Starting, streaming and ending, in mode off and in the full sandbox.

#![expect(clippy::unwrap_used, reason = "functions that tests share")]

mod common;

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;
use std::time::Duration;

use common::{Way, command, confined, finish, script, start, ways};
use marquetry_sandbox::{Access, Cause, Error, Mount, Status};
use tokio::io::AsyncReadExt as _;

#[tokio::test]
async fn exit_codes_and_output_arrive() {
    for mode in ways() {
        let fixture = start(mode, "codes").await;
        let outcome = fixture.run(script("echo out; echo err >&2; exit 7")).await;
        assert_eq!(outcome.stderr, "err\n");
        assert_eq!(outcome.stdout, "out\n");
        assert_eq!(outcome.ended.status, Status::Exited(7));
        assert_eq!(outcome.ended.cause, Cause::Own);
        fixture.sandbox.shutdown().await;
    }
}

/// What a program leaves in the pipe when it ends without waiting for a reader.
#[tokio::test]
async fn a_last_line_fits_into_the_pipe() {
    for mode in [ways(), vec![Way::Degraded]].concat() {
        let fixture = start(mode, "pipe").await;
        let code = "import os; os.set_blocking(1, False); print(os.write(1, b'x' * 200_000), file=open(2, 'w'))";
        let mut child = fixture
            .spawn(command(&["/usr/bin/python3", "-c", code]))
            .await
            .unwrap();
        let ended = child.wait().await;
        assert_eq!(ended.status, Status::Exited(0), "{mode:?}");
        let outcome = finish(child).await;
        assert_eq!(outcome.stdout.len(), 200_000, "{mode:?}");
        assert_eq!(outcome.stderr, "200000\n", "{mode:?}");
        fixture.sandbox.shutdown().await;
    }
}

/// An order that a child no longer reads, because it is at its end.
#[tokio::test(flavor = "multi_thread")]
async fn orders_to_the_last_hide_no_end() {
    for mode in ways() {
        let fixture = start(mode, "orders").await;
        // An engine takes its time for each.
        let rounds = if mode == Way::Container { 10 } else { 100 };
        for _ in 0..rounds {
            let child = fixture.spawn(script("exit 7")).await.unwrap();
            let mut end = std::pin::pin!(child.end());
            let ended = loop {
                child.extend_lease(Duration::from_mins(1)).await;
                tokio::select! {
                    biased;
                    ended = &mut end => break ended,
                    () = tokio::task::yield_now() => {}
                }
            };
            assert_eq!(ended.status, Status::Exited(7), "{mode:?}");
            assert_eq!(ended.cause, Cause::Own, "{mode:?}");
        }
        fixture.sandbox.shutdown().await;
    }
}

#[tokio::test]
async fn signals_are_told_from_codes() {
    for mode in ways() {
        let fixture = start(mode, "signals").await;
        let outcome = fixture.run(script("kill -SEGV $$")).await;
        let expected = if mode == Way::Container {
            // All that an engine tells.
            Status::Exited(128 + 11)
        } else {
            Status::Signalled(11)
        };
        assert_eq!(outcome.ended.status, expected, "{mode:?}");
        assert_eq!(outcome.ended.cause, Cause::Own);
    }
}

#[tokio::test]
async fn a_missing_program_is_127_and_one_that_is_none_126() {
    for way in confined() {
        let fixture = start(way, "missing").await;
        let missing = fixture.run(command(&["no-such-program"])).await;
        assert_eq!(missing.ended.status, Status::Exited(127), "{way:?}");
        assert!(missing.stderr.contains("no-such-program"), "{way:?}");
        let folder = fixture.run(command(&["/usr/lib"])).await;
        assert_eq!(folder.ended.status, Status::Exited(126), "{way:?}");
    }
}

#[tokio::test]
async fn the_environment_is_exactly_what_was_given() {
    for mode in ways() {
        let fixture = start(mode, "environment").await;
        let mut spec = command(&["/usr/bin/env", "-0"]);
        spec.environment = vec![
            ("A".into(), "1 = 2\nnext".into()),
            ("EMPTY".into(), "".into()),
            ("BYTES".into(), OsString::from_vec(vec![b'x', 0xc3, 0xa4])),
        ];
        let outcome = fixture.run(spec).await;
        let mut entries: Vec<_> = outcome.stdout.split_terminator('\0').collect();
        entries.sort_unstable();
        // That of the image.
        entries.retain(|entry| mode != Way::Container || !entry.starts_with("PATH="));
        assert_eq!(entries, ["A=1 = 2\nnext", "BYTES=xä", "EMPTY="], "{mode:?}");
    }
}

#[tokio::test]
async fn a_megabyte_of_environment_arrives() {
    for mode in ways() {
        let fixture = start(mode, "large").await;
        let mut spec = script("env | wc -c");
        let value = "v".repeat(96 * 1024);
        for index in 0..11 {
            spec.environment
                .push((format!("LARGE_{index}").into(), value.clone().into()));
        }
        let outcome = fixture.run(spec).await;
        let bytes: usize = outcome.stdout.trim().parse().unwrap_or(0);
        assert!(bytes > 1 << 20, "{mode:?} {bytes} {}", outcome.stderr);
    }
}

#[tokio::test]
async fn what_cannot_be_passed_on_is_refused() {
    for mode in ways() {
        let fixture = start(mode, "refused").await;
        let mut nul = script("true");
        nul.environment.push(("A".into(), "a\0b".into()));
        let mut equals = script("true");
        equals.environment.push(("A=B".into(), "c".into()));
        for spec in [nul, equals, command(&[]), command(&["/bin/true", "\0"])] {
            let refused = fixture.spawn(spec).await;
            assert!(
                matches!(refused, Err(Error::InvalidSpec { .. })),
                "{mode:?}"
            );
        }
    }
}

#[tokio::test]
async fn output_streams_while_the_child_runs() {
    for mode in ways() {
        let fixture = start(mode, "stream").await;
        let mut spec = script("echo first; while [ ! -e go ]; do sleep 0.01; done; echo second");
        let shared = fixture.folder.path().join("shared");
        std::fs::create_dir(&shared).unwrap();
        let mount = Mount {
            source: shared.clone(),
            target: PathBuf::from("/integration/shared"),
            access: Access::ReadWrite { max_bytes: None },
        };
        spec.working_dir = fixture.sandbox.path_inside(&mount).to_path_buf();
        spec.mounts.push(mount);
        let mut child = fixture.spawn(spec).await.unwrap();
        let mut first = [0; 6];
        child.stdout.read_exact(&mut first).await.unwrap();
        assert_eq!(&first, b"first\n");
        // The child waits for this: what was read before came while it ran.
        std::fs::write(shared.join("go"), "").unwrap();
        let outcome = finish(child).await;
        assert_eq!(outcome.stdout, "second\n", "{}", outcome.stderr);
        assert_eq!(outcome.ended.status, Status::Exited(0));
    }
}

#[tokio::test]
async fn what_a_child_writes_to_a_mount_is_the_servers() {
    for way in confined() {
        what_it_writes_is_the_servers(way).await;
    }
}

async fn what_it_writes_is_the_servers(way: Way) {
    use std::os::unix::fs::MetadataExt as _;
    let fixture = start(way, "owner").await;
    let out = fixture.folder.path().join("out");
    std::fs::create_dir(&out).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", out.join("link")).unwrap();
    let mut spec = script("echo made > file && mkdir folder && test -O file && echo mine");
    spec.working_dir = "/integration/out".into();
    spec.mounts.push(Mount {
        source: out.clone(),
        target: "/integration/out".into(),
        access: Access::ReadWrite { max_bytes: None },
    });
    let outcome = fixture.run(spec).await;
    assert_eq!(outcome.stdout, "mine\n", "{}", outcome.stderr);
    let own = std::fs::metadata(&out).unwrap().uid();
    assert_eq!(std::fs::metadata(out.join("file")).unwrap().uid(), own);
    assert_eq!(std::fs::metadata(out.join("folder")).unwrap().uid(), own);
}

#[tokio::test]
async fn kill_ends_it_and_terminate_asks() {
    for mode in ways() {
        let fixture = start(mode, "kill").await;
        let text = "trap 'echo asked; exit 3' TERM; echo up; while :; do sleep 0.01; done";
        let mut child = fixture.spawn(script(text)).await.unwrap();
        child.stdout.read_exact(&mut [0; 3]).await.unwrap();
        child.terminate();
        let outcome = finish(child).await;
        assert_eq!(outcome.stdout, "asked\n", "{mode:?}");
        assert_eq!(outcome.ended.status, Status::Exited(3));
        assert_eq!(outcome.ended.cause, Cause::Own);

        let mut child = fixture
            .spawn(script(
                "trap '' TERM; echo up; while :; do sleep 0.01; done",
            ))
            .await
            .unwrap();
        child.stdout.read_exact(&mut [0; 3]).await.unwrap();
        child.terminate();
        child.kill();
        let ended = child.wait().await;
        assert_eq!(ended.status, Status::Signalled(9), "{mode:?}");
        assert_eq!(ended.cause, Cause::Killed);
        assert_eq!(child.wait().await, ended, "asking again gives the same");
    }
}

#[tokio::test]
async fn waiting_may_be_given_up_and_taken_up() {
    for mode in ways() {
        let fixture = start(mode, "cancel").await;
        let mut child = fixture.spawn(script("sleep 0.2; exit 5")).await.unwrap();
        let early = tokio::time::timeout(Duration::from_millis(20), child.wait()).await;
        assert!(early.is_err(), "{mode:?}");
        assert_eq!(child.wait().await.status, Status::Exited(5));
    }
}

#[tokio::test]
async fn usage_is_told() {
    for mode in ways() {
        let fixture = start(mode, "usage").await;
        let text = "x = bytearray(60 << 20)\nimport time\n\
                    while time.process_time() < 0.2: pass";
        let outcome = fixture
            .run(command(&["/usr/bin/python3", "-c", text]))
            .await;
        let usage = outcome.ended.usage;
        assert!(usage.cpu_ms >= 190, "{mode:?} {usage:?} {}", outcome.stderr);
        assert!(usage.max_rss_bytes >= 60 << 20, "{mode:?} {usage:?}");
    }
}

#[tokio::test]
async fn languages_start() {
    let fixture = start(Way::Full, "languages").await;
    let programs = [
        ("/usr/bin/node", vec!["-e", "console.log(6*7)"]),
        ("/usr/bin/python3", vec!["-c", "import ssl; print(6*7)"]),
        ("/usr/bin/git", vec!["--version"]),
        ("/usr/bin/java", vec!["--version"]),
        ("/usr/bin/npm", vec!["--version"]),
    ];
    for (program, arguments) in programs {
        if !std::path::Path::new(program).exists() {
            continue;
        }
        let words: Vec<_> = std::iter::once(program).chain(arguments).collect();
        let mut spec = command(&words);
        spec.environment
            .push(("HOME".into(), marquetry_sandbox::HOME.into()));
        let outcome = fixture.run(spec).await;
        assert_eq!(
            outcome.ended.status,
            Status::Exited(0),
            "{program}: {} {}",
            outcome.stdout,
            outcome.stderr
        );
    }
}

#[tokio::test]
async fn trust_anchors_are_visible() {
    let fixture = start(Way::Full, "anchors").await;
    let text = "import ssl; print(len(ssl.create_default_context().get_ca_certs()))";
    let outcome = fixture
        .run(command(&["/usr/bin/python3", "-c", text]))
        .await;
    let count: usize = outcome.stdout.trim().parse().unwrap_or(0);
    assert!(count > 10, "{} {}", outcome.stdout, outcome.stderr);
}

#[tokio::test]
async fn a_spawner_that_died_is_replaced() {
    let fixture = start(Way::Full, "restart").await;
    let mut child = fixture.spawn(script("echo up; sleep 60")).await.unwrap();
    child.stdout.read_exact(&mut [0; 3]).await.unwrap();
    common::kill_spawner(&fixture);
    let ended = child.wait().await;
    assert_eq!(ended.cause, Cause::Lost);
    let outcome = fixture.run(script("echo again")).await;
    assert_eq!(outcome.stdout, "again\n");
}

#[tokio::test]
async fn many_at_once_have_users_of_their_own() {
    for way in confined() {
        many_at_once(way).await;
    }
}

async fn many_at_once(way: Way) {
    let fixture = start(way, "many").await;
    let mut tasks = tokio::task::JoinSet::new();
    for index in 0..20 {
        let sandbox = fixture.sandbox.clone();
        tasks.spawn(async move {
            let spec = script(&format!("echo {index}"));
            let child = sandbox
                .spawn(common::by(&sandbox, way, spec).await)
                .await
                .unwrap();
            (index, finish(child).await)
        });
    }
    while let Some(done) = tasks.join_next().await {
        let (index, outcome) = done.unwrap();
        assert_eq!(outcome.stdout, format!("{index}\n"), "{}", outcome.stderr);
    }
}

#[tokio::test]
async fn the_report_names_every_part() {
    let folder = tempfile::tempdir().unwrap();
    let config = common::config(Way::Full, "report", folder.path().to_path_buf());
    let report = marquetry_sandbox::detect(&config);
    assert!(report.is_full(), "{report:?}");
    let broken = marquetry_sandbox::Config {
        helper: Some("/nonexistent".into()),
        ..config
    };
    let report = marquetry_sandbox::detect(&broken);
    assert_eq!(report.missing().count(), 7);
    assert!(report.missing().all(|part| part.remedy.is_some()));
    let refused = marquetry_sandbox::Sandbox::start(broken).await;
    assert!(matches!(refused, Err(Error::Unavailable { .. })));
}

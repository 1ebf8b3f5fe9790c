//! Code that means harm is contained.

#![expect(clippy::unwrap_used, reason = "functions that tests share")]

mod common;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use common::{Fixture, Way, command, finish, script, start};
use marquetry_sandbox::{Access, Cause, Mount, Spec, Status};
use tokio::io::AsyncReadExt as _;

in_each_way!(
    a_fork_bomb_is_contained_and_gone,
    processes_are_limited,
    daemons_do_not_outlive_it_nor_hold_its_output,
    dropping_a_child_ends_all_of_it,
    two_hundred_megabytes_stream_through,
    the_memory_limit_is_recognised,
    nothing_but_its_own_folders_can_be_written,
    a_full_disk_is_no_space_for_it_alone,
    a_mount_over_its_limit_ends_the_child,
    a_read_only_mount_stays_so_and_its_links_lead_nowhere,
    sources_below_a_private_folder_can_be_mounted,
    the_hosts_files_are_not_there,
    children_do_not_see_each_other,
    privileges_are_gone,
);

fn python(text: &str) -> Spec {
    command(&["/usr/bin/python3", "-c", text])
}

/// Whether a process anywhere on the host has this word among its arguments.
fn runs_somewhere(word: &str) -> bool {
    std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().parse::<u32>().is_ok())
        .filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok())
        .any(|line| {
            String::from_utf8_lossy(&line)
                .split('\0')
                .any(|part| part == word)
        })
}

/// A number of seconds that no other test sleeps for, to recognise a process by.
fn unique_sleep(index: u32) -> String {
    format!("{}.{}", 4_000 + index, std::process::id())
}

async fn run_with_mount(
    fixture: &Fixture,
    text: &str,
    source: &Path,
    access: Access,
) -> common::Outcome {
    let mut spec = script(text);
    spec.working_dir = "/integration/mount".into();
    spec.mounts.push(Mount {
        source: source.to_path_buf(),
        target: "/integration/mount".into(),
        access,
    });
    fixture.run(spec).await
}

async fn a_fork_bomb_is_contained_and_gone(way: Way) {
    let fixture = start(way, "bomb").await;
    let word = unique_sleep(1);
    let text = format!("bomb() {{ sleep {word} & bomb | bomb & }}; bomb; sleep {word}");
    let mut spec = script(&text);
    // An engine takes its time to start.
    spec.lease = Duration::from_secs(if way == Way::Container { 6 } else { 2 });
    let outcome = fixture.run(spec).await;
    assert!(!runs_somewhere(&word));
    assert!(
        outcome.stderr.contains("fork") || outcome.ended.cause == Cause::LeaseEnded,
        "{:?}",
        outcome.ended
    );
    let after = fixture.run(script("echo fine")).await;
    assert_eq!(after.stdout, "fine\n");
}

async fn processes_are_limited(way: Way) {
    let fixture = start(way, "processes").await;
    let text = "import os, time\nn = 0\n\
                try:\n  while n < 500:\n    if os.fork() == 0: time.sleep(30)\n    n += 1\n\
                except OSError: pass\nprint(n)";
    let mut spec = python(text);
    spec.limits.processes = 20;
    let outcome = fixture.run(spec).await;
    let count: u32 = outcome.stdout.trim().parse().unwrap_or(999);
    assert!((1..=20).contains(&count), "{count} {}", outcome.stderr);
}

async fn daemons_do_not_outlive_it_nor_hold_its_output(way: Way) {
    {
        let mode = way;
        let fixture = start(mode, "daemons").await;
        let word = unique_sleep(2);
        // Twice forked, own session, deaf to SIGTERM, standard output still open.
        let text = format!(
            "(setsid sh -c 'trap \"\" TERM HUP; sleep {word} & sleep {word}' &) ; echo done"
        );
        let started = Instant::now();
        let outcome = fixture.run(script(&text)).await;
        assert_eq!(outcome.stdout, "done\n");
        assert_eq!(outcome.ended.status, Status::Exited(0));
        assert!(started.elapsed() < Duration::from_secs(5));
        assert!(!runs_somewhere(&word));
    }
}

async fn dropping_a_child_ends_all_of_it(way: Way) {
    let fixture = start(way, "drop").await;
    let word = unique_sleep(3);
    let text = format!("setsid sleep {word} & echo up; sleep {word}");
    let mut child = fixture.spawn(script(&text)).await.unwrap();
    child.stdout.read_exact(&mut [0; 3]).await.unwrap();
    drop(child);
    let deadline = Instant::now() + Duration::from_secs(10);
    while runs_somewhere(&word) {
        assert!(Instant::now() < deadline, "it still runs");
        tokio::task::yield_now().await;
    }
}

async fn two_hundred_megabytes_stream_through(way: Way) {
    let fixture = start(way, "flood").await;
    let mut child = fixture
        .spawn(script("head -c 209715200 /dev/zero"))
        .await
        .unwrap();
    let before = own_memory_kib();
    let (mut total, mut buffer) = (0_usize, vec![0; 64 * 1024]);
    loop {
        match child.stdout.read(&mut buffer).await.unwrap() {
            0 => break,
            count => total += count,
        }
    }
    assert_eq!(total, 200 << 20);
    assert_eq!(child.wait().await.status, Status::Exited(0));
    let grown = own_memory_kib().saturating_sub(before);
    assert!(grown < 32 * 1024, "grew by {grown} KiB");
}

fn own_memory_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    line.split_ascii_whitespace()
        .nth(1)
        .unwrap()
        .parse()
        .unwrap()
}

async fn the_memory_limit_is_recognised(way: Way) {
    let fixture = start(way, "memory").await;
    let mut spec = python("x = bytearray(300 << 20); print(len(x))");
    spec.limits.memory_bytes = 64 << 20;
    let outcome = fixture.run(spec).await;
    assert_eq!(
        outcome.ended.cause,
        Cause::MemoryLimit,
        "{:?} {}",
        outcome.ended,
        outcome.stdout
    );
    // The same groups serve the next child, whose memory is in order.
    let after = fixture
        .run(python("x = bytearray(100 << 20); print(len(x))"))
        .await;
    assert_eq!(after.ended.cause, Cause::Own, "{}", after.stderr);
    assert_eq!(after.ended.status, Status::Exited(0));
}

async fn nothing_but_its_own_folders_can_be_written(way: Way) {
    let fixture = start(way, "write").await;
    let text = "for d in / /usr /etc /opt /proc /run /var /home /dev /bin; do \
                touch $d/x 2>/dev/null && echo $d; done; \
                for d in /home/integration /tmp /dev/shm; do touch $d/x || echo $d; done; \
                echo x > /dev/null || echo null; echo x > /etc/passwd && echo passwd; \
                chmod 777 /usr 2>/dev/null && echo chmod; rm -rf /usr/bin/env 2>/dev/null && echo rm; true";
    let outcome = fixture.run(script(text)).await;
    assert_eq!(outcome.stdout, "", "{}", outcome.stderr);
}

async fn a_full_disk_is_no_space_for_it_alone(way: Way) {
    let fixture = start(way, "disk").await;
    for folder in ["/home/integration", "/tmp", "/dev/shm"] {
        let text = format!("head -c 64M /dev/zero > {folder}/f; stat -c %s {folder}/f");
        let outcome = fixture.run(script(&text)).await;
        assert!(
            outcome.stderr.contains("No space left"),
            "{}",
            outcome.stderr
        );
        let size: u64 = outcome.stdout.trim().parse().unwrap();
        assert!(size <= 32 << 20, "{size}");
    }
    if way == Way::Container {
        // Engines limit no number of files; each costs memory of the container's own.
        return;
    }
    let many =
        "i=0; while : > /tmp/f$i; do i=$((i+1)); [ $i -gt 20000 ] && echo all && break; done";
    let outcome = fixture.run(script(many)).await;
    assert!(!outcome.stdout.contains("all"), "files without number");
}

async fn a_mount_over_its_limit_ends_the_child(way: Way) {
    let fixture = start(way, "watch").await;
    let source = fixture.folder.path().join("cache");
    std::fs::create_dir(&source).unwrap();
    let access = Access::ReadWrite {
        max_bytes: Some(8 << 20),
    };
    let text = "mkdir deep; head -c 20M /dev/urandom > deep/f; sleep 60";
    let outcome = run_with_mount(&fixture, text, &source, access).await;
    assert_eq!(outcome.ended.cause, Cause::DiskLimit, "{}", outcome.stderr);
}

async fn a_read_only_mount_stays_so_and_its_links_lead_nowhere(way: Way) {
    let fixture = start(way, "links").await;
    let source = fixture.folder.path().join("release");
    std::fs::create_dir(&source).unwrap();
    let secret = fixture.folder.path().join("secret");
    std::fs::write(&secret, "secret").unwrap();
    std::fs::write(source.join("code"), "code").unwrap();
    std::os::unix::fs::symlink(&secret, source.join("absolute")).unwrap();
    std::os::unix::fs::symlink("../secret", source.join("relative")).unwrap();
    std::os::unix::fs::symlink("/proc/1/root/etc/shadow", source.join("root")).unwrap();
    let text = "cat code absolute relative root ../secret ../../secret 2>/dev/null; \
                echo x > new; echo x > code; rm -f code; cat code";
    let outcome = run_with_mount(&fixture, text, &source, Access::ReadOnly).await;
    assert_eq!(outcome.stdout, "codecode");
}

async fn sources_below_a_private_folder_can_be_mounted(way: Way) {
    use std::os::unix::fs::PermissionsExt as _;
    let fixture = start(way, "private").await;
    let private = fixture.folder.path().join("private");
    let source = private.join("release");
    std::fs::create_dir_all(&source).unwrap();
    std::fs::write(source.join("code"), "code").unwrap();
    // To an engine's container the source itself must be open.
    let (folder, file) = if way == Way::Container {
        (0o755, 0o644)
    } else {
        (0o700, 0o600)
    };
    for (path, mode) in [
        (&private, 0o700),
        (&source, folder),
        (&source.join("code"), file),
    ] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let outcome = run_with_mount(&fixture, "cat code", &source, Access::ReadOnly).await;
    assert_eq!(outcome.stdout, "code", "{}", outcome.stderr);
}

async fn the_hosts_files_are_not_there(way: Way) {
    let fixture = start(way, "files").await;
    let secret = fixture.folder.path().join("secret");
    std::fs::write(&secret, "secret").unwrap();
    let text = format!(
        "ls /root /mnt /srv /boot /sys /lost+found {0} {1} /run/postgresql /var/run /var/lib /etc/shadow /.host/* 2>/dev/null; \
         cat {0} /etc/shadow /proc/1/environ /proc/1/maps 2>/dev/null; ls -a /home /.host; true",
        secret.display(),
        fixture.folder.path().display(),
    );
    let outcome = fixture.run(script(&text)).await;
    if way == Way::Container {
        // An image has folders of its own.
        for word in ["secret", "root:", "postgresql", "scratch"] {
            assert!(!outcome.stdout.contains(word), "{}", outcome.stdout);
        }
        assert!(outcome.stdout.ends_with("/home:\n.\n..\nintegration\n"));
        return;
    }
    assert_eq!(
        outcome.stdout,
        "/.host:\n.\n..\n\n/home:\n.\n..\nintegration\n"
    );
}

#[tokio::test]
async fn hidden_paths_are_covered() {
    // Not below /tmp, over which children have their own: the target folder may be there.
    let folder = tempfile::tempdir_in("/srv")
        .or_else(|_| tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")))
        .unwrap();
    let (scratch, tools) = (folder.path().join("scratch"), folder.path().join("tools"));
    std::fs::create_dir(&scratch).unwrap();
    std::fs::create_dir_all(tools.join("data")).unwrap();
    std::fs::write(tools.join("data/secret"), "secret").unwrap();
    std::fs::write(tools.join("key"), "secret").unwrap();
    std::fs::write(tools.join("tool"), "tool").unwrap();
    let mut config = common::config(Way::Full, "hidden", scratch);
    config.toolchain_paths = vec![tools.clone()];
    config.hidden_paths = vec![tools.join("data"), tools.join("key")];
    let sandbox = marquetry_sandbox::Sandbox::start(config).await.unwrap();
    let mut spec = script("cat tool key data/secret; ls data");
    spec.working_dir = tools;
    let outcome = finish(sandbox.spawn(spec).await.unwrap()).await;
    assert_eq!(outcome.stdout, "tool");
}

async fn children_do_not_see_each_other(way: Way) {
    let fixture = start(way, "apart").await;
    let mut first = fixture
        .spawn(script("echo secret > /tmp/s; echo up; sleep 60"))
        .await
        .unwrap();
    first.stdout.read_exact(&mut [0; 3]).await.unwrap();
    let text = "ls /proc | grep -c '^[0-9]*$'; ls /tmp; kill -9 -1; echo not reached";
    let outcome = fixture.run(script(text)).await;
    let seen: u32 = outcome.stdout.lines().next().unwrap().parse().unwrap();
    // In a container two more wait for the conductor's end.
    let most = if way == Way::Container { 6 } else { 4 };
    assert!(seen <= most, "{}", outcome.stdout);
    assert!(!outcome.stdout.contains('s'), "{}", outcome.stdout);
    // What the second one killed was its own.
    first.kill();
    assert_eq!(first.wait().await.cause, Cause::Killed);
}

#[tokio::test]
async fn dangerous_calls_are_refused() {
    let fixture = start(Way::Full, "calls").await;
    let text = r#"
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
def call(name, number, *arguments):
    ctypes.set_errno(0)
    result = libc.syscall(number, *arguments)
    print(name, "allowed" if result >= 0 else errno.errorcode[ctypes.get_errno()])
call("ptrace", 101, 0, 0, 0, 0)
call("process_vm_readv", 310, 1, 0, 0, 0, 0, 0)
call("mount", 165, b"none", b"/tmp", b"tmpfs", 0, 0)
call("umount", 166, b"/tmp", 2)
call("fsopen", 430, b"tmpfs", 0)
call("open_tree", 428, -100, b"/", 1)
call("unshare", 272, 0x10000000)
call("setns", 308, 0, 0)
call("clone", 56, 0x10000000 | 17, 0, 0, 0, 0)
call("clone3", 435, 0, 0)
call("bpf", 321, 0, 0, 0)
call("perf", 298, 0, 0, 0, 0, 0)
call("keyctl", 250, 0, 0)
call("userfaultfd", 323, 1)
call("io_uring", 425, 1, 0)
call("handle", 304, -100, 0, 0)
call("chroot", 161, b"/tmp")
call("tiocsti", 16, 0, 0x5412, b"x")
call("x32", 0x40000000 + 39)
call("vsock", 41, 40, 1, 0)
call("setuid", 105, 0)
call("sethostname", 170, b"x", 1)
"#;
    let outcome = fixture.run(python(text)).await;
    let lines: Vec<_> = outcome.stdout.lines().collect();
    assert_eq!(lines.len(), 22, "{} {}", outcome.stdout, outcome.stderr);
    for line in lines {
        let expected = match line.split_once(' ').unwrap().0 {
            "clone3" | "x32" => "ENOSYS",
            "vsock" => "EAFNOSUPPORT",
            _ => "EPERM",
        };
        if line.starts_with("setuid") {
            // User 0 does not exist in the child's user namespace.
            assert_eq!(line, "setuid EINVAL");
        } else {
            assert_eq!(line.split_once(' ').unwrap().1, expected, "{line}");
        }
    }
}

async fn privileges_are_gone(way: Way) {
    let fixture = start(way, "privileges").await;
    let outcome = fixture
        .run(script("cat /proc/self/status; id -un; hostname"))
        .await;
    for line in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert!(
            outcome
                .stdout
                .contains(&format!("{line}:\t0000000000000000")),
            "{line}"
        );
    }
    let user = if way == Way::Container {
        "Uid:\t200000\t200000\t200000\t200000"
    } else {
        "Uid:\t1000\t1000\t1000\t1000"
    };
    for line in ["NoNewPrivs:\t1", "Seccomp:\t2", user] {
        assert!(
            outcome.stdout.contains(line),
            "{line} in {}",
            outcome.stdout
        );
    }
    if way == Way::Container {
        assert!(
            outcome.stdout.contains("Groups:\t200000 \n"),
            "{}",
            outcome.stdout
        );
        return;
    }
    assert!(
        outcome.stdout.contains("Groups:\t \n"),
        "{}",
        outcome.stdout
    );
    assert!(outcome.stdout.ends_with("integration\nintegration\n"));
}

#[tokio::test]
async fn control_groups_are_gone_after_shutdown() {
    let fixture = start(Way::Full, "groups").await;
    fixture.run(script("true")).await;
    let name = format!("marquetry-test-groups-{}", std::process::id());
    fixture.sandbox.shutdown().await;
    assert_eq!(
        folders_named(Path::new("/sys/fs/cgroup"), &name),
        Vec::<PathBuf>::new()
    );
}

fn folders_named(below: &Path, name: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(below).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            if entry.file_name().to_str() == Some(name) {
                found.push(entry.path());
            }
            found.extend(folders_named(&entry.path(), name));
        }
    }
    found
}

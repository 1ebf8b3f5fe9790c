//! The engine's command lines for one container.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::Path;

use rustix::process::Resource;

use super::gate::{GATE, PROCESSES};
use crate::containers::Kind;
use crate::containers::engine::LABEL;
use crate::containers::folder::{INSIDE, seen, set_mode};
use crate::inner::Step;
use crate::inner::network::resolver_settings;
use crate::spec::{HOME, TMP, USER};
use crate::wire::container::Request;
use crate::wire::{Body, BodyMount, Net};

/// Makes and starts it, with all that the process sandbox confines a child by, as far as the engine can.
pub(super) fn run(request: &Request) -> Step<Vec<OsString>> {
    let mut all = request.engine.base();
    let mut say = |text: String| all.push(text.into());
    let Request { body, engine, .. } = request;
    say("run".into());
    say("--detach".into());
    for (name, value) in [
        ("name", request.name.clone()),
        ("label", format!("{LABEL}={}", request.instance)),
        // It was fetched before, if it may be.
        ("pull", "never".into()),
        // Its output goes another way.
        ("log-driver", "none".into()),
        ("hostname", USER.into()),
        ("cap-drop", "ALL".into()),
        ("security-opt", "no-new-privileges".into()),
        // Mounts stay what they are labelled as on the host.
        ("security-opt", "label=disable".into()),
        ("memory", body.memory_bytes.to_string()),
        ("memory-swap", body.memory_bytes.to_string()),
        ("pids-limit", (body.processes + PROCESSES).to_string()),
        (
            "ulimit",
            ulimit("nofile", Resource::Nofile, body.open_files),
        ),
        ("ulimit", "core=0:0".into()),
        // When the host itself runs out of memory, containers go before the server, as children do.
        ("oom-score-adj", "500".into()),
        ("shm-size", body.disk_bytes.to_string()),
        ("network", network(&body.net).into()),
        // Whoever removes it does not ask it first.
        ("stop-signal", "KILL".into()),
        ("workdir", "/".into()),
        ("entrypoint", "/bin/sh".into()),
    ] {
        say(format!("--{name}={value}"));
    }
    // What the image has there, and its mode, is not wanted.
    let empty = match engine.kind {
        Kind::Podman => ",notmpcopyup",
        Kind::Docker => "",
    };
    for folder in [HOME, TMP] {
        let bytes = body.disk_bytes;
        say(format!(
            "--tmpfs={folder}:rw,exec,nosuid,nodev,mode=1777,size={bytes}{empty}"
        ));
    }
    say("--read-only".into());
    say("--no-healthcheck".into());
    match (engine.kind, &engine.runtime) {
        (Kind::Docker, Some(runtime)) => say(format!("--runtime={runtime}")),
        (Kind::Docker, None) | (Kind::Podman, _) => {}
    }
    for volume in request
        .volumes
        .iter()
        .filter(|volume| !is_covered(body, volume))
    {
        say(format!(
            "--tmpfs={volume}:rw,nosuid,nodev,mode=1777,size={}{empty}",
            body.disk_bytes
        ));
    }
    if engine.kind == Kind::Podman {
        if request.user.is_none() {
            say("--userns=keep-id".into());
        }
        // A volume of an image would be a disk without a limit.
        say("--image-volume=ignore".into());
        say("--read-only-tmpfs=false".into());
        say("--http-proxy=false".into());
    }
    say(user(request));
    if engine.kind == Kind::Podman && request.user.is_some() {
        // Podman would raise what it has itself, which a host may forbid. As many as it has: these are counted by user,
        // with those of other servers on this machine.
        let most = std::fs::read_to_string("/proc/sys/kernel/pid_max").ok();
        let most = most.and_then(|most| most.trim().parse().ok());
        let most = ulimit(
            "nproc",
            Resource::Nproc,
            most.unwrap_or(body.processes + PROCESSES),
        );
        say(format!("--ulimit={most}"));
    }
    for text in volumes(request)? {
        say(text);
    }
    say(request.image.clone());
    all.extend(["-c", GATE, "sh"].map(OsString::from));
    all.extend(body.command.iter().cloned());
    Ok(all)
}

/// Something with the container, whose name comes last.
pub(super) fn of_container(request: &Request, words: &[&str]) -> Vec<OsString> {
    let mut all = request.engine.base();
    all.extend(words.iter().map(OsString::from));
    all.push(request.name.clone().into());
    all
}

/// Whether something else is mounted there anyway.
fn is_covered(body: &Body, volume: &str) -> bool {
    let is_there = |mount: &BodyMount| mount.target.as_os_str() == volume;
    [HOME, TMP].contains(&volume) || body.mounts.iter().any(is_there)
}

/// A limit of each process, no higher than what this one may have itself.
fn ulimit(name: &str, resource: Resource, value: u64) -> String {
    let hard = rustix::process::getrlimit(resource).maximum;
    let value = hard.map_or(value, |hard| hard.min(value));
    format!("{name}={value}:{value}")
}

fn network(net: &Net) -> &'static str {
    match net {
        Net::None | Net::Relayed(_) => "none",
        Net::Host => "host",
    }
}

/// Where the server is root, a user of the host's that nobody else has; else the server's own, because no other may
/// see its files.
fn user(request: &Request) -> String {
    match (request.user, request.engine.kind) {
        (Some(user), Kind::Podman | Kind::Docker) => format!("--user={user}:{user}"),
        (None, Kind::Podman | Kind::Docker) => {
            let (user, group) = (rustix::process::geteuid(), rustix::process::getegid());
            format!("--user={}:{}", user.as_raw(), group.as_raw())
        }
    }
}

fn volumes(request: &Request) -> Step<Vec<String>> {
    let mut all = vec![volume(&seen(&request.folder), Path::new(INSIDE), false)?];
    if matches!(request.body.net, Net::Relayed(_)) {
        let resolver = request.folder.join("resolv.conf");
        std::fs::write(&resolver, resolver_settings())
            .and_then(|()| set_mode(&resolver, 0o644))
            .map_err(|error| format!("write the resolver's settings: {error}"))?;
        all.push(volume(&resolver, Path::new("/etc/resolv.conf"), false)?);
    }
    for mount in &request.body.mounts {
        all.push(volume(&mount.source, &mount.target, mount.writable)?);
    }
    Ok(all)
}

fn volume(source: &Path, target: &Path, writable: bool) -> Step<String> {
    let mut text = String::from("--volume=");
    for path in [source, target] {
        let path = path
            .to_str()
            .ok_or_else(|| format!("mount {}: its name is no UTF-8", path.display()))?;
        let _ = write!(text, "{path}:");
    }
    text.push_str(if writable { "rw" } else { "ro" });
    Ok(text)
}

//! The gate: the first program of every container. It waits for the child's variables, starts the child with its
//! output where the server reads it, and says at the end what was used.
//!
//! So no variable is in what the engine stores, and a network is made between start and beginning.

use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::Stop;
use crate::inner::Step;
use crate::spec::{IMAGE_PATH, Usage};
use crate::wire::Body;

/// How many processes it is: itself, and two that wait for the conductor's end.
pub(super) const PROCESSES: u64 = 3;

/// For `/bin/sh -c`; the child's command are its arguments. SIGTERM must not end it, and must end the child, so it
/// is caught and not ignored, which a child would inherit.
pub(super) const GATE: &str = r#"exec 2>/run/.marquetry/stderr
gate_script=$(cat /run/.marquetry/environment) && [ -n "$gate_script" ] || exit 125
(trap '' TERM; cat /run/.marquetry/alive; kill -KILL -1) >/dev/null &
eval "$gate_script"; unset gate_script; trap : TERM
"$@" </dev/null >/run/.marquetry/stdout 2>/run/.marquetry/stderr
code=$?
cd /sys/fs/cgroup && {
  echo 'used:'
  times
  cat memory.peak memory/memory.max_usage_in_bytes memory.events memory/memory.oom_control
} >/run/.marquetry/usage 2>/dev/null
exit $code"#;

/// What engines, images and the shell set besides; a child gets what it was given.
const NOT_OURS: &str = "unset HOSTNAME TERM container HOME PWD OLDPWD\n";

/// What some shells keep for themselves, or we do: they cannot be exported under these names.
const SHELLS_OWN: [&str; 9] = [
    "UID",
    "EUID",
    "PPID",
    "BASHOPTS",
    "SHELLOPTS",
    "BASHPID",
    "BASH_VERSINFO",
    "gate_script",
    "code",
];

/// How large the pipe is made, in bytes: a child's variables are seldom more.
const PIPE: usize = 1 << 20;

/// What the gate evaluates.
pub(super) fn script(body: &Body) -> Step<Vec<u8>> {
    let mut out = b"umask 022\ncd ".to_vec();
    quote(&mut out, body.working_dir.as_os_str().as_bytes());
    out.extend_from_slice(b" || exit 126\n");
    out.extend_from_slice(NOT_OURS.as_bytes());
    for entry in &body.environment {
        let entry = entry.as_bytes();
        let at = entry.iter().position(|byte| *byte == b'=');
        let at = at.ok_or_else(|| "a variable has no value".to_owned())?;
        let (name, value) = (&entry[..at], &entry[at + 1..]);
        if is_shell_name(name) {
            out.extend_from_slice(b"export ");
            out.extend_from_slice(name);
            out.push(b'=');
            if name == b"PATH" {
                path(&mut out, value);
            } else {
                quote(&mut out, value);
            }
        } else {
            // No shell can export it.
            out.extend_from_slice(b"set -- env ");
            quote(&mut out, entry);
            out.extend_from_slice(b" \"$@\"");
        }
        out.push(b'\n');
    }
    Ok(out)
}

fn path(out: &mut Vec<u8>, value: &[u8]) {
    for (index, folder) in value.split(|byte| *byte == b':').enumerate() {
        if index > 0 {
            out.push(b':');
        }
        if OsStr::from_bytes(folder) == IMAGE_PATH {
            out.extend_from_slice(b"\"$PATH\"");
        } else {
            quote(out, folder);
        }
    }
}

fn is_shell_name(name: &[u8]) -> bool {
    if SHELLS_OWN.iter().any(|own| own.as_bytes() == name) {
        return false;
    }
    let first = name.first().is_some_and(|byte| !byte.is_ascii_digit());
    first
        && name
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// As one word of a shell.
fn quote(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'\'');
    for byte in text {
        match byte {
            b'\'' => out.extend_from_slice(br"'\''"),
            other => out.push(*other),
        }
    }
    out.push(b'\'');
}

/// What the gate says first of what was used.
const USAGE_BEGINS: &str = "used:\n";

/// Gives the script to a gate that waits, or will; `pause` waits a little, and answers whether the container has
/// ended, which is also the answer here: whether it took the script.
pub(super) fn open(
    path: &Path,
    mut script: &[u8],
    mut pause: impl FnMut() -> Result<bool, Stop>,
) -> Result<bool, Stop> {
    let pipe = loop {
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        match rustix::fs::open(path, flags, Mode::empty()) {
            Ok(pipe) => break pipe,
            // Nobody reads yet.
            Err(Errno::NXIO) => {}
            Err(error) => return Err(Stop::Failed(format!("open the container's gate: {error}"))),
        }
        if pause()? {
            return Ok(false);
        }
    };
    widen(&pipe);
    while !script.is_empty() {
        match rustix::io::write(&pipe, script) {
            Ok(count) => script = &script[count..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                if pause()? {
                    return Ok(false);
                }
            }
            Err(_nobody_reads) => return Ok(false),
        }
    }
    Ok(true)
}

fn widen(pipe: &OwnedFd) {
    // A user who has many pipes may get no larger one.
    let _ = rustix::pipe::fcntl_setpipe_size(pipe, PIPE);
}

/// Reads what the gate says at its end: the shell's times, its children's below them, bytes of memory, and how many
/// processes the kernel ended for the limit of it; answers also whether there were any. None where it came to no end.
pub(super) fn usage(said: &str) -> Option<(Usage, bool)> {
    // A child can write there too, but not behind the gate.
    let at = said.rfind(USAGE_BEGINS)?;
    let said = &said[at + USAGE_BEGINS.len()..];
    let children = said.lines().nth(1).unwrap_or_default();
    let cpu_ms = children
        .split_whitespace()
        .filter_map(milliseconds)
        .fold(0, u64::saturating_add);
    let mut lines = said.lines().skip(2);
    let max_rss_bytes = lines.find_map(|line| line.trim().parse().ok());
    let killed = |line: &str| {
        let count = line.trim().strip_prefix("oom_kill ");
        count.is_some_and(|count| count != "0")
    };
    let usage = Usage {
        cpu_ms,
        max_rss_bytes: max_rss_bytes.unwrap_or(0),
    };
    Some((usage, said.lines().any(killed)))
}

/// Of a time such as `1m2.034s`.
fn milliseconds(word: &str) -> Option<u64> {
    let (minutes, rest) = word.strip_suffix('s')?.split_once('m')?;
    let (seconds, part) = rest.split_once(['.', ',']).unwrap_or((rest, ""));
    let part: String = part.chars().chain("000".chars()).take(3).collect();
    let [minutes, seconds, part] =
        [minutes, seconds, &part].map(|digits| digits.parse::<u64>().ok());
    let minutes = minutes?.saturating_mul(60_000);
    Some(
        minutes
            .saturating_add(seconds?.saturating_mul(1_000))
            .saturating_add(part?),
    )
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt as _;

    use super::*;

    #[expect(clippy::disallowed_methods, reason = "the shell reads our own text")]
    fn seen_by_a_shell(environment: &[&[u8]], command: &[&str]) -> Vec<u8> {
        let body = Body {
            working_dir: "/usr/..".into(),
            environment: environment
                .iter()
                .map(|entry| OsString::from_vec(entry.to_vec()))
                .collect(),
            ..crate::wire::tests::body()
        };
        let mut text = script(&body).unwrap();
        text.extend_from_slice(b"\"$@\"");
        let shell = std::process::Command::new("/bin/sh")
            .arg("-c")
            .arg(OsString::from_vec(text))
            .arg("sh")
            .args(command)
            .env_clear()
            .envs([("PATH", "/of/image:/usr/bin:/bin"), ("HOSTNAME", "box")])
            .output()
            .unwrap();
        assert!(shell.status.success(), "{shell:?}");
        shell.stdout
    }

    #[test]
    fn the_gate_uses_the_pipes_that_there_are() {
        use crate::containers::folder::{ALIVE, ENVIRONMENT, INSIDE, STDERR, STDOUT, USAGE};
        for pipe in [ENVIRONMENT, ALIVE, STDOUT, STDERR, USAGE] {
            assert!(GATE.contains(&format!("{INSIDE}/{pipe}")), "{pipe}");
        }
    }

    #[test]
    fn a_shell_reads_every_value_as_it_was() {
        let all: Vec<u8> = (1..=255).collect();
        let mut entry = b"ODD=".to_vec();
        entry.extend_from_slice(&all);
        assert_eq!(
            seen_by_a_shell(&[&entry], &["/bin/sh", "-c", "printf %s \"$ODD\""]),
            all
        );
    }

    #[test]
    fn a_name_that_no_shell_knows_arrives() {
        let said = seen_by_a_shell(&[b"a.b=1 2", b"C=3", b"UID=5", b"code=6"], &["env"]);
        let mut lines: Vec<_> = std::str::from_utf8(&said).unwrap().lines().collect();
        lines.sort_unstable();
        assert_eq!(
            lines,
            [
                "C=3",
                "PATH=/of/image:/usr/bin:/bin",
                "UID=5",
                "a.b=1 2",
                "code=6"
            ]
        );
    }

    #[test]
    fn the_images_path_is_put_where_it_is_asked_for() {
        let path = format!("PATH=/first:{IMAGE_PATH}:/last");
        let said = seen_by_a_shell(&[path.as_bytes()], &["env"]);
        let expected = b"PATH=/first:/of/image:/usr/bin:/bin:/last\n";
        assert_eq!(said, expected, "and nothing else");
    }

    #[test]
    fn the_usage_of_three_shells_is_read() {
        let dash = "used:\n0m0.010000s 0m0.020000s\n1m2.030000s 0m0.004000s\n5210112\noom_kill 0\n";
        let (read, out_of_memory) = usage(dash).unwrap();
        assert_eq!((read.cpu_ms, read.max_rss_bytes), (62_034, 5_210_112));
        assert!(!out_of_memory);
        let bash = "0m9,9s 0m9,9s\nused:\n0m0,010s 0m0,020s\n0m1,5s 0m0,000s\noom_kill_disable 0\noom_kill 2\n";
        let (read, out_of_memory) = usage(bash).unwrap();
        assert_eq!((read.cpu_ms, out_of_memory), (1_500, true));
        let huge = usage("used:\n\n18446744073709551615m0.0s 18446744073709551615m9.9s\n");
        assert_eq!(huge.unwrap().0.cpu_ms, u64::MAX);
        assert_eq!(usage("what a child may write here"), None);
    }
}

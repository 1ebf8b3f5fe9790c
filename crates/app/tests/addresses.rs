//! Whom Git, curl and ssh really go to with an address that is taken: nobody but the one whom the
//! credential is for.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![expect(
    clippy::disallowed_methods,
    reason = "the readers that are compared are foreign programs"
)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};

use marquetry_app::repository::{Location, locate, origin};

/// Says what ssh would be started with.
const SSH: &str = r#"f() { printf '%s\n' "$@" >"$FOUND"; }; f"#;

const HOSTS: [&str; 15] = [
    "git.example",
    "Git.Example.",
    "git_x.example",
    "xn--gd-fkaa.example",
    "g\u{f6}d.example",
    "127.0.0.1",
    "0x7f.1",
    "017700000001",
    "2130706433",
    "[::1]",
    "[0:0::1]",
    "[::ffff:127.0.0.1]",
    "good.example\\",
    "good%2eexample",
    "-oProxyCommand=id",
];
const PORTS: [&str; 6] = ["", ":", ":443", ":22", ":08443", ":22:80"];
const USERS: [&str; 6] = [
    "",
    "git@",
    "me@example.com@",
    "good.example\\@",
    "good.example#@",
    "git%40good.example%2f@",
];
const PATHS: [&str; 5] = ["/a/b", "/a/../b%2f..", "//a/@c:1", "/a?b", "/\u{e4}"];

/// Every way to write an address of these parts.
fn addresses() -> Vec<String> {
    let mut all = Vec::new();
    for host in HOSTS {
        for user in USERS {
            all.push(format!("{user}{host}:a/b"));
            for port in PORTS {
                for path in PATHS {
                    for scheme in ["https", "HTTPS", "ssh", "Ssh"] {
                        all.push(format!("{scheme}://{user}{host}{port}{path}"));
                    }
                }
            }
        }
    }
    all
}

fn git(address: &str) -> Command {
    let mut git = Command::new("git");
    git.env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_TERMINAL_PROMPT", "0")
        .args(["ls-remote", "--", address])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    git
}

/// Host and port that curl asks a proxy for; empty where it asks for nothing.
fn asked_of_a_proxy(address: &str) -> String {
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = proxy.local_addr().unwrap();
    let url = format!("http://{place}");
    let mut git = git(address).env("HTTPS_PROXY", url).spawn().unwrap();
    let ended = std::thread::spawn(move || {
        git.wait().unwrap();
        // Whoever waits for it learns that it does not come.
        drop(TcpStream::connect(place));
    });
    let (mut stream, _) = proxy.accept().unwrap();
    let mut line = String::new();
    let mut lines = BufReader::new(stream.try_clone().unwrap());
    lines.read_line(&mut line).unwrap();
    if !line.is_empty() {
        stream.write_all(b"HTTP/1.1 403 No\r\n\r\n").unwrap();
    }
    drop((stream, lines));
    ended.join().unwrap();
    let asked = line.strip_prefix("CONNECT ").unwrap_or_default();
    asked.split(' ').next().unwrap_or_default().to_owned()
}

/// Host and port that ssh is given.
fn given_to_ssh(folder: &Path, address: &str) -> String {
    let found = folder.join("found");
    // Not what was said of another.
    drop(std::fs::remove_file(&found));
    let git = git(address)
        .env("GIT_SSH_COMMAND", SSH)
        .env("GIT_SSH_VARIANT", "ssh")
        .env("FOUND", &found)
        .status();
    git.unwrap();
    let found = std::fs::read_to_string(found).unwrap_or_default();
    let words: Vec<&str> = found.lines().collect();
    let port = words.iter().position(|word| *word == "-p");
    let port = port.map_or("22", |at| words[at + 1]);
    let place = *words.iter().nth_back(1).unwrap_or(&"");
    let host = place.rsplit_once('@').map_or(place, |(_, host)| host);
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

#[test]
fn everybody_reads_an_address_alike() {
    let folder = tempfile::tempdir().unwrap();
    let (mut https, mut ssh, mut refused) = (0, 0, 0);
    let mut asked = std::collections::BTreeSet::new();
    for address in addresses() {
        let Ok(Location::Remote(written)) = locate(&address, Path::new("/")) else {
            assert_eq!(origin(&address), None, "{address}");
            refused += 1;
            continue;
        };
        let origin = origin(&address).unwrap();
        let (protocol, place) = origin.split_once("://").unwrap();
        // Many ways to write the same one.
        if !asked.insert(written.clone()) {
            continue;
        }
        let answers = if protocol == "https" {
            https += 1;
            asked_of_a_proxy(&written)
        } else {
            ssh += 1;
            given_to_ssh(folder.path(), &written)
        };
        assert_eq!(answers, place, "{address} as {written}");
    }
    assert!(
        https > 50 && ssh > 100 && refused > 2000,
        "{https} {ssh} {refused}"
    );
}

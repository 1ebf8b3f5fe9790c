//! Code that means harm. Each program tries; the server must be well afterwards.

use std::net::TcpListener;

use marquetry_testkit::{Scenario, TestServer, both_databases, manifest};
use serde_json::{Value, json};

use crate::server;

async fn run(server: &TestServer, name: &str, code: &str, settings: Value) -> (Value, String) {
    let files = [
        ("PANDIUM.yaml", &*manifest("python3 main.py")),
        ("main.py", code),
    ];
    let scenario = Scenario::new(server, name, &files, settings).await;
    scenario.release("v1").await;
    let tenant = scenario.tenant("t").await;
    let run = scenario.run(tenant).await;
    let log = scenario.log(&run).await;
    check_healthy(server, name).await;
    (run, log)
}

/// The server answers, and an honest integration runs.
async fn check_healthy(server: &TestServer, after: &str) {
    assert_eq!(server.get("/healthz").await.status, 200, "after {after}");
    let files = [("PANDIUM.yaml", &*manifest("echo '\"well\"'"))];
    let scenario = Scenario::new(server, &format!("{after}-after"), &files, json!({})).await;
    scenario.release("v1").await;
    let tenant = scenario.tenant("t").await;
    let run = scenario.run(tenant).await;
    assert_eq!(run["std_out"], "\"well\"", "after {after}: {run}");
}

const FORK_BOMB: &str = r"
import os, time
end = time.time() + 3
while time.time() < end:
    try:
        os.fork()
    except OSError:
        time.sleep(0.01)
";
const STUBBORN: &str = r"
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(600)
    os._exit(0)
time.sleep(600)
";
const DAEMON: &str = r#"
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(600)
    os._exit(0)
print('{"left": true}')
"#;
const FLOOD: &str = r"
import os
block = b'all work and no play makes a long log\n' * 2000
for _ in range(200_000_000 // len(block)):
    os.write(2, block)
    os.write(1, block)
print('{}')
";
const LONG_LINE: &str = r"
import os
for _ in range(60):
    os.write(2, b'x' * 1_000_000)
for _ in range(50):
    os.write(1, b'y' * 1_000_000)
print()
print('{}')
";
const BYTES: &str = r"
import os
os.write(2, b'before\x00\xff\xfe\xc3 after\n')
os.write(1, b'{\x00\xff}\n')
";
const DISK: &str = r"
import os, sys
wrote = 0
try:
    with open(os.path.expanduser('~/big'), 'wb') as f:
        while True:
            wrote += f.write(b'x' * 1_000_000)
except OSError as error:
    print(error.errno, file=sys.stderr)
print(wrote // 1_000_000)
";

both_databases! {
    async fn processes_and_daemons(database) {
        let server = server(database).await;
        let (bomb, _) = run(&server, "bomb", FORK_BOMB, json!({})).await;
        assert_ne!(bomb["status"]["phase"], "Failed (Platform Issue)", "{bomb}");
        let limits = json!({"timeout_seconds": 1});
        let (stubborn, _) = run(&server, "stubborn", STUBBORN, limits).await;
        assert_eq!(stubborn["status"]["phase"], "Failed (Timeout)", "{stubborn}");
        let (daemon, _) = run(&server, "daemon", DAEMON, json!({})).await;
        assert_eq!(daemon["std_out"], r#"{"left": true}"#, "{daemon}");
    }
}

both_databases! {
    async fn output(database) {
        let server = server(database).await;
        let (flood, log) = run(&server, "flood", FLOOD, json!({})).await;
        assert_eq!(flood["std_out"], "{}", "{flood}");
        assert!(log.len() < 51 << 20 && log.contains("log truncated"), "{} bytes", log.len());
        let (long, log) = run(&server, "long", LONG_LINE, json!({})).await;
        assert_eq!(long["std_out"], "{}", "{long}");
        assert!(log.contains("log truncated"));
        let (bytes, log) = run(&server, "bytes", BYTES, json!({})).await;
        assert_eq!(bytes["status"]["phase"], "Succeeded", "{bytes}");
        assert!(log.contains("before\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD} after"), "{log:?}");
    }
}

both_databases! {
    async fn files(database) {
        let server = server(database).await;
        let (disk, log) = run(&server, "disk", DISK, json!({})).await;
        let wrote: i64 = disk["std_out"].as_str().unwrap().parse().unwrap();
        assert!((400..=540).contains(&wrote), "{disk} {log}");
        let code = SNOOP.replace("DATA", server.data_dir.path().to_str().unwrap());
        let (snoop, log) = run(&server, "snoop", &code, json!({})).await;
        assert_eq!(snoop["std_out"], "[]", "reached: {log}");
    }
}

/// Everything in this list must fail; what does not is printed.
const SNOOP: &str = r#"
import ctypes, json, os, subprocess, sys
reached = []
def attempt(name, act):
    try:
        act()
    except BaseException as error:
        print(name, "refused:", repr(error)[:200], file=sys.stderr)
    else:
        reached.append(name)
        print(name, "REACHED", file=sys.stderr)
def write(path):
    with open(path, "w") as f:
        f.write("x")
def call(number, *arguments):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(number, *arguments) != 0:
        raise OSError(ctypes.get_errno(), "refused")
def others():
    mine = {os.getpid(), os.getppid(), 1}
    seen = [p for p in os.listdir("/proc") if p.isdigit() and int(p) not in mine]
    for pid in seen:
        with open(f"/proc/{pid}/cmdline") as f:
            if "serve" in f.read():
                return
    raise PermissionError("no foreign process is seen")
attempt("data folder", lambda: os.listdir("DATA"))
attempt("api key", lambda: open("DATA/api-key").read())
attempt("database", lambda: open("DATA/marquetry.db").read())
attempt("root's home", lambda: os.listdir("/root"))
attempt("shadow", lambda: open("/etc/shadow").read())
attempt("other processes", others)
attempt("environment of 1", lambda: open("/proc/1/environ", "rb").read(1)[0])
attempt("memory of 1", lambda: open("/proc/1/mem", "rb"))
attempt("the release", lambda: write("/integration/main.py"))
attempt("a new file in the release", lambda: write("/integration/new"))
attempt("the system", lambda: write("/usr/bin/new"))
attempt("etc", lambda: write("/etc/new"))
attempt("the root", lambda: write("/new"))
attempt("the platform's files", lambda: write("/run/marquetry/triggers.json"))
attempt("ptrace", lambda: call(101, 16, 1, 0, 0))
attempt("mount", lambda: call(165, b"none", b"/tmp", b"tmpfs", 0, 0))
attempt("unshare", lambda: call(272, 0x10000000))
attempt("a user namespace", lambda: subprocess.run(["unshare", "-U", "true"], check=True, stderr=subprocess.DEVNULL))
attempt("becoming root", lambda: os.setuid(0))
attempt("killing 1", lambda: os.kill(1, 9) or (_ for _ in ()).throw(OSError("ignored")))
attempt("a device", lambda: os.mknod("/tmp/sda", 0o60600, os.makedev(8, 0)))
attempt("kernel settings", lambda: write("/proc/sys/kernel/core_pattern"))
attempt("the clock", lambda: call(227, 0, ctypes.byref((ctypes.c_long * 2)(0, 0))))
print(json.dumps(reached))
"#;

both_databases! {
    async fn networks(database) {
        let server = server(database).await;
        // Somebody on this machine whom no run may reach.
        let neighbour = TcpListener::bind("127.0.0.1:0").unwrap();
        neighbour.set_nonblocking(true).unwrap();
        let own = server.url.rsplit(':').next().unwrap().to_owned();
        let port = neighbour.local_addr().unwrap().port().to_string();
        let code = DIAL.replace("OWN", &own).replace("PORT", &port);
        let settings = json!({"egress_ports": [own.parse::<u16>().unwrap(), port.parse::<u16>().unwrap()]});
        let (dial, log) = run(&server, "dial", &code, settings).await;
        assert_eq!(dial["std_out"], "[]", "reached: {log}");
        assert!(neighbour.accept().is_err(), "nobody came");
        assert!(log.contains("169.254.169.254:80 was refused"), "{log}");
        assert!(log.contains("--outbound-allow"), "the log names the remedy: {log}");
        let (none, log) = run(&server, "none", &code, json!({"egress": "none"})).await;
        assert_eq!(none["std_out"], "[]", "reached: {log}");
    }
}

const DIAL: &str = r#"
import json, socket, sys
reached = []
def dial(host, port, family=socket.AF_INET):
    try:
        s = socket.socket(family, socket.SOCK_STREAM)
        s.settimeout(5)
        s.connect((host, port))
        s.sendall(b"GET / HTTP/1.0\r\n\r\n")
        got = s.recv(1)
        if got:
            reached.append([host, port])
        print(host, port, "got", got, file=sys.stderr)
    except OSError as error:
        print(host, port, "refused:", error, file=sys.stderr)
dial("127.0.0.1", OWN)
dial("127.0.0.1", PORT)
dial("127.0.0.1", 5432)
dial("10.0.0.1", 80)
dial("10.0.0.1", OWN)
dial("192.168.0.1", 443)
dial("169.254.169.254", 80)
dial("100.64.0.1", 80)
dial("::1", OWN, socket.AF_INET6)
dial("::ffff:127.0.0.1", OWN, socket.AF_INET6)
dial("fd00:ec2::254", 80, socket.AF_INET6)
dial("64:ff9b::7f00:1", OWN, socket.AF_INET6)
for path in ["/run/postgresql/.s.PGSQL.5432", "/var/run/postgresql/.s.PGSQL.5432", "/tmp/.s.PGSQL.5432"]:
    try:
        s = socket.socket(socket.AF_UNIX)
        s.connect(path)
        reached.append(path)
    except OSError:
        pass
print(json.dumps(reached))
"#;

both_databases! {
    async fn links_out_of_the_repository(database) {
        let server = server(database).await;
        let name = "links";
        let path = server.data_dir.path().join("repositories").join(name);
        let repository = marquetry_testkit::Repository::create(&path);
        std::os::unix::fs::symlink("/etc/shadow", path.join("PANDIUM.yaml")).unwrap();
        repository.commit(&[("x", "x")]);
        let body = json!({"name": name, "long_name": name, "repository_url": path});
        let made = server.post("/v2/integrations", body).await.expect(201);
        let scenario = Scenario { server: &server, repository, integration: made["id"].as_i64().unwrap() };
        let build = scenario.build("v1").await;
        assert_eq!(build["status"], "Failed");
        assert!(build["message"].as_str().unwrap().contains("leaves the repository"), "{build}");

        std::fs::remove_file(path.join("PANDIUM.yaml")).unwrap();
        std::os::unix::fs::symlink("../../../../../../etc/shadow", path.join("secret")).unwrap();
        scenario.repository.commit(&[("PANDIUM.yaml", &manifest("cat secret"))]);
        let build = scenario.build("v2").await;
        assert_eq!(build["status"], "Failed", "{build}");
        assert!(build["message"].as_str().unwrap().contains("secret"), "names the link: {build}");
        check_healthy(&server, name).await;
    }
}

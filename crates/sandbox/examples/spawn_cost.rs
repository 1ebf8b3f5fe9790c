//! Spawns per second of `/bin/true`, several at once: bare, mode off, full sandbox, and bubblewrap
//! where it is installed.
//!
//! `cargo run --release -p marquetry-sandbox --example spawn_cost -- [SPAWNS] [AT_ONCE]`

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measurement for people"
)]

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use marquetry_sandbox::{Config, Limits, Mode, Network, Sandbox, Spec, Status};
use tokio::io::AsyncReadExt as _;

const PROGRAM: &str = "/bin/true";
const ROUNDS: usize = 3;

fn main() {
    // The example is its own spawner, as the product's binary is.
    if std::env::args()
        .nth(1)
        .is_some_and(|first| first == "__sandbox")
    {
        marquetry_sandbox::helper_main();
    }
    let number = |index: usize, default| {
        std::env::args()
            .nth(index)
            .map_or(default, |text| text.parse().unwrap())
    };
    let (spawns, at_once) = (number(1, 1000), number(2, 4));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(measure(spawns, at_once));
}

async fn measure(spawns: usize, at_once: usize) {
    let scratch = std::env::temp_dir().join(format!("spawn-cost-{}", std::process::id()));
    std::fs::create_dir_all(&scratch).unwrap();
    let off = start(Mode::Off, &scratch).await;
    let full = start(Mode::Full, &scratch).await;
    println!("{spawns} spawns of {PROGRAM}, {at_once} at once, best of {ROUNDS}");
    let bare_rate = report("bare spawn", spawns, at_once, || bare(&[PROGRAM])).await;
    let direct = report("mode off", spawns, at_once, || {
        sandboxed(&off, Network::None)
    })
    .await;
    let none = report("full, no network", spawns, at_once, || {
        sandboxed(&full, Network::None)
    })
    .await;
    report("full, relayed network", spawns, at_once, || {
        let ports = vec![22, 25, 80, 443, 465, 587, 1433, 3306, 5432, 8080, 8443];
        sandboxed(&full, Network::Relayed { ports })
    })
    .await;
    report("full, host network", spawns, at_once, || {
        sandboxed(&full, Network::Host)
    })
    .await;
    println!("mode off / bare spawn: {:.2}", direct / bare_rate);
    if Path::new("/usr/bin/bwrap").exists() {
        let bwrap = report("bwrap --unshare-all", spawns, at_once, || bare(&BWRAP)).await;
        println!("full / bwrap: {:.2}", none / bwrap);
    }
    full.shutdown().await;
    std::fs::remove_dir(&scratch).unwrap();
}

static BWRAP: [&str; 22] = [
    "/usr/bin/bwrap",
    "--unshare-all",
    "--die-with-parent",
    "--ro-bind",
    "/usr",
    "/usr",
    "--ro-bind",
    "/etc",
    "/etc",
    "--symlink",
    "usr/bin",
    "/bin",
    "--symlink",
    "usr/lib",
    "/lib",
    "--symlink",
    "usr/lib64",
    "/lib64",
    "--proc",
    "/proc",
    "--",
    PROGRAM,
];

async fn start(mode: Mode, scratch: &Path) -> Sandbox {
    let name = format!("bench-{}", std::process::id());
    Sandbox::start(Config::new(mode, name, scratch))
        .await
        .unwrap()
}

/// Prints and returns the best rate of some rounds.
async fn report<F, R>(name: &str, spawns: usize, at_once: usize, one: F) -> f64
where
    F: Fn() -> R,
    R: Future<Output = ()> + Send + 'static,
{
    let (mut best, mut cpu) = (0.0_f64, 0.0);
    for _ in 0..ROUNDS {
        let (started, cpu_started) = (Instant::now(), cpu_seconds());
        let mut tasks = tokio::task::JoinSet::new();
        for index in 0..spawns {
            if index >= at_once {
                tasks.join_next().await.unwrap().unwrap();
            }
            tasks.spawn(one());
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
        let rate = f64::from(u32::try_from(spawns).unwrap()) / started.elapsed().as_secs_f64();
        if rate > best {
            best = rate;
            cpu = (cpu_seconds() - cpu_started) / f64::from(u32::try_from(spawns).unwrap());
        }
    }
    println!(
        "{name:24} {best:8.0} per second  {:6.0} us of machine time each",
        cpu * 1e6
    );
    best
}

/// Busy seconds of the whole machine since it started: the work of kernel threads counts too.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/stat").unwrap();
    let fields: Vec<f64> = stat
        .lines()
        .next()
        .unwrap()
        .split_ascii_whitespace()
        .skip(1)
        .map(|field| field.parse().unwrap())
        .collect();
    (fields.iter().sum::<f64>() - fields[3] - fields[4]) / 100.0
}

async fn bare(words: &'static [&'static str]) {
    let status = tokio::process::Command::new(words[0])
        .args(&words[1..])
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .await
        .unwrap();
    assert!(status.success());
}

fn sandboxed(sandbox: &Sandbox, network: Network) -> impl Future<Output = ()> + Send + 'static {
    let sandbox = sandbox.clone();
    let spec = Spec {
        image: None,
        command: vec![OsString::from(PROGRAM)],
        environment: vec![("PATH".into(), "/usr/bin:/bin".into())],
        working_dir: PathBuf::from("/"),
        mounts: Vec::new(),
        limits: Limits {
            memory_bytes: 1 << 30,
            processes: 256,
            open_files: 1024,
            disk_bytes: 512 << 20,
        },
        network,
        lease: Duration::from_mins(1),
    };
    async move {
        let mut child = sandbox.spawn(spec).await.unwrap();
        let mut out = Vec::new();
        child.stdout.read_to_end(&mut out).await.unwrap();
        let ended = child.wait().await;
        assert_eq!(ended.status, Status::Exited(0), "{ended:?}");
    }
}

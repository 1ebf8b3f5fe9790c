//! What a process takes, as the kernel counts it.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

/// What a process and its children have used.
#[derive(Debug, Clone, Default)]
pub(crate) struct Used {
    /// Processor time in hundredths of a second.
    pub(crate) hundredths: u64,
    /// How often each thread has slept and was woken.
    threads: BTreeMap<String, u64>,
}

impl Used {
    /// How often threads were woken since. One that has ended meanwhile is one that was not needed any more.
    fn wakes_since(&self, before: &Self) -> u64 {
        let wakes = self.threads.iter().map(|(thread, count)| {
            count.saturating_sub(before.threads.get(thread).copied().unwrap_or(0))
        });
        wakes.sum()
    }
}

/// Up to now.
pub(crate) fn used(pid: u32) -> Used {
    let mut used = Used::default();
    add(pid, &mut used);
    used
}

fn add(pid: u32, used: &mut Used) {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let times = fields.split_whitespace().skip(11).take(2);
    let times = times.filter_map(|field| field.parse::<u64>().ok());
    used.hundredths += times.sum::<u64>();
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task"));
    for task in tasks.into_iter().flatten().flatten() {
        let read = |name: &str| std::fs::read_to_string(task.path().join(name)).unwrap_or_default();
        let wakes = read("status").lines().find_map(|line| {
            let count = line.strip_prefix("voluntary_ctxt_switches:")?;
            count.trim().parse().ok()
        });
        let name = format!("{pid}/{}", task.file_name().display());
        used.threads.insert(name, wakes.unwrap_or(0));
        for child in read("children").split_whitespace() {
            add(child.parse().unwrap(), used);
        }
    }
}

/// What a process at rest did.
#[derive(Debug, Default)]
pub(crate) struct Rest {
    /// After how long it woke up, each time that it had slept for a while before.
    pub(crate) awake: Vec<Duration>,
    /// How often its threads were woken in all.
    pub(crate) wakes: u64,
    /// Processor time in hundredths of a second.
    pub(crate) hundredths: u64,
}

/// Often enough to tell one waking from the next.
const LOOK: Duration = Duration::from_millis(250);
/// What comes so soon after it belongs to the same waking. A timer of tokio that is long wakes up to 4.1 s
/// before its end, to be set exactly.
const SAME: Duration = Duration::from_secs(5);

/// Watches processes that rest, for so long.
pub(crate) async fn rest_of(pids: &[u32], watched: Duration) -> Vec<Rest> {
    let begun = Instant::now();
    let first: Vec<Used> = pids.iter().map(|pid| used(*pid)).collect();
    let mut last = first.clone();
    let mut rests: Vec<Rest> = pids.iter().map(|_| Rest::default()).collect();
    let mut awake_at: Vec<Option<Instant>> = vec![None; pids.len()];
    while begun.elapsed() < watched {
        tokio::time::sleep(LOOK).await;
        for (at, pid) in pids.iter().enumerate() {
            let seen = used(*pid);
            let wakes = seen.wakes_since(&last[at]);
            if wakes > 0 {
                let before = awake_at[at].replace(Instant::now());
                if before.is_none_or(|before| before.elapsed() > SAME) {
                    rests[at].awake.push(begun.elapsed());
                }
            }
            rests[at].wakes += wakes;
            rests[at].hundredths = seen.hundredths.saturating_sub(first[at].hundredths);
            last[at] = seen;
        }
    }
    rests
}

/// The anonymous memory of a process, without its children's, in KiB.
pub(crate) fn anonymous(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    let size = line.unwrap().split_whitespace().next();
    size.unwrap().parse().unwrap()
}

//! What a process takes, as the kernel counts it.

/// What a process and its children have used: processor time in hundredths of a second, and how
/// often a thread of theirs slept and was woken.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Used {
    pub(crate) hundredths: u64,
    pub(crate) wakes: u64,
}

/// Up to now.
pub(crate) fn used(pid: u32) -> Used {
    let read = |name: &str| std::fs::read_to_string(format!("/proc/{pid}/{name}"));
    let stat = read("stat").unwrap_or_default();
    let fields = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace();
    let times = fields
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<u64>().ok());
    let mut used = Used {
        hundredths: times.sum(),
        wakes: 0,
    };
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
        .flatten()
    {
        let read = |name: &str| std::fs::read_to_string(task.path().join(name)).unwrap_or_default();
        let wakes = read("status").lines().find_map(|line| {
            line.strip_prefix("voluntary_ctxt_switches:")?
                .trim()
                .parse()
                .ok()
        });
        used.wakes += wakes.unwrap_or(0_u64);
        for child in read("children").split_whitespace() {
            let child = self::used(child.parse().unwrap());
            used.hundredths += child.hundredths;
            used.wakes += child.wakes;
        }
    }
    used
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

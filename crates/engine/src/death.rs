//! Death by a signal in words.

/// The signals 1 to 31, as Linux numbers them.
const NAMES: [&str; 31] = [
    "SIGHUP",
    "SIGINT",
    "SIGQUIT",
    "SIGILL",
    "SIGTRAP",
    "SIGABRT",
    "SIGBUS",
    "SIGFPE",
    "SIGKILL",
    "SIGUSR1",
    "SIGSEGV",
    "SIGUSR2",
    "SIGPIPE",
    "SIGALRM",
    "SIGTERM",
    "SIGSTKFLT",
    "SIGCHLD",
    "SIGCONT",
    "SIGSTOP",
    "SIGTSTP",
    "SIGTTIN",
    "SIGTTOU",
    "SIGURG",
    "SIGXCPU",
    "SIGXFSZ",
    "SIGVTALRM",
    "SIGPROF",
    "SIGWINCH",
    "SIGIO",
    "SIGPWR",
    "SIGSYS",
];
/// The highest signal of Linux; those above 31 have no fixed names.
const LAST: i32 = 64;
/// What a shell adds to the signal that killed its child.
const SHELL: i32 = 128;

/// `killed by signal 9 (SIGKILL)`
pub(crate) fn killed_by(signal: i32) -> String {
    let place = usize::try_from(signal).ok().and_then(|n| n.checked_sub(1));
    match place.and_then(|place| NAMES.get(place)) {
        Some(name) => format!("killed by signal {signal} ({name})"),
        None => format!("killed by signal {signal}"),
    }
}

/// `exit code 137: killed by signal 9 (SIGKILL)`: commands run in a shell, which reports the death
/// of its child in this way.
pub(crate) fn exit_code(code: i32) -> String {
    match code - SHELL {
        signal @ 1..=LAST => format!("exit code {code}: {}", killed_by(signal)),
        _ => format!("exit code {code}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_of_a_shell_names_the_signal() {
        for (code, words) in [
            (1, "exit code 1"),
            (128, "exit code 128"),
            (129, "exit code 129: killed by signal 1 (SIGHUP)"),
            (137, "exit code 137: killed by signal 9 (SIGKILL)"),
            (139, "exit code 139: killed by signal 11 (SIGSEGV)"),
            (159, "exit code 159: killed by signal 31 (SIGSYS)"),
            (160, "exit code 160: killed by signal 32"),
            (192, "exit code 192: killed by signal 64"),
            (193, "exit code 193"),
            (255, "exit code 255"),
        ] {
            assert_eq!(exit_code(code), words);
        }
        assert_eq!(killed_by(15), "killed by signal 15 (SIGTERM)");
        assert_eq!(killed_by(0), "killed by signal 0");
    }
}

//! What is said of a run's variables before it starts, compared with what Linux says of them.
#![expect(
    clippy::disallowed_methods,
    reason = "the kernel is asked by starting a program"
)]

use std::process::{Command, Stdio};

use marquetry_app::environment::too_large;

/// One text of an environment, `NAME=value` and its end.
const TEXT: usize = 128 << 10;
/// All variables of a run, with what the kernel counts besides: two ends and a pointer for each.
const ALL: usize = 1792 << 10;
/// What is left beside them for the toolchain's variables and the command.
const REST: usize = 200 << 10;

fn one(name: &str, length: usize) -> (String, String) {
    (name.to_owned(), "x".repeat(length - name.len() - 2))
}

/// Variables that the kernel counts as so many bytes.
fn of_size(bytes: usize) -> Vec<(String, String)> {
    const EACH: usize = 64 << 10;
    let count = bytes / EACH;
    let each = (0..count).map(|n| {
        let over = if n + 1 == count { bytes % EACH } else { 0 };
        one(&format!("PAN_CFG_{n}"), EACH + over - size_of::<usize>())
    });
    each.collect()
}

/// Whether a program can be started with them and with `rest` bytes more, where the stack has the
/// usual limit of 8 MiB.
fn starts(variables: &[(String, String)], rest: usize) -> bool {
    let more = (0..).zip(vec![REST / 4; rest / (REST / 4)]);
    let more = more.map(|(n, length)| one(&format!("MORE_{n}"), length));
    let status = Command::new("/bin/sh")
        .args(["-c", "ulimit -s 8192 && exec /bin/true"])
        .env_clear()
        .envs(variables.iter().cloned().chain(more))
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

#[test]
fn one_text_is_as_long_as_the_kernel_takes() {
    for name in ["A", "PAN_CFG_A_LONGER_NAME"] {
        let fits = [one("B", 100), one(name, TEXT)];
        assert_eq!(too_large(&fits), None, "{name}");
        assert!(starts(&fits, 0), "{name}");
        let over = [one("B", 100), one(name, TEXT + 1)];
        let why = too_large(&over).unwrap();
        let bytes = format!("its variable {name} has {} bytes with its name", TEXT - 1);
        assert!(why.starts_with(&bytes) && why.contains("131072"), "{why}");
        assert!(!starts(&over, 0), "{name}");
    }
    // A name counts, too, and a long one is not repeated whole.
    let name = "N".repeat(TEXT);
    let why = too_large(&[(name, String::new())]).unwrap();
    assert!(why.len() < 300, "{why}");
}

#[test]
fn all_together_leave_room_for_the_rest() {
    let size = |all: &[(String, String)]| -> usize {
        let each = all.iter();
        each.map(|(name, value)| name.len() + value.len() + 2 + size_of::<usize>())
            .sum()
    };
    let fits = of_size(ALL);
    assert_eq!(size(&fits), ALL);
    assert_eq!(too_large(&fits), None);
    assert!(starts(&fits, REST), "with what every run has");
    let over = of_size(ALL + 1);
    let why = too_large(&over).unwrap();
    assert!(why.contains(&format!("have {} bytes", ALL + 1)), "{why}");
    assert!(
        why.contains("the largest are PAN_CFG_27 (63 KiB), PAN_CFG_0"),
        "{why}"
    );
    assert!(!starts(&of_size(2 << 20), 0), "the kernel's own bound");

    // Small ones count by their pointers.
    let small: Vec<_> = (0..100_000)
        .map(|n| (format!("V{n:05}"), "x".to_owned()))
        .collect();
    assert!(size(&small) < ALL);
    assert_eq!(too_large(&small), None);
    assert!(starts(&small, REST));
}

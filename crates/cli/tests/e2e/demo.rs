//! The README's first command.

use std::process::Command;

#[test]
#[expect(clippy::disallowed_methods, reason = "a user types this")]
fn the_demo_is_green_twice_on_the_same_folder() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let output = Command::new(env!("CARGO_BIN_EXE_marquetry"))
            .args(["demo", "--once", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(folder.path().join("data"))
            .output()
            .unwrap();
        let out = String::from_utf8(output.stdout).unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{out}\n{err}");
        assert_eq!(out.matches("curl -sS").count(), 3, "{out}");
        assert!(out.contains("the count is"), "{out}");
    }
}

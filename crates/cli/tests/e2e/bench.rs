//! The benchmark measures something, and leaves nothing.

use std::process::Command;

use serde_json::Value;

#[test]
#[expect(clippy::disallowed_methods, reason = "a user types this")]
fn every_figure_was_measured() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_marquetry"))
        .args([
            "bench",
            "--sandbox",
            "off",
            "--seconds",
            "1",
            "--tenants",
            "8",
            "--json",
        ])
        .env("TMPDIR", folder.path())
        .env("MARQUETRY_DATA_DIR", "/nowhere/the/operator's")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let figures = report["figures"].as_array().unwrap();
    assert_eq!(figures.len(), 12, "{report}");
    for figure in figures {
        let what = figure["what"].as_str().unwrap();
        let value = figure["value"].as_f64().unwrap();
        let may_be_none = what.starts_with("processor time");
        assert!(value > 0.0 || (may_be_none && value == 0.0), "{figure}");
    }
    let left: Vec<_> = folder.path().read_dir().unwrap().flatten().collect();
    assert!(left.is_empty(), "{left:?}");
}

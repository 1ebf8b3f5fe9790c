//! Real packages from real registries.

use marquetry_testkit::skipped;

use super::{Case, outcome, sysroot};

/// The network in which registries are here, if somebody said so.
#[expect(clippy::disallowed_methods, reason = "what ./test exports is read")]
fn registries() -> Option<Vec<String>> {
    let Ok(network) = std::env::var("MARQUETRY_TEST_REGISTRIES") else {
        skipped(
            "tests that fetch packages: MARQUETRY_TEST_REGISTRIES does not name the registries' network",
        );
        return None;
    };
    Some(vec!["--outbound-allow".to_owned(), network])
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs registries"]
async fn node_fetches_a_package() {
    let Some(arguments) = registries() else {
        return;
    };
    let case = Case {
        programs: &["node", "npm"],
        build: "npm install && rm -r node_modules && npm ci",
        run: "node -p \"require('is-odd')(3)\"",
        files: &[(
            "package.json",
            r#"{"name":"a","version":"1.0.0","dependencies":{"is-odd":"3.0.1"}}"#,
        )],
        arguments: &arguments,
        ..Case::default()
    };
    if let Some(outcome) = outcome(case).await {
        assert_eq!(outcome.std_out, "true");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs registries"]
async fn python_fetches_a_package() {
    let Some(arguments) = registries() else {
        return;
    };
    let case = Case {
        base: "python:3",
        programs: &["python3", "pip3"],
        build: "pip install -r requirements.txt",
        run: "python -c 'import mdurl; print(mdurl.__file__)'",
        files: &[("requirements.txt", "mdurl==0.1.2\n")],
        arguments: &arguments,
    };
    if let Some(outcome) = outcome(case).await {
        let place = outcome.std_out.as_str().unwrap();
        assert!(
            place.starts_with("/integration/.marquetry/python/"),
            "{place}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs registries"]
async fn rust_fetches_a_package() {
    let (Some(mut arguments), Some(sysroot)) = (registries(), sysroot()) else {
        return;
    };
    arguments.extend(["--toolchain-path".to_owned(), sysroot.display().to_string()]);
    let case = Case {
        base: "rust",
        programs: &["cc"],
        build: "cargo build --release",
        run: "./target/release/app",
        files: &[
            (
                "Cargo.toml",
                "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[dependencies]\nitoa = \"1\"\n",
            ),
            (
                "src/main.rs",
                "fn main() { println!(\"{}\", itoa::Buffer::new().format(7)); }",
            ),
        ],
        arguments: &arguments,
    };
    if let Some(outcome) = outcome(case).await {
        assert_eq!(outcome.std_out, "7");
    }
}

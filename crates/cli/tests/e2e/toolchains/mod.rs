//! Each language: its package manager works in a build, and what it installed is there in a run.
//!
//! None of it needs a network: packages come from the repository itself or from what the language
//! ships with. With `MARQUETRY_TEST_REGISTRIES` (the network in which registries are) those of
//! `registries` fetch real ones. The database plays no part, so SQLite alone is used.

mod languages;
mod python;
mod registries;
mod virtual_machines;

use std::path::{Path, PathBuf};
use std::process::Command;

use marquetry_testkit::{Database, Scenario, TestServer, skipped};
use serde_json::{Value, json};

use crate::options;

/// One integration.
struct Case<'a> {
    /// `base` of its manifest.
    base: &'a str,
    /// Programs that must be on the machine; without one the test says so and ends.
    programs: &'a [&'a str],
    build: &'a str,
    run: &'a str,
    files: &'a [(&'a str, &'a str)],
    /// Arguments of the server.
    arguments: &'a [String],
}

impl Default for Case<'_> {
    fn default() -> Self {
        Self {
            base: "node",
            programs: &[],
            build: "true",
            run: "true",
            files: &[],
            arguments: &[],
        }
    }
}

/// What came of it.
struct Outcome {
    build: Value,
    build_log: String,
    std_out: Value,
}

/// Builds and runs it; none where the machine does not have its programs. `./test` lists these.
async fn outcome(case: Case<'_>) -> Option<Outcome> {
    if let Some(missing) = case.programs.iter().find(|name| !is_there(name)) {
        let base = case.base;
        skipped(&format!(
            "a test of base {base}: {missing} is not on this machine"
        ));
        return None;
    }
    let mut options = options(Database::Sqlite);
    for argument in case.arguments {
        options = options.with(argument);
    }
    let server = TestServer::start(options).await;
    let manifest =
        json!({"version": "1.0", "base": case.base, "build": case.build, "run": case.run});
    let manifest = manifest.to_string();
    let mut files = vec![("PANDIUM.yaml", manifest.as_str())];
    files.extend(case.files);
    let scenario = Scenario::new(&server, "tools", &files, json!({})).await;
    let build = scenario.release("v1").await;
    let log = server.get(&format!("/v2/builds/{}/log", build["id"])).await;
    let tenant = scenario.tenant("t").await;
    let run = scenario.run(tenant).await;
    let said = scenario.log(&run).await;
    assert_eq!(run["status"]["phase"], "Succeeded", "{run}\n{said}");
    Some(Outcome {
        build,
        build_log: log.text,
        std_out: run["std_out"].clone(),
    })
}

/// Whether runs find a program: in the system's folders, not on a developer's `PATH`.
pub(crate) fn is_there(name: &str) -> bool {
    let folders = ["/usr/local/bin", "/usr/bin", "/bin"];
    folders
        .iter()
        .any(|folder| Path::new(folder).join(name).is_file())
}

/// The toolchain that built this test.
#[expect(clippy::disallowed_methods, reason = "the developer's compiler")]
pub(crate) fn sysroot() -> Option<PathBuf> {
    let said = Command::new("rustc")
        .args(["--print", "sysroot"])
        .output()
        .ok()?;
    let path = PathBuf::from(String::from_utf8(said.stdout).ok()?.trim());
    path.join("bin/cargo").is_file().then_some(path)
}

/// A language that the machine lacks is told from one that it has but not the tool for.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_named_with_its_remedy() {
    let server = TestServer::start(options(Database::Sqlite)).await;
    let cases = [
        (
            ".NET:10.0",
            "dotnet",
            "base .NET:10.0 needs dotnet",
            "--toolchain-path",
        ),
        (
            "node",
            "pnpm",
            "exit code 127",
            "pnpm is not on this machine; install it (",
        ),
    ];
    for (base, program, first, second) in cases {
        if is_there(program) {
            skipped(&format!(
                "what is said without {program}: it is on this machine"
            ));
            continue;
        }
        let manifest =
            json!({"version": "1.0", "base": base, "build": "pnpm install", "run": "true"});
        let manifest = manifest.to_string();
        let files = [("PANDIUM.yaml", manifest.as_str())];
        let scenario = Scenario::new(&server, program, &files, json!({})).await;
        let build = scenario.build("v1").await;
        assert_eq!(build["status"], "Failed", "{build}");
        let message = build["message"].as_str().unwrap();
        assert!(
            message.contains(first) && message.contains(second),
            "{message}"
        );
    }
}

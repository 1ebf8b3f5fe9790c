//! The client commands against a real server.

use std::process::{Command, Output};

use marquetry_testkit::{Repository, Scenario, TestServer, both_databases, manifest};
use serde_json::{Value, json};

use crate::server;

/// Runs the product's own client.
#[expect(clippy::disallowed_methods, reason = "a user types this")]
pub(crate) fn marquetry(server: &TestServer, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_marquetry"))
        .args(arguments)
        .env("MARQUETRY_URL", &server.url)
        .env("MARQUETRY_API_KEY", server.key())
        .output()
        .unwrap()
}

fn text(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

fn well(server: &TestServer, arguments: &[&str]) -> String {
    let (code, out, err) = text(&marquetry(server, arguments));
    assert_eq!(code, Some(0), "{arguments:?}: {out}{err}");
    out
}

both_databases! {
    async fn from_nothing_to_a_log(database) {
        let server = server(database).await;
        assert!(text(&marquetry(&server, &["integrations", "list"])).2.contains("integrations create"), "says what to do");
        let path = server.data_dir.path().join("repositories/hello");
        let repository = Repository::create(&path);
        repository.commit(&[("PANDIUM.yaml", &manifest("echo to the log >&2; echo '{\"n\": 1}'"))]);
        let address = path.to_str().unwrap();
        well(&server, &["integrations", "create", "hello", "--repository-url", address]);
        well(&server, &["build", "hello", "--tag", "v1", "--wait"]);
        well(&server, &["tenants", "create", "hello", "acme"]);
        let log = well(&server, &["sync", "hello/acme", "--wait"]);
        assert!(log.contains("to the log\n"), "{log}");
        assert!(well(&server, &["logs", "1"]).contains("to the log\n"));
        assert!(well(&server, &["logs", "1", "-f"]).contains("to the log\n"));
        let runs: Value = serde_json::from_str(&well(&server, &["runs", "list", "--json"])).unwrap();
        assert_eq!(runs[0]["status"]["phase"], "Succeeded");
        let releases = well(&server, &["releases", "list", "hello"]);
        assert!(releases.contains("hello-v1"), "{releases}");
    }
}

both_databases! {
    async fn failures_have_codes_and_remedies(database) {
        let server = server(database).await;
        let path = server.data_dir.path().join("repositories/fails");
        let repository = Repository::create(&path);
        repository.commit(&[("PANDIUM.yaml", &manifest("exit 4"))]);
        well(&server, &["integrations", "create", "fails", "--repository-url", path.to_str().unwrap()]);
        well(&server, &["tenants", "create", "fails", "acme"]);
        let (code, _, err) = text(&marquetry(&server, &["sync", "fails/acme"]));
        assert_eq!(code, Some(1));
        assert!(err.contains("has no release") && err.contains("build"), "{err}");
        well(&server, &["build", "fails", "--tag", "v1", "--wait"]);
        let (code, _, err) = text(&marquetry(&server, &["sync", "fails/acme", "--wait"]));
        assert_eq!(code, Some(10), "an integration issue: {err}");
        let (code, out, err) = text(&marquetry(&server, &["tenants", "get", "no-such", "--json"]));
        assert_eq!((code, out.as_str()), (Some(1), ""), "{err}");
        repository.commit(&[("PANDIUM.yaml", "version: 1.0\n")]);
        let (code, _, err) = text(&marquetry(&server, &["build", "fails", "--tag", "v2", "--wait"]));
        assert_eq!(code, Some(10), "{err}");
    }
}

both_databases! {
    async fn a_trigger_is_cancelled_while_it_waits(database) {
        let server = server(database).await;
        let files = [("PANDIUM.yaml", &*manifest("sleep 60"))];
        let scenario = Scenario::new(&server, "waits", &files, json!({"debounce_ms": 600_000})).await;
        scenario.release("v1").await;
        scenario.tenant("acme").await;
        well(&server, &["sync", "waits/acme"]);
        assert!(well(&server, &["explain", "waits/acme"]).contains("trigger 1 waits"));
        assert_eq!(well(&server, &["triggers", "cancel", "1"]), "trigger 1 is cancelled\n");
        let (code, out, err) = text(&marquetry(&server, &["triggers", "cancel", "1"]));
        assert_eq!((code, out.as_str()), (Some(1), ""));
        assert!(err.contains("trigger 1 is already cancelled"), "{err}");
        let (code, _, err) = text(&marquetry(&server, &["triggers", "cancel", "9"]));
        assert_eq!(code, Some(1));
        assert!(err.contains("trigger 9"), "{err}");
        well(&server, &["sync", "waits/acme"]);
        let told = well(&server, &["triggers", "cancel", "2", "--json"]);
        let told: Value = serde_json::from_str(&told).unwrap();
        assert_eq!((&told["trigger_id"], &told["run_id"]), (&json!("2"), &Value::Null), "{told}");
    }
}

both_databases! {
    async fn a_bulk_act_fails_for_a_tenant_that_is_not_there(database) {
        let server = server(database).await;
        let (code, out, err) = text(&marquetry(&server, &["bulk", "pause", "--tenant", "999", "--dry-run"]));
        assert_eq!(code, Some(1), "{out}{err}");
        assert!(out.contains("tenant 999 was not found"), "{out}{err}");
    }
}

both_databases! {
    async fn a_wrong_argument_is_told_what_it_can_be(database) {
        let server = server(database).await;
        let origins = "original, current, a JSON object such as";
        for (arguments, code, words) in [
            (&["tenants", "schedule-preview", "slow/c", "--count", "0"][..], 2, "0 is not in 1..=100"),
            (&["bulk", "release", "--all", "--to", "banana"], 2, "the id of a release, `latest` or `default`"),
            (&["runs", "rerun", "1", "--configs", "nonsense"], 1, origins),
            (&["runs", "rerun", "1", "--std-out", "5"], 1, origins),
            (&["runs", "rerun", "1", "--std-out", "[5]"], 1, origins),
        ] {
            let (ended, out, err) = text(&marquetry(&server, arguments));
            assert_eq!(ended, Some(code), "{arguments:?}: {out}{err}");
            assert!(err.contains(words), "{arguments:?}: {out}{err}");
        }
    }
}

both_databases! {
    async fn json_goes_through_the_client_as_it_is(database) {
        let server = server(database).await;
        let path = server.data_dir.path().join("repositories/exact");
        Repository::create(&path).commit(&[("PANDIUM.yaml", &manifest("cat $PAN_CTX_RUN_TRIGGERS_FILE"))]);
        well(&server, &["integrations", "create", "exact", "--repository-url", path.to_str().unwrap()]);
        well(&server, &["build", "exact", "--tag", "v1", "--wait"]);
        well(&server, &["tenants", "create", "exact", "acme"]);
        let deep = "[".repeat(126) + &"]".repeat(126);
        let payload = format!(r#"{{"n": 18446744073709551616, "x":1.50, "deep":{deep}}}"#);
        let ended = well(&server, &["sync", "exact/acme", "--payload", &payload, "--wait", "--json"]);
        assert!(ended.contains(&payload), "{ended}");
        let run = server.get("/v2/runs/1").await.text;
        assert_eq!(well(&server, &["runs", "get", "1", "--json"]), format!("{run}\n"));
        assert!(well(&server, &["runs", "get", "1"]).contains("Succeeded"));
        let runs = server.get("/v2/runs?limit=50").await.text;
        assert_eq!(well(&server, &["runs", "list", "--json"]), format!("{runs}\n"));
        assert!(well(&server, &["runs", "list"]).contains("Succeeded"));
        let tenants = well(&server, &["tenants", "list", "--json"]);
        assert!(tenants.contains(&payload), "{tenants}");

        let state = format!(r#"{{"n": 18446744073709551616, "half": "\ud83d", "deep": {deep}}}"#);
        let set = well(&server, &["tenants", "set-state", "exact/acme", &state, "--json"]);
        let set: Value = serde_json::from_str(&set).unwrap();
        assert_eq!(set["std_out"], state);
        let set = well(&server, &["tenants", "set-state", "exact/acme", "null", "--json"]);
        assert_eq!(set, "{\"std_out\":null}\n");
        let large = ["tenants", "update", "exact/acme", "--config", "id=18446744073709551616"];
        let (code, _, err) = text(&marquetry(&server, &large));
        assert_eq!(code, Some(1));
        assert!(err.contains("id: Input should be a whole number of at most 64 bits"), "{err}");
    }
}

both_databases! {
    async fn keys_are_made_and_revoked(database) {
        let server = server(database).await;
        let made = well(&server, &["keys", "create", "reader", "--scope", "read", "--json"]);
        let made: Value = serde_json::from_str(&made).unwrap();
        let with = |method, path: &str| {
            server.request(method, path).header("X-API-KEY", made["key"].as_str().unwrap())
        };
        let list = TestServer::answer(with(reqwest::Method::GET, "/v2/tenants")).await;
        assert_eq!(list.status, 200, "{list:?}");
        let sync = with(reqwest::Method::POST, "/v2/tenants/1/sync?mode=normal");
        assert_eq!(TestServer::answer(sync).await.status, 403);
        well(&server, &["keys", "revoke", &made["id"].to_string()]);
        let list = TestServer::answer(with(reqwest::Method::GET, "/v2/tenants")).await;
        assert_eq!((list.status, list.text.as_str()), (403, r#"{"detail":"Not authorized"}"#));
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a user types this")]
fn a_manifest_is_checked_without_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let check = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_marquetry"))
            .arg("manifest")
            .args(arguments)
            .current_dir(folder.path())
            .output()
            .unwrap();
        text(&output)
    };
    let (code, _, err) = check(&["check"]);
    assert_eq!(code, Some(1));
    assert!(err.contains("there is no PANDIUM.yaml"), "{err}");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("marquetry.yaml", &manifest("node ."));
    assert_eq!(check(&["check"]).0, Some(0));
    write(
        "PANDIUM.yaml",
        "version: 1.0\nbase: node:20\nrun: ''\ncolour: red\n",
    );
    let (code, out, err) = check(&["check"]);
    assert_eq!(code, Some(1));
    assert!(
        out.contains("PANDIUM.yaml:3:6: run: the command is empty"),
        "{out}"
    );
    assert!(out.contains("PANDIUM.yaml:1:1: build: missing"), "{out}");
    assert!(err.contains("cannot be built"), "{err}");
    let (code, out, _) = check(&["check", "--json"]);
    assert_eq!(code, Some(1));
    let answer: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(answer["problems"].as_array().unwrap().len(), 2, "{out}");
    let (code, out, _) = check(&["schema"]);
    assert_eq!(code, Some(0));
    let schema: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(schema["required"][0], "version");
}

/// A disk that is full is no success, and a reader that has seen enough is no failure.
#[test]
#[expect(clippy::disallowed_methods, reason = "a user types this")]
fn output_that_cannot_be_written_is_a_failure() {
    let schema = |to: std::process::Stdio| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_marquetry"));
        command
            .args(["manifest", "schema"])
            .stdout(to)
            .output()
            .unwrap()
    };
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let (code, _, err) = text(&schema(full.into()));
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("cannot write the output"), "{err}");
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    assert_eq!(text(&schema(writer.into())).0, Some(0));
}

//! What runs find out about their tenant: metadata, and options from both places.

use marquetry_testkit::{Scenario, both_databases};
use serde_json::{Value, json};

use crate::server;

const MANIFEST: &str = "
version: 1.0
base: python:3.11
build: 'true'
run: python3 main.py
configs:
  schema:
    properties:
      print: {type: string}
      fail: {type: boolean, default: false}
      shade: {$ref: '#/metadata/shades'}
      user: {$ref: 'definitions/users'}
    definitions:
      users: {enum: [placeholder]}
metadata_schema:
  schema:
    properties:
      shades: {type: array, items: {type: string}, default: [grey]}
      cursor: {type: integer, minimum: 0}
";

/// Logs the metadata that it was given, prints what it is told to.
const CODE: &str = r#"
import json, os, sys
path = os.environ["PAN_CTX_TENANT_METADATA_FILE"]
print("given", json.dumps(json.load(open(path)), sort_keys=True), file=sys.stderr)
line = os.environ.get("PAN_CFG_PRINT")
if line: print(line)
sys.exit(3 if os.environ["PAN_CFG_FAIL"] == "true" else 0)
"#;

/// Runs a tenant that prints `line` and ends well or not; answers phase and log.
async fn run(
    scenario: &Scenario<'_>,
    tenant: i64,
    mode: &str,
    (line, fail): (Option<&str>, bool),
) -> (String, String) {
    let configs = json!({"configs": {"print": line, "fail": fail}});
    let path = format!("/v2/tenants/{tenant}");
    scenario.server.patch(&path, configs).await.expect(200);
    let sync = format!("{path}/sync?mode={mode}");
    let accepted = scenario.server.post(&sync, Value::Null).await.expect(202);
    let run = scenario.end(accepted["trigger_id"].as_str().unwrap()).await;
    let phase = run["status"]["phase"].as_str().unwrap().to_owned();
    (phase, scenario.log(&run).await)
}

async fn known(scenario: &Scenario<'_>, tenant: i64) -> Value {
    let path = format!("/v2/tenants/{tenant}/metadata");
    scenario.server.get(&path).await.expect(200)["data"].clone()
}

both_databases! {
    async fn metadata_is_given_checked_and_merged(database) {
        let server = server(database).await;
        let files = [("PANDIUM.yaml", MANIFEST), ("main.py", CODE)];
        let scenario = Scenario::new(&server, "metadata", &files, json!({})).await;
        scenario.release("v1").await;
        let tenant = scenario.tenant("t").await;
        let steps = [
            (Some(r#"{"cursor": 1, "map": {"a": 1}}"#), false, "Succeeded"),
            (Some(r#"{"map": {"b": 2}, "extra": true}"#), false, "Succeeded"),
            (Some("{}"), false, "Succeeded"),
            (None, false, "Succeeded"),
            (Some(r#"{"cursor": "one"}"#), false, "Failed (Metadata Validation)"),
            (Some(r#"{"cursor": -1}"#), false, "Failed (Metadata Validation)"),
            (Some(r#"{"cursor": 18446744073709551616}"#), false, "Failed (Metadata Validation)"),
            (Some("done"), false, "Failed (Metadata Validation)"),
            (Some("[1]"), false, "Failed (Metadata Validation)"),
            (Some(r#"{"cursor": 9}"#), true, "Failed (Integration Issue)"),
        ];
        let mut logs = Vec::new();
        for (line, fail, phase) in steps {
            let (found, log) = run(&scenario, tenant, "normal", (line, fail)).await;
            assert_eq!(found, phase, "{line:?} {log}");
            logs.push(log);
        }
        assert!(logs[0].contains("given {}\n"), "{}", logs[0]);
        assert!(logs[1].contains("given {\"cursor\": 1, \"map\": {\"a\": 1}}\n"), "{}", logs[1]);
        let wrong = "cursor: Input should be a valid integer";
        assert!(logs[4].contains(wrong), "the log says why: {}", logs[4]);
        let merged = json!({"cursor": 1, "map": {"b": 2}, "extra": true});
        assert_eq!(known(&scenario, tenant).await, merged);
        let path = format!("/v2/tenants/{tenant}");
        let shown = server.get(&path).await.expect(200);
        assert_eq!(shown["status"]["last_run"]["std_out"], r#"{"cursor": 9}"#);
        assert_eq!(shown["status"]["last_successful_run"]["std_out"], Value::Null);
        let refused = server.patch(&format!("{path}/metadata"), json!({"cursor": 1.5})).await;
        assert_eq!(refused.expect(422)["detail"][0]["loc"], json!(["body", "cursor"]));
        server.patch(&format!("{path}/metadata"), json!({"cursor": 5})).await.expect(200);
        let (_, log) = run(&scenario, tenant, "normal", (None, false)).await;
        assert!(log.contains("\"cursor\": 5"), "{log}");
        let half = Some(r#"{"half": "\ud83d"}"#);
        assert_eq!(run(&scenario, tenant, "normal", (half, false)).await.0, "Succeeded");
        assert_eq!(known(&scenario, tenant).await["half"], "\u{fffd}");

        let filler = json!({"filler": "x".repeat((1 << 20) - 200)});
        server.patch(&format!("{path}/metadata"), filler).await.expect(200);
        let more = json!({"more": "y".repeat(200)}).to_string();
        let (phase, log) = run(&scenario, tenant, "normal", (Some(&more), false)).await;
        assert_eq!(phase, "Failed (Metadata Validation)");
        let why = "\n[marquetry] Failed (Metadata Validation): the tenant's metadata would have";
        assert!(log.contains(why), "{log}");
    }
}

both_databases! {
    async fn options_come_from_init_runs_and_metadata(database) {
        let server = server(database).await;
        let files = [("PANDIUM.yaml", MANIFEST), ("main.py", CODE)];
        let scenario = Scenario::new(&server, "options", &files, json!({})).await;
        scenario.release("v1").await;
        let tenant = scenario.tenant("t").await;
        let path = format!("/v2/tenants/{tenant}");
        let form = format!("{path}/release");
        let before = server.get(&form).await.expect(200);
        let shade = &before["config_schema"]["schema"]["properties"]["shade"];
        assert_eq!(shade["enum"], json!(["grey"]), "the default stands in");

        let printed = r#"{"users": [{"const": 7, "title": "ann"}], "shades": ["light", "dark"]}"#;
        let (phase, log) = run(&scenario, tenant, "init", (Some(printed), false)).await;
        assert_eq!(phase, "Succeeded", "{log}");
        let filled = server.get(&form).await.expect(200);
        let schema = &filled["config_schema"]["schema"];
        assert_eq!(schema["definitions"]["users"]["oneOf"][0]["title"], "ann");
        assert_eq!(schema["properties"]["shade"]["enum"], json!(["light", "dark"]));
        for wrong in [json!({"user": 8}), json!({"shade": "grey"}), json!({"user": "7"})] {
            server.patch(&path, json!({"configs": wrong})).await.expect(422);
        }
        let right = json!({"configs": {"user": 7, "shade": "dark"}});
        server.patch(&path, right).await.expect(200);

        // Any run may change the metadata, and its options with it; only init runs the others.
        let printed = r#"{"users": [], "shades": ["blue"]}"#;
        run(&scenario, tenant, "normal", (Some(printed), false)).await;
        let flagged = server.get(&path).await.expect(200);
        assert_eq!(flagged["configs"]["shade"], "dark");
        assert_eq!(
            flagged["configs_problems"],
            json!([{"name": "shade", "message": "Input should be 'blue'"}])
        );
        let failed = r#"{"users": [1]}"#;
        run(&scenario, tenant, "init", (Some(failed), true)).await;
        let kept = server.get(&path).await.expect(200);
        let users = &kept["status"]["dynamic_configs"]["users"];
        assert_eq!(users, &json!([{"const": 7, "title": "ann"}]));
        server.patch(&path, json!({"configs": {"shade": "blue"}})).await.expect(200);
    }
}

both_databases! {
    async fn values_that_no_longer_fit_stay_and_are_flagged(database) {
        let server = server(database).await;
        let manifest = |properties: &str| {
            format!("version: 1.0\nbase: python:3.11\nbuild: 'true'\nrun: python3 main.py\nconfigs:\n  schema:\n    properties: {properties}\n")
        };
        let first = manifest("{size: {type: integer, max: 10}, key: {type: string, format: password}}");
        let code = "import json, os\nprint(json.dumps({k: v[::-1] for k, v in os.environ.items() if k.startswith('PAN_CFG_')}))";
        let files = [("PANDIUM.yaml", &*first), ("main.py", code)];
        let scenario = Scenario::new(&server, "flags", &files, json!({})).await;
        let v1 = scenario.release("v1").await;
        let tenant = scenario.tenant("t").await;
        let path = format!("/v2/tenants/{tenant}");
        let configs = json!({"configs": {"size": 9, "key": "hidden"}});
        let saved = server.patch(&path, configs).await.expect(200);
        assert_eq!(saved["configs"], json!({"size": 9, "key": "********"}));
        let output = scenario.run(tenant).await;
        let given: Value = serde_json::from_str(output["std_out"].as_str().unwrap()).unwrap();
        assert_eq!(given, json!({"PAN_CFG_SIZE": "9", "PAN_CFG_KEY": "neddih"}));

        let second = manifest("{size: {type: string}}");
        scenario.repository.commit(&[("PANDIUM.yaml", &second)]);
        scenario.release("v2").await;
        let shown = server.get(&path).await.expect(200);
        assert_eq!(shown["configs"], saved["configs"]);
        assert_eq!(
            shown["configs_problems"],
            json!([{"name": "size", "message": "Input should be a valid string"}])
        );
        let fixed = json!({"integration_release_id": v1["release_ids"][0]});
        let back = server.patch(&path, fixed).await.expect(200);
        assert_eq!(back["configs_problems"], json!([]));
    }
}

//! The environment of a run, seen from inside.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use marquetry_testkit::{Scenario, TestServer, both_databases, eventually, manifest};
use serde_json::{Value, json};

use crate::server;

const MANIFEST: &str = r#"
version: 1.0
base: python:3.11
build: "true"
run: "python3 main.py"
configs:
  schema:
    type: object
    properties:
      greeting: {type: string, default: hello}
      shout: {type: boolean, default: true}
      times: {type: integer}
"#;
/// Prints what it sees; the payload it reads from the file that it is given.
const MAIN: &str = r#"
import json, os
seen = {k: v for k, v in os.environ.items() if k.startswith("PAN_")}
triggers = json.loads(seen["PAN_CTX_RUN_TRIGGERS"])
files = [t["payload"].get("file") for t in triggers]
bodies = [open(f).read() if f else None for f in files]
whole = json.load(open(seen["PAN_CTX_RUN_TRIGGERS_FILE"]))
print(json.dumps({"seen": seen, "bodies": bodies, "whole": whole, "cwd": os.getcwd(), "uid": os.getuid(), "home": os.environ["HOME"]}))
"#;

/// Compares the array of triggers with the file that always has all of it.
const CROWD: &str = r#"
import json, os, time
if os.environ.get("PAN_CFG_STAY"):
    time.sleep(600)
whole = json.load(open(os.environ["PAN_CTX_RUN_TRIGGERS_FILE"]))
given = json.loads(os.environ["PAN_CTX_RUN_TRIGGERS"])
bodies = sum(1 for t in whole if "n" in json.load(open(t["payload"]["file"])))
print(json.dumps({"n": len(given), "bodies": bodies, "first": given[0], "whole": whole[0]}))
"#;

both_databases! {
    async fn context_settings_and_payload(database) {
        let server = server(database).await;
        let files = [("PANDIUM.yaml", MANIFEST), ("main.py", MAIN)];
        let scenario = Scenario::new(&server, "seen", &files, json!({})).await;
        scenario.release("v1").await;
        let tenant = scenario.tenant("acme").await;
        let configs = json!({"configs": {"times": 3, "odd name!": ["a", 1]}});
        server.patch(&format!("/v2/tenants/{tenant}"), configs).await.expect(200);
        let body = r#"{"order": 7, "näme": "ü"}"#;
        let request = server
            .request(reqwest_method(), &format!("/v2/tenants/{tenant}/sync?mode=normal"))
            .header("X-API-KEY", server.key())
            .header("X-Shop", "Nord")
            .header("content-type", "application/json")
            .body(body);
        let answer = TestServer::answer(request).await.expect(202);
        let trigger = answer["trigger_id"].as_str().unwrap().to_owned();
        let run = scenario.end(&trigger).await;
        let output: Value = serde_json::from_str(run["std_out"].as_str().unwrap_or_else(|| panic!("{run}"))).unwrap();
        let seen: BTreeMap<String, String> = serde_json::from_value(output["seen"].clone()).unwrap();
        let expected = [
            ("PAN_CTX_INTEGRATION_ID", scenario.integration.to_string()),
            ("PAN_CTX_INTEGRATION_NAME", "seen".into()),
            ("PAN_CTX_TENANT_ID", tenant.to_string()),
            ("PAN_CTX_TENANT_NAME", "acme".into()),
            ("PAN_CTX_RUN_MODE", "normal".into()),
            ("PAN_CTX_ENV", "prod".into()),
            ("PAN_CTX_RUN_ID", run["id"].to_string()),
            ("PAN_CFG_GREETING", "hello".into()),
            ("PAN_CFG_SHOUT", "true".into()),
            ("PAN_CFG_TIMES", "3".into()),
            ("PAN_CFG_ODD_NAME_", r#"["a",1]"#.into()),
        ];
        for (name, value) in expected {
            assert_eq!(seen.get(name), Some(&value), "{name} in {seen:?}");
        }
        assert!(!seen.contains_key("PAN_CTX_LAST_RUN_PHASE"), "there was no run before");
        assert_eq!(output["bodies"], json!([body]), "byte for byte");
        assert_eq!(output["cwd"], "/integration");
        assert_eq!(output["uid"], 1000);
        let triggers: Value = serde_json::from_str(&seen["PAN_CTX_RUN_TRIGGERS"]).unwrap();
        assert_eq!(triggers, output["whole"]);
        assert_eq!(triggers[0]["id"], json!(trigger), "a string here");
        assert_eq!(triggers[0]["source"], "api");
        assert_eq!(triggers[0]["payload"]["headers"]["x-shop"], "Nord");
        assert_eq!(triggers[0]["payload"]["headers"].get("x-api-key"), None);
        assert_eq!(run["triggers"][0]["id"].to_string(), trigger, "a number in the API");
        assert_eq!(run["triggers"][0]["payload"], json!({"order": 7, "näme": "ü"}));

        let second = scenario.run(tenant).await;
        let output: Value = serde_json::from_str(second["std_out"].as_str().unwrap()).unwrap();
        let seen = &output["seen"];
        assert_eq!(seen["PAN_CTX_LAST_RUN_PHASE"], "Succeeded");
        assert_eq!(seen["PAN_CTX_LAST_SUCCESSFUL_RUN_STD_OUT"], run["std_out"]);
        assert_eq!(seen["PAN_CTX_LAST_SUCESSFUL_RUN_STDOUT"], run["std_out"]);
        let time = seen["PAN_CTX_LAST_RUN_START_TIME"].as_str().unwrap();
        assert!(time.ends_with(" +0000 UTC") && time.len() == 29, "{time}");
    }
}

fn reqwest_method() -> reqwest::Method {
    reqwest::Method::POST
}

both_databases! {
    async fn a_crowd_of_payloads_does_not_burst_the_environment(database) {
        let server = server(database).await;
        let files = [("PANDIUM.yaml", &*manifest("python3 main.py")), ("main.py", CROWD)];
        let scenario = Scenario::new(&server, "crowded", &files, json!({})).await;
        scenario.release("v1").await;
        let tenant = scenario.tenant("t").await;
        let path = format!("/v2/tenants/{tenant}");
        server.patch(&path, json!({"configs": {"stay": "yes"}})).await.expect(200);
        // Everything comes while this one is live, so the next takes as much as one may.
        let first = scenario.sync(tenant).await;
        let live = eventually("the first is live", || async {
            let runs = server.get(&format!("/v2/tenants/{tenant}/runs")).await.expect(200);
            (runs[0]["status"]["phase"] == "Running").then(|| runs[0]["id"].clone())
        })
        .await;
        server.patch(&path, json!({"configs": {"stay": null}})).await.expect(200);
        let mut waiting = Vec::new();
        for n in 0..1001 {
            let path = format!("/v2/tenants/{tenant}/sync?mode=normal");
            let answer = server.post(&path, json!({"n": n})).await.expect(202);
            waiting.push(answer["trigger_id"].as_str().unwrap().to_owned());
        }
        server.post(&format!("/v2/runs/{live}/cancel"), Value::Null).await.expect(200);
        scenario.end(&first).await;
        let run = scenario.end(&waiting[0]).await;
        assert_eq!(run["status"]["phase"], "Succeeded", "{}", scenario.log(&run).await);
        let output: Value = serde_json::from_str(run["std_out"].as_str().unwrap()).unwrap();
        assert_eq!((&output["n"], &output["bodies"]), (&json!(1000), &json!(1000)));
        // A thousand short entries are still too many with their dates.
        let short = json!({"id": waiting[0], "mode": "normal", "source": "api", "payload": {}});
        assert_eq!(output["first"], short);
        assert!(output["whole"]["created_date"].is_string());
        let rest = scenario.end(&waiting[1000]).await;
        let output: Value = serde_json::from_str(rest["std_out"].as_str().unwrap()).unwrap();
        assert_eq!((&output["n"], &output["first"]), (&json!(1), &output["whole"]));
    }
}

/// Says what it knows of the runs before it, or does what is asked for.
const HISTORY: &str = r#"
import json, os, sys
do = os.environ.get("PAN_CFG_DO")
if do == "fail":
    print(json.dumps({"failed": 1}))
    sys.exit(3)
if do == "text":
    print("no json")
    sys.exit(0)
names = [n for n in os.environ if n.startswith("PAN_CTX_LAST") or n in ("TRACEPARENT", "PAN_CTX_RUN_MODE")]
print(json.dumps({n: os.environ[n] for n in names}))
"#;

/// `2021-07-24 20:04:21 +0000 UTC`.
fn is_time(text: &str) -> bool {
    let shape: String = text
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    shape == "0000-00-00 00:00:00 +0000 UTC"
}

both_databases! {
    async fn a_run_knows_the_last_one_and_the_last_that_succeeded(database) {
        let server = server(database).await;
        let files = [("PANDIUM.yaml", &*manifest("python3 main.py")), ("main.py", HISTORY)];
        let scenario = Scenario::new(&server, "history", &files, json!({})).await;
        scenario.release("v1").await;
        let tenant = scenario.tenant("t").await;
        let path = format!("/v2/tenants/{tenant}");
        let run = async |what: Value, mode: &str| {
            server.patch(&path, json!({"configs": {"do": what}})).await.expect(200);
            let accepted = server.post(&format!("{path}/sync?mode={mode}"), Value::Null).await.expect(202);
            let run = scenario.end(accepted["trigger_id"].as_str().unwrap()).await;
            let seen: Value = serde_json::from_str(run["std_out"].as_str().unwrap_or("null")).unwrap_or_default();
            (seen, run)
        };
        let (seen, first) = run(Value::Null, "init").await;
        let traceparent = seen["TRACEPARENT"].as_str().unwrap();
        let parts: Vec<usize> = traceparent.split('-').map(str::len).collect();
        assert_eq!(parts, [2, 32, 16, 2], "{traceparent}");
        assert_eq!(seen.as_object().unwrap().len(), 2, "there was no run before: {seen}");
        assert_eq!(seen["PAN_CTX_RUN_MODE"], "init");

        let (_, failed) = run(json!("fail"), "normal").await;
        assert_eq!(failed["status"]["phase"], "Failed (Integration Issue)");
        let (seen, _) = run(Value::Null, "normal").await;
        assert_eq!(seen["PAN_CTX_LAST_RUN_PHASE"], "Failed (Integration Issue)");
        assert_eq!(seen["PAN_CTX_LAST_RUN_STD_OUT"], r#"{"failed": 1}"#);
        assert_eq!(seen["PAN_CTX_LAST_RUN_STDOUT"], r#"{"failed": 1}"#);
        assert_eq!(seen["PAN_CTX_LAST_SUCCESSFUL_RUN_PHASE"], "Succeeded");
        assert_eq!(seen["PAN_CTX_LAST_SUCCESSFUL_RUN_STD_OUT"], first["std_out"]);
        assert_eq!(seen["PAN_CTX_LAST_SUCESSFUL_RUN_STDOUT"], first["std_out"]);
        for of in ["LAST_RUN", "LAST_SUCCESSFUL_RUN"] {
            for name in ["START_TIME", "COMPLETION_TIME"] {
                let text = seen[format!("PAN_CTX_{of}_{name}")].as_str().unwrap();
                assert!(is_time(text), "{text}");
            }
        }

        let (_, text) = run(json!("text"), "normal").await;
        assert_eq!(text["status"]["phase"], "Succeeded");
        let (seen, _) = run(Value::Null, "normal").await;
        assert_eq!(seen["PAN_CTX_LAST_SUCCESSFUL_RUN_PHASE"], "Succeeded");
        let outputs: Vec<&String> = seen.as_object().unwrap().keys().filter(|name| name.contains("OUT")).collect();
        assert!(outputs.is_empty(), "only JSON is handed on: {outputs:?}");
    }
}

both_databases! {
    async fn any_json_is_handed_on(database) {
        let server = server(database).await;
        let code = "import os\nprint(os.environ.get('PAN_CFG_LINE') or os.environ['PAN_CTX_LAST_SUCCESSFUL_RUN_STD_OUT'])";
        let files = [("PANDIUM.yaml", &*manifest("python3 main.py")), ("main.py", code)];
        let scenario = Scenario::new(&server, "any", &files, json!({})).await;
        scenario.release("v1").await;
        let tenant = scenario.tenant("t").await;
        let path = format!("/v2/tenants/{tenant}");
        let deep = "[".repeat(200) + &"]".repeat(200);
        for line in [r#"{"a":"\ud83d"}"#, &*deep, &"9".repeat(401)] {
            // The second run prints what it was given.
            for set in [json!(format!(" {line}")), Value::Null] {
                server.patch(&path, json!({"configs": {"line": set}})).await.expect(200);
                let run = scenario.run(tenant).await;
                assert_eq!(run["status"]["phase"], "Succeeded", "{}", scenario.log(&run).await);
                assert_eq!(run["std_out"], format!(" {line}"));
            }
        }
    }
}

both_databases! {
    async fn more_than_a_process_can_be_given_is_said(database) {
        let server = server(database).await;
        let default = "d".repeat(90 << 10);
        let mut text = manifest("true") + "configs:\n  schema:\n    properties:\n";
        for n in 0..10 {
            writeln!(text, "      d{n}: {{type: string, default: {default}}}").unwrap();
        }
        let scenario = Scenario::new(&server, "large", &[("PANDIUM.yaml", &text)], json!({})).await;
        scenario.release("v1").await;
        let tenant = scenario.tenant("acme").await;
        assert_eq!(scenario.run(tenant).await["status"]["phase"], "Succeeded");
        let own: serde_json::Map<_, _> = (0..11)
            .map(|n| (format!("c{n}"), json!("c".repeat((90 << 10) + n))))
            .collect();
        let path = format!("/v2/tenants/{tenant}");
        server.patch(&path, json!({"configs": own})).await.expect(200);
        let run = scenario.run(tenant).await;
        assert_eq!(run["status"]["phase"], "Failed (Integration Issue)");
        let message = run["message"].as_str().unwrap();
        assert!(message.contains("the largest are PAN_CFG_C10 (90 KiB)"), "{message}");
        assert!(scenario.log(&run).await.contains(message));
    }
}

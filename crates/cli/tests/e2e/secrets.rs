//! Secret settings: the run has them, and nobody else sees them.

use marquetry_testkit::{Scenario, both_databases};
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
      region: {type: string}
      token: {type: string, format: password}
      certificate: {type: string, format: password}
      keys: {type: array, items: {type: string}, writeOnly: true}
"#;

/// Shows its secrets in each way that it can think of, once in two pieces; its answer is the rest of
/// what it sees.
const MAIN: &str = r#"
import base64, json, os, sys, urllib.parse
token = os.environ["PAN_CFG_TOKEN"]
def say(text):
    print(text, file=sys.stderr, flush=True)
say("as it is: " + token)
say("base64: " + base64.b64encode(("user:" + token).encode()).decode())
say("address: " + urllib.parse.quote(token, safe=""))
say("json: " + json.dumps({"t": token}))
sys.stderr.write("pieces: " + token[:5]); sys.stderr.flush()
sys.stderr.write(token[5:] + "\n"); sys.stderr.flush()
for key in json.loads(os.environ["PAN_CFG_KEYS"]):
    say("key: " + key)
for line in os.environ["PAN_CFG_CERTIFICATE"].splitlines():
    say("line: " + line.strip())
say("region: " + os.environ["PAN_CFG_REGION"])
names = [n for n in os.environ if n.startswith("PAN_") and n not in ("PAN_CFG_TOKEN", "PAN_CFG_KEYS", "PAN_CFG_CERTIFICATE")]
print(json.dumps({"length": len(token), "seen": {n: os.environ[n] for n in names}}))
"#;

const CERTIFICATE: &str = "-----BEGIN KEY-----\nMIIEvQIBADAN\n  Bgkqhki/G9w0\n-----END KEY-----\n";
const TOKEN: &str = "s3cr\u{e4}t/\"word\" 17";

both_databases! {
    async fn are_masked_in_logs_and_in_the_environment_that_is_shown(database) {
        let server = server(database).await;
        let files = [("PANDIUM.yaml", MANIFEST), ("main.py", MAIN)];
        let scenario = Scenario::new(&server, "secret", &files, json!({})).await;
        scenario.release("v1").await;
        let tenant = scenario.tenant("acme").await;
        let keys = ["first-key", "second-key"];
        let configs = json!({"region": "nord", "token": TOKEN, "keys": keys, "certificate": CERTIFICATE});
        let configs = json!({"configs": configs});
        server.patch(&format!("/v2/tenants/{tenant}"), configs).await.expect(200);
        scenario.run(tenant).await;
        let path = format!("/v2/tenants/{tenant}/environment?mode=init");
        let mut shown = server.get(&path).await.expect(200);

        let trigger = server.post(&format!("/v2/tenants/{tenant}/sync?mode=init"), json!({})).await.expect(202);
        let run = scenario.end(trigger["trigger_id"].as_str().unwrap()).await;
        let answer: Value = serde_json::from_str(run["std_out"].as_str().unwrap()).unwrap();
        assert_eq!(answer["length"], TOKEN.chars().count(), "the run has it");

        let log = scenario.log(&run).await;
        for line in [
            "as it is: ********",
            "address: ********",
            r#"json: {"t": "********"}"#,
            "pieces: ********",
            "key: ********",
            "line: -----BEGIN KEY-----",
            "line: ********",
            "region: nord",
        ] {
            assert!(log.lines().any(|found| found == line), "{line} in {log}");
        }
        assert!(log.lines().any(|line| line.starts_with("base64: dXNlcjp") && line.contains("********")), "{log}");
        assert!(!log.contains("17") || !log.contains("word"), "{log}");
        assert!(!log.contains("MIIEvQ") && !log.contains("Bgkqhki"), "{log}");

        // What is shown beforehand is what the run saw, but for what only a run has.
        let shown = shown.as_object_mut().unwrap();
        assert_eq!(shown.shift_remove("PAN_CFG_TOKEN"), Some(json!("********")));
        assert_eq!(shown.shift_remove("PAN_CFG_KEYS"), Some(json!("********")));
        assert_eq!(shown.shift_remove("PAN_CFG_CERTIFICATE"), Some(json!("********")));
        assert_eq!(shown.shift_remove("PAN_CTX_RUN_TRIGGERS"), Some(json!("[]")));
        let mut seen = answer["seen"].clone();
        let seen = seen.as_object_mut().unwrap();
        for only in ["PAN_CTX_RUN_ID", "PAN_CTX_RUN_TRIGGERS"] {
            assert!(seen.shift_remove(only).is_some(), "{only}");
        }
        assert_eq!(json!(shown), json!(seen));
        let normal = server.get(&format!("/v2/tenants/{tenant}/environment")).await.expect(200);
        assert_eq!(normal["PAN_CTX_RUN_MODE"], "normal");
    }
}

both_databases! {
    async fn a_tenant_without_a_release_has_no_environment(database) {
        let server = server(database).await;
        let files = [("PANDIUM.yaml", MANIFEST), ("main.py", MAIN)];
        let scenario = Scenario::new(&server, "empty", &files, json!({})).await;
        let tenant = scenario.tenant("acme").await;
        let path = format!("/v2/tenants/{tenant}/environment");
        let answer = server.get(&path).await.expect(404);
        assert!(answer["message"].as_str().unwrap().contains("release"), "{answer}");
    }
}

both_databases! {
    async fn what_a_build_left_in_its_artifact_is_masked_in_runs(database) {
        let server = server(database).await;
        let manifest = json!({
            "version": "1.0", "base": "python",
            "build": "printf '%s' \"$LICENCE\" > licence",
            "run": "cat licence >&2; echo \"{\\\"bytes\\\": $(wc -c < licence)}\"",
        });
        let files = [("PANDIUM.yaml", manifest.to_string())];
        let files = files.each_ref().map(|(name, text)| (*name, text.as_str()));
        let hidden = json!({"build_env": {"LICENCE": "licence-5e1d77c0"}});
        let scenario = Scenario::new(&server, "left", &files, hidden).await;
        scenario.release("v1").await;
        let tenant = scenario.tenant("acme").await;
        let run = scenario.run(tenant).await;
        assert_eq!(run["std_out"], "{\"bytes\": 16}");
        let log = scenario.log(&run).await;
        assert!(log.contains("********") && !log.contains("5e1d77c0"), "{log}");
        let none = json!({"build_env": null});
        let path = format!("/v2/integrations/{}", scenario.integration);
        server.patch(&path, none).await.expect(200);
        let forgotten = scenario.log(&scenario.run(tenant).await).await;
        assert!(forgotten.contains("licence-5e1d77c0"), "nobody knows it any more: {forgotten}");
    }
}

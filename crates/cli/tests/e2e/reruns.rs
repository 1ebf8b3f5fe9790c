//! Runs that are repeated, in a real sandbox: what the code sees of the first one.

use marquetry_testkit::{Scenario, both_databases, manifest};
use serde_json::{Value, json};

use crate::server;

/// Counts on from its state, and says what it was given.
const CODE: &str = r#"
import json, os
state = json.loads(os.environ.get("PAN_CTX_LAST_SUCCESSFUL_RUN_STD_OUT", "{}"))
bodies = [json.load(open(t["payload"]["file"])) for t in json.loads(os.environ["PAN_CTX_RUN_TRIGGERS"])]
print(json.dumps({"count": state.get("count", 0) + 1, "word": os.environ.get("PAN_CFG_WORD"), "bodies": bodies}))
"#;

both_databases! {
    async fn the_code_sees_the_first_run_again(database) {
        let mut server = server(database).await;
        let tenant;
        let path;
        {
            let files = [("PANDIUM.yaml", &*manifest("python3 main.py")), ("main.py", CODE)];
            let scenario = Scenario::new(&server, "again", &files, json!({})).await;
            scenario.release("v1").await;
            tenant = scenario.tenant("t").await;
            path = format!("/v2/tenants/{tenant}");
            let sync = async |word: &str, body: Value| {
                server.patch(&path, json!({"configs": {"word": word}})).await.expect(200);
                let accepted = server.post(&format!("{path}/sync?mode=normal"), body).await.expect(202);
                scenario.end(accepted["trigger_id"].as_str().unwrap()).await
            };
            let first = sync("one", json!({"order": 1})).await;
            let second = sync("two", json!({"order": 2})).await;
            assert_eq!(printed(&second), json!({"count": 2, "word": "two", "bodies": [{"order": 2}]}));

            let again = async |of: &Value, how: Value| {
                let path = format!("/v2/runs/{}/rerun", of["id"]);
                let accepted = server.post(&path, how).await.expect(202);
                scenario.end(accepted["trigger_id"].as_str().unwrap()).await
            };
            let original = again(&first, json!({})).await;
            assert_eq!(original["rerun_of"], first["id"]);
            assert_eq!(printed(&original), json!({"count": 1, "word": "one", "bodies": [{"order": 1}]}));
            let own = json!({"configs": {"word": "mine"}, "std_out": {"count": 40}, "save": true});
            let saved = again(&first, own).await;
            assert_eq!(printed(&saved), json!({"count": 41, "word": "mine", "bodies": [{"order": 1}]}));
            let third = sync("three", json!({"order": 3})).await;
            assert_eq!(printed(&third)["count"], 42, "the saved one is the state, the other is not");

            let state = json!({"std_out": {"count": 7}});
            server.call(reqwest::Method::PUT, &format!("{path}/state"), Some(state)).await.expect(200);
        }
        // What was set waits for the next run, whenever that is.
        server.kill();
        server.restart();
        let accepted = server.post(&format!("{path}/sync?mode=normal"), json!({"order": 4})).await.expect(202);
        let status = format!("/v2/runs/triggers/{}/status?wait=30", accepted["trigger_id"].as_str().unwrap());
        assert_eq!(server.get(&status).await.expect(200)["status"], "Succeeded");
        let runs = server.get(&format!("{path}/runs?limit=1")).await.expect(200);
        assert_eq!(printed(&runs[0])["count"], 8);
    }
}

fn printed(run: &Value) -> Value {
    serde_json::from_str(run["std_out"].as_str().unwrap()).unwrap()
}

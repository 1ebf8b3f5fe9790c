//! From a repository to a log one can read, and on through new commits.

use marquetry_testkit::{Scenario, both_databases, eventually, manifest};
use serde_json::json;

use crate::server;

const COUNTER: &str = r#"
import json, os, sys
state = json.loads(os.environ.get("PAN_CTX_LAST_SUCCESSFUL_RUN_STD_OUT", "{}"))
count = state.get("count", 0) + 1
print("version one", count, file=sys.stderr)
print("a banner that does not count")
print(json.dumps({"count": count}))
print("   ")
"#;

both_databases! {
    async fn state_is_carried_and_new_code_is_taken(database) {
        let server = server(database).await;
        let files = [("PANDIUM.yaml", &*manifest("python3 main.py")), ("main.py", COUNTER)];
        let scenario = Scenario::new(&server, "walk", &files, json!({})).await;
        let build = scenario.release("v1").await;
        assert_eq!(build["release_ids"].as_array().unwrap().len(), 1, "{build}");
        let tenant = scenario.tenant("acme").await;

        let first = scenario.run(tenant).await;
        assert_eq!(first["status"]["phase"], "Succeeded", "{first}");
        assert_eq!(first["std_out"], r#"{"count": 1}"#);
        let second = scenario.run(tenant).await;
        assert_eq!(second["std_out"], r#"{"count": 2}"#);
        let log = scenario.log(&second).await;
        assert!(log.contains("version one 2\n"), "{log}");
        assert!(log.starts_with("[marquetry] run "), "{log}");
        assert!(!log.contains("a banner"), "stdout is no part of the log: {log}");

        scenario.repository.commit(&[("main.py", &COUNTER.replace("one", "two"))]);
        scenario.release("v2").await;
        let third = scenario.run(tenant).await;
        assert_eq!(third["std_out"], r#"{"count": 3}"#);
        assert!(scenario.log(&third).await.contains("version two 3"));
        assert_ne!(third["release_id"], second["release_id"]);

        let broken = "version: 0.4\nbase: python:3.11\nbuild: 'exit 7'\nrun: 'true'\n";
        scenario.repository.commit(&[("PANDIUM.yaml", broken)]);
        let failed = scenario.build("v3").await;
        assert_eq!(failed["status"], "Failed", "{failed}");
        assert!(failed["message"].as_str().unwrap().contains("exit code 7"), "{failed}");
        let fourth = scenario.run(tenant).await;
        assert_eq!(fourth["release_id"], third["release_id"]);
        assert_eq!(fourth["std_out"], r#"{"count": 4}"#);
    }
}

both_databases! {
    async fn a_wrong_manifest_names_file_line_and_key(database) {
        let server = server(database).await;
        let wrong = "version: 0.4\nbase: cobol:85\nbuild: 'true'\n";
        let scenario = Scenario::new(&server, "wrong", &[("PANDIUM.yaml", wrong)], json!({})).await;
        let build = scenario.build("v1").await;
        assert_eq!(build["status"], "Failed");
        let message = build["message"].as_str().unwrap();
        assert!(message.contains("PANDIUM.yaml:2:"), "{message}");
        assert_eq!(build["commit"].as_str().map(str::len), Some(40), "known before it failed: {build}");
        assert!(message.contains("base") && message.contains("run"), "{message}");
        let path = format!("/v2/integrations/{}/releases", scenario.integration);
        assert_eq!(server.get(&path).await.expect(200), json!([]));
    }
}

both_databases! {
    async fn a_tag_a_branch_and_a_folder(database) {
        let server = server(database).await;
        let code = |word: &str| format!("print('\"{word}\"')");
        let place = "apps/one/PANDIUM.yaml";
        let first = code("tagged");
        let files = [(place, &*manifest("python3 main.py")), ("apps/one/main.py", first.as_str())];
        let settings = json!({"repository_path": "apps/one"});
        let scenario = Scenario::new(&server, "places", &files, settings).await;
        scenario.repository.git(&["tag", "v1"]);
        scenario.repository.commit(&[("apps/one/main.py", &code("main"))]);
        scenario.repository.git(&["checkout", "-q", "-b", "feature"]);
        scenario.repository.commit(&[("apps/one/main.py", &code("feature"))]);
        scenario.repository.git(&["checkout", "-q", "main"]);

        let tagged = scenario.release("v1").await;
        let tenant = scenario.tenant("t").await;
        assert_eq!(scenario.run(tenant).await["std_out"], r#""tagged""#);
        scenario.release("head").await;
        assert_eq!(scenario.run(tenant).await["std_out"], r#""main""#);

        let body = json!({"integration_id": scenario.integration, "tag": "f", "branch": "feature"});
        let build = server.post("/v2/sourcecontrol/build", body).await.expect(201);
        let build = scenario.build_end(build["id"].as_i64().unwrap()).await;
        assert_eq!(build["status"], "Succeeded", "{build}");
        assert_eq!(scenario.run(tenant).await["std_out"], r#""main""#, "a feature branch is not Latest");

        let fixed = json!({"integration_release_id": tagged["release_ids"][0]});
        server.patch(&format!("/v2/tenants/{tenant}"), fixed).await.expect(200);
        assert_eq!(scenario.run(tenant).await["std_out"], r#""tagged""#);
    }
}

both_databases! {
    /// By the machine's own clock, which takes up to a minute.
    #[ignore = "waits for the next minute"]
    async fn a_schedule_runs_by_itself(database) {
        let server = server(database).await;
        let files = [("PANDIUM.yaml", &*manifest("printenv PAN_CTX_RUN_TRIGGERS"))];
        let scenario = Scenario::new(&server, "by-itself", &files, json!({})).await;
        scenario.release("v1").await;
        let tenant = scenario.tenant("acme").await;
        let path = format!("/v2/tenants/{tenant}");
        let body = json!({"user_schedule": "* * * * *", "paused": false});
        server.patch(&path, body).await.expect(200);
        let run = eventually("the schedule has run", || async {
            let runs = server.get(&format!("{path}/runs")).await.expect(200);
            let run = runs[0].clone();
            (run["status"]["phase"] == "Succeeded").then_some(run)
        })
        .await;
        assert_eq!(run["triggers"][0]["source"], "cron");
    }
}

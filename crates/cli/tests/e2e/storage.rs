//! Artifacts, logs and payloads in a bucket instead of a folder.

use marquetry_testkit::{
    Database, Gate, Scenario, TestServer, both_databases, eventually, manifest,
};
use serde_json::{Value, json};

use crate::options;

/// Where `./test` started an S3 server, if it did.
#[expect(clippy::disallowed_methods, reason = "what ./test exports")]
fn endpoint() -> Option<String> {
    std::env::var("MARQUETRY_TEST_S3").ok()
}

/// A server with its blobs in a bucket of its own, which it reaches by this address.
async fn with_bucket(database: Database, name: &str, endpoint: &str, by: &str) -> TestServer {
    let bucket = format!("e2e-{name}-{}-{database:?}", std::process::id()).to_lowercase();
    let made = reqwest::Client::builder().no_proxy().build().unwrap();
    let made = made.put(format!("{endpoint}/{bucket}")).send().await;
    made.unwrap().error_for_status().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let settings = folder.path().join("marquetry.toml");
    let text = format!(
        "blobs = \"s3://{bucket}/data\"\n[s3]\nendpoint = \"{by}\"\nregion = \"us-east-1\"\naccess_key = \"a\"\nsecret = \"b\"\nallow_http = true\n"
    );
    std::fs::write(&settings, text).unwrap();
    let options = options(database).with("--config");
    TestServer::start(options.with(settings.to_str().unwrap())).await
}

both_databases! {
    async fn a_bucket_holds_what_a_folder_would(database) {
        let Some(endpoint) = endpoint() else {
            // A bare `cargo test` has no S3 server; ./test always has.
            return;
        };
        let server = with_bucket(database, "whole", &endpoint, &endpoint).await;
        let code = "import os, json, sys\nt = json.load(open(os.environ['PAN_CTX_RUN_TRIGGERS_FILE']))\nprint('line\\n' * 4000, file=sys.stderr)\nprint(os.path.getsize(t[0]['payload']['file']))";
        let files = [("PANDIUM.yaml", &*manifest("python3 main.py")), ("main.py", code)];
        let scenario = Scenario::new(&server, "bucket", &files, json!({})).await;
        scenario.release("v1").await;
        let tenant = scenario.tenant("t").await;
        let payload = json!({"long": "x".repeat(50_000)});
        let size = payload.to_string().len();
        let path = format!("/v2/tenants/{tenant}/sync?mode=normal");
        let answer = server.post(&path, payload).await.expect(202);
        let run = scenario.end(answer["trigger_id"].as_str().unwrap()).await;
        assert_eq!(run["std_out"], Value::from(size.to_string()), "{run}");
        let log = scenario.log(&run).await;
        assert_eq!(log.matches("line\n").count(), 4000);
        assert!(!server.data_dir.path().join("blobs").exists(), "nothing lies in the folder");
    }
}

both_databases! {
    async fn a_bucket_that_is_away_is_told_and_loses_nothing(database) {
        let Some(endpoint) = endpoint() else {
            return;
        };
        let to = endpoint.trim_start_matches("http://").trim_end_matches('/');
        let gate = Gate::open(to.parse().unwrap());
        let by = format!("http://{}", gate.address);
        let server = with_bucket(database, "away", &endpoint, &by).await;
        // A log so long is moved to the bucket when the run is over.
        let code = "import sys, time\nfor n in range(6000): print(f'part {n} ' + 'x' * 90, file=sys.stderr)\nsys.stderr.flush()\ntime.sleep(2)";
        let files = [("PANDIUM.yaml", &*manifest("python3 main.py")), ("main.py", code)];
        let scenario = Scenario::new(&server, "away", &files, json!({})).await;
        scenario.release("v1").await;
        let tenant = scenario.tenant("t").await;
        let small = scenario.sync(tenant).await;
        server.live_run(tenant, "part 3").await;
        gate.close();
        let path = format!("/v2/tenants/{tenant}/sync?mode=normal");
        let large = json!({"long": "x".repeat(50_000)});
        let refused = server.post(&path, large.clone()).await;
        assert_eq!(refused.status, 503, "{refused:?}");
        assert!(refused.headers.contains_key("retry-after"), "{refused:?}");
        let meanwhile = scenario.sync(tenant).await;
        for trigger in [&small, &meanwhile] {
            let run = scenario.end(trigger).await;
            assert_eq!(run["status"]["phase"], "Succeeded", "{run}");
            let log = server.run_log(&run).await;
            assert_eq!(log.lines().filter(|line| line.starts_with("part ")).count(), 6000);
        }
        gate.reopen();
        let taken = eventually("it takes large payloads again", async || {
            let answer = server.post(&path, large.clone()).await;
            (answer.status == 202).then(|| answer.json()["trigger_id"].clone())
        })
        .await;
        let run = scenario.end(taken.as_str().unwrap()).await;
        assert_eq!(run["status"]["phase"], "Succeeded", "{run}");
    }
}

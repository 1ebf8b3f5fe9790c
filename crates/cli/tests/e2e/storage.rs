//! Artifacts, logs and payloads in a bucket instead of a folder.

use marquetry_testkit::{Scenario, TestServer, both_databases, manifest};
use serde_json::{Value, json};

use crate::options;

/// Where `./test` started an S3 server, if it did.
#[expect(clippy::disallowed_methods, reason = "what ./test exports")]
fn endpoint() -> Option<String> {
    std::env::var("MARQUETRY_TEST_S3").ok()
}

both_databases! {
    async fn a_bucket_holds_what_a_folder_would(database) {
        let Some(endpoint) = endpoint() else {
            // A bare `cargo test` has no S3 server; ./test always has.
            return;
        };
        let bucket = format!("e2e-{}-{database:?}", std::process::id()).to_lowercase();
        let made = reqwest::Client::builder().no_proxy().build().unwrap();
        made.put(format!("{endpoint}/{bucket}")).send().await.unwrap().error_for_status().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let settings = folder.path().join("marquetry.toml");
        let text = format!("blobs = \"s3://{bucket}/data\"\n[s3]\nendpoint = \"{endpoint}\"\nregion = \"us-east-1\"\naccess_key = \"a\"\nsecret = \"b\"\nallow_http = true\n");
        std::fs::write(&settings, text).unwrap();
        let options = options(database).with("--config").with(settings.to_str().unwrap());
        let server = TestServer::start(options).await;
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

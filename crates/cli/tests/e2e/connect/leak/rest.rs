//! What else is done: settings, runs, a private repository, requests with keys, routes that show, and commands.

use marquetry_testkit::TestServer;
use reqwest::Method;
use serde_json::{Value, json};

use super::ground::Ground;
use crate::command_line::marquetry;

/// Settings of the tenant, secret and open, and runs with them.
pub(super) async fn settings_and_runs(ground: &Ground, server: &TestServer) {
    let marks = &ground.marks;
    ground
        .configure(
            server,
            json!({
                "region": marks.open, "token": marks.secret("token"), "certificate": marks.key(),
                "keys": [marks.secret("key"), marks.plain("key")],
            }),
        )
        .await;
    let metadata = json!({"open": marks.open});
    server
        .patch(&format!("/v2/tenants/{}/metadata", ground.tenant), metadata)
        .await;
    let run = ground.runs_well(server).await;
    let names = run["std_out"].as_str().unwrap();
    for name in [
        "CONSENT_ACCESS_TOKEN",
        "KEY_LOUD",
        "ACCOUNT_FILE",
        "CERTIFICATE_PRIVATE_KEY",
        "SHARED_API_KEY",
        "MACHINE_ACCESS_TOKEN",
    ] {
        assert!(names.contains(name), "{name}: {names}");
    }
    let failed = ground.begin(server, "init").await;
    let failed = ground.end(server, &failed).await;
    assert_eq!(
        failed["status"]["phase"], "Failed (Integration Issue)",
        "{failed}"
    );
    for (run, how) in [
        (&run, json!({})),
        (&run, json!({"configs": {"region": "own"}})),
        (&failed, json!({})),
    ] {
        let again = server
            .post(&format!("/v2/runs/{}/rerun", run["id"]), how)
            .await
            .expect(202);
        ground
            .end(server, again["trigger_id"].as_str().unwrap())
            .await;
    }
}

/// A repository that wants a credential, and cannot be reached.
pub(super) async fn private_repository(ground: &Ground, server: &TestServer) {
    let marks = &ground.marks;
    let body = json!({
        "name": "private", "long_name": "private", "repository_url": "https://127.0.0.1:1/private.git",
        "repository_credential": {"username": "robot", "token": marks.secret("repository")},
        "build_env": {"LICENCE": marks.secret("licence"), "KEY": marks.key()},
    });
    let made = server.post("/v2/integrations", body).await.expect(201);
    let build = json!({"integration_id": made["id"], "tag": "v1"});
    let build = server
        .post("/v2/sourcecontrol/build", build)
        .await
        .expect(201);
    assert_eq!(
        server.build_end(build["id"].as_i64().unwrap()).await["status"],
        "Failed"
    );
}

/// Requests that are repeated with an idempotency key.
pub(super) async fn repeated(ground: &Ground, server: &TestServer) {
    let connect = ground.of_tenant("key", "connect");
    let credentials = ground.of_tenant("key", "credentials");
    let values = json!({"values": {"account": "x", "api_key": ground.marks.plain("repeated")}});
    let sync = format!("/v2/tenants/{}/sync?mode=normal", ground.tenant);
    for (method, path, body) in [
        (Method::POST, &connect, json!({"link": true})),
        (Method::PUT, &credentials, values),
        (Method::POST, &sync, json!({"open": ground.marks.open})),
    ] {
        for _ in 0..2 {
            let request = server.request(method.clone(), path).json(&body);
            let answer = ground
                .send(request.header("Idempotency-Key", "once"), server)
                .await;
            let answer: Value = serde_json::from_str(&answer.text).unwrap_or_default();
            if let Some(url) = answer["url"].as_str() {
                ground.marks.link(url);
            }
        }
    }
}

/// Every route that shows something, with everything that is there.
pub(super) async fn shown(ground: &Ground, server: &TestServer) {
    let document = server.get("/openapi.json").await.expect(200);
    let ids = async |path: &str, name: &str| {
        let all = server.get(path).await.expect(200);
        let ids = all.as_array().unwrap().iter();
        ids.map(|it| it[name].to_string().trim_matches('"').to_owned())
            .collect::<Vec<_>>()
    };
    let runs = server.get("/v2/runs?limit=500").await.expect(200);
    for run in runs.as_array().unwrap() {
        server.run_log(run).await;
    }
    let triggers = runs.as_array().unwrap().iter();
    let triggers = triggers.flat_map(|run| run["triggers"].as_array().unwrap());
    let triggers: Vec<String> = triggers.map(|it| it["id"].to_string()).collect();
    let releases = format!("/v2/integrations/{}/releases", ground.integration);
    let connectors: Vec<String> = ["consent", "key", "account", "certificate", "shared"]
        .map(str::to_owned)
        .into();
    let known = [
        ("integration_id", ids("/v2/integrations", "id").await),
        ("release_id", ids(&releases, "id").await),
        ("tenant_id", ids("/v2/tenants", "id").await),
        ("build_id", ids("/v2/builds", "id").await),
        ("run_id", ids("/v2/runs?limit=500", "id").await),
        ("trigger_id", triggers),
        ("connector_name", connectors),
    ];
    let mut count = 0;
    for (template, operations) in document["paths"].as_object().unwrap() {
        // A signed address is followed with each run's log.
        if operations.get("get").is_none() || template.starts_with("/logs/") {
            continue;
        }
        let mut paths = vec![template.clone()];
        for (name, values) in &known {
            let place = format!("{{{name}}}");
            paths = paths
                .iter()
                .flat_map(|path| {
                    let one = std::slice::from_ref(path);
                    let filled: Vec<String> = values
                        .iter()
                        .map(|value| path.replace(&place, value))
                        .collect();
                    if path.contains(&place) {
                        filled
                    } else {
                        one.to_vec()
                    }
                })
                .collect();
        }
        for path in paths {
            assert!(
                !path.contains('{'),
                "{path} has a parameter of which nothing is known"
            );
            let answer = server.get(&path).await;
            assert!(answer.status < 500, "{path}: {answer:?}");
            count += 1;
        }
    }
    assert!(count > 100, "{count}");
}

/// The keys are exchanged.
pub(super) async fn keys_rotated(server: &TestServer) {
    let rotate = "/v2/settings/vault/rotate";
    let done = server
        .post(rotate, json!({"what": "master_key"}))
        .await
        .expect(200);
    assert!(done["keys"].as_i64().unwrap() > 0, "{done}");
    server
        .post(rotate, json!({"what": "data_keys"}))
        .await
        .expect(200);
}

/// The commands of the client that show something.
pub(super) fn commands(ground: &Ground, server: &TestServer) {
    let tenant = ground.tenant.to_string();
    let integration = ground.integration.to_string();
    for arguments in [
        &["tenants", "list"][..],
        &["tenants", "get", &tenant],
        &["integrations", "list"],
        &["integrations", "get", &integration],
        &["integrations", "get", "private"],
        &["builds", "list"],
        &["builds", "log", "1"],
        &["releases", "list", "shop"],
        &["runs", "list"],
        &["runs", "get", "1"],
        &["logs", "1"],
        &["explain", &tenant],
        &["keys", "list"],
        &["keys", "vault"],
        &["nodes"],
        &["version"],
        &["tenants", "update", &tenant, "--configs", "{\"token\": 1}"],
    ] {
        for json in [false, true] {
            let arguments: Vec<&str> = arguments
                .iter()
                .copied()
                .chain(json.then_some("--json"))
                .collect();
            let output = marquetry(server, &arguments);
            ground.keep(&String::from_utf8_lossy(&output.stdout));
            ground.keep(&String::from_utf8_lossy(&output.stderr));
        }
    }
    let folder = server.data_dir.path().display().to_string();
    let output = marquetry(server, &["doctor", "--data-dir", &folder]);
    ground.keep(&String::from_utf8_lossy(&output.stdout));
    ground.keep(&String::from_utf8_lossy(&output.stderr));
}

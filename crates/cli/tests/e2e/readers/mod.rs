//! Integrations in the manner of those that were written elsewhere for this runtime: each language
//! has its own way to read `PAN_*`, and none may have to change.

mod compiled;
mod scripts;

use marquetry_testkit::{
    Database, Repository, Scenario, TestServer, both_databases, eventually, skipped,
};
use serde_json::{Value, json};

use crate::options;
use crate::toolchains::{is_there, sysroot};

/// A folder of a repository, with what its program must print for the settings below.
struct Manner {
    /// Also the folder.
    name: &'static str,
    /// Without these on the machine the manner cannot be tried.
    programs: &'static [&'static str],
    manifest: &'static str,
    files: &'static [(&'static str, &'static str)],
}

/// The settings of every tenant.
fn configs() -> Value {
    json!({"bool_input": true, "off_input": false, "text_input": "two\nlines", "count": -3, "list": ["a", "b"]})
}

/// What every program finds in them, and in the context.
fn expected(name: &str, mode: &str) -> Value {
    json!({
        "bool": true, "off": false, "count": -3, "list": ["a", "b"], "fallback": "grey",
        "unset": null, "mode": mode, "tenant": name, "payload": {"order": 7}, "header": "Nord", "seen": 0,
    })
}

both_databases! {
    async fn scripts_read_the_environment(database) {
        all(database, &scripts::MANNERS).await;
    }
}

both_databases! {
    async fn compiled_programs_read_the_environment(database) {
        all(database, &compiled::MANNERS).await;
    }
}

/// Tries those whose programs are here; `./test` lists the others.
async fn all(database: Database, manners: &[Manner]) {
    let toolchains = sysroot().and_then(|sysroot| Some(sysroot.parent()?.to_owned()));
    let mut options = options(database);
    if let Some(folder) = &toolchains {
        let folder = folder.display().to_string();
        options = options.with("--toolchain-path").with(&folder);
    }
    let server = TestServer::start(options).await;
    let here = |name: &str| is_there(name) || name == "cargo" && toolchains.is_some();
    for manner in manners {
        match manner.programs.iter().find(|name| !here(name)) {
            None => reads(&server, manner).await,
            Some(missing) => {
                skipped(&format!(
                    "a reader in the manner of {}: {missing} is not on this machine",
                    manner.name
                ));
            }
        }
    }
}

/// Two runs of one tenant, the second of which sees the output of the first.
async fn reads(server: &TestServer, manner: &Manner) {
    let place = format!("{}/src/PANDIUM.yaml", manner.name);
    let folder = server
        .data_dir
        .path()
        .join("repositories")
        .join(manner.name);
    let repository = Repository::create(&folder);
    repository.commit(&[(&*place, manner.manifest)]);
    for (file, text) in manner.files {
        let file = format!("{}/src/{file}", manner.name);
        repository.commit(&[(&*file, text)]);
    }
    let body = json!({
        "name": manner.name, "long_name": manner.name, "repository_url": folder,
        // A folder is as good as the file in it.
        "repository_path": format!("{}/src", manner.name),
    });
    let made = server.post("/v2/integrations", body).await.expect(201);
    let integration = made["id"].as_i64().unwrap();
    let scenario = Scenario {
        server,
        repository,
        integration,
    };
    scenario.release("v1").await;
    let tenant = scenario.tenant(manner.name).await;
    let body = json!({"configs": configs()});
    server
        .patch(&format!("/v2/tenants/{tenant}"), body)
        .await
        .expect(200);
    for (seen, mode) in [(0, "normal"), (1, "init")] {
        let path = format!("/v2/tenants/{tenant}/sync?mode={mode}");
        let request = server.request(reqwest::Method::POST, &path);
        let request = request
            .header("X-API-KEY", server.key())
            .header("X-Shop", "Nord");
        let request = request
            .header("content-type", "application/json")
            .body(r#"{"order":7}"#);
        let accepted = TestServer::answer(request).await.expect(202);
        let run = scenario.end(accepted["trigger_id"].as_str().unwrap()).await;
        let log = scenario.log(&run).await;
        assert_eq!(
            run["status"]["phase"], "Succeeded",
            "{}: {log}",
            manner.name
        );
        let output: Value = serde_json::from_str(run["std_out"].as_str().unwrap()).unwrap();
        let mut expected = expected(manner.name, mode);
        expected["seen"] = seen.into();
        assert_eq!(output, expected, "{}: {log}", manner.name);
    }
    let path = format!("/v2/tenants/{tenant}");
    eventually("the tenant shows its last run", || async {
        let tenant = server.get(&path).await.expect(200);
        (tenant["status"]["last_run"]["mode"] == "init").then_some(())
    })
    .await;
}

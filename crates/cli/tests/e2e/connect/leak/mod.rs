//! No secret of a customer, of a connector or of a repository lies open anywhere: everything is done with secrets that
//! can be recognised, and then every place is searched.
//!
//! Absent on purpose: the memory of the server and of runs, which have them, and what a run writes to its standard
//! output. Runs that break a secret with characters of their own, as two halves on two lines, cannot be helped.

mod acts;
mod code;
mod ground;
mod marks;
mod rest;
mod search;

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use marquetry_testkit::{Database, TestServer, both_databases};
use reqwest::Method;
use serde_json::json;

use self::ground::Ground;
use self::search::{Found, find};
use crate::options;

/// Writes a new master key to a file; answers its text.
fn master_key(file: &Path) -> String {
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes).unwrap();
    let text = STANDARD.encode(bytes);
    std::fs::write(file, &text).unwrap();
    text
}

/// What stands open on purpose is found in every kind of place: a search that finds nothing would pass otherwise.
async fn the_search_finds(ground: &Ground, server: &TestServer, database: Database) {
    let seen = ground.seen(server);
    let found = find(server, &seen, std::slice::from_ref(&ground.marks.open)).await;
    let has = |place: &str| {
        assert!(
            found.keys().any(|it| it.contains(place)),
            "{place}: {found:?}"
        );
    };
    for place in ["answers", "pages", "rows", "said", "unpacked-"] {
        has(place);
    }
    if database == Database::Sqlite {
        has(".db");
    }
    let said = find(server, &[], &["listening on".to_owned()]).await;
    assert!(said.contains_key("log"), "{said:?}");
    assert!(
        server.log().contains("TRACE"),
        "the log says all that it can"
    );
    // All forms in which a run has said it, for the run says what is open as it says its secrets.
    let forms: Vec<&String> = found.values().flatten().collect();
    for form in ["%22", "%C3", "\\\"", "\\u00e4", "22c3a4", "22C3A4"] {
        assert!(
            forms.iter().any(|it| it.contains(form)),
            "{form}: {forms:?}"
        );
    }
    assert!(forms.len() > 12, "{forms:?}");
}

async fn nothing_is_found(ground: &Ground, server: &TestServer, keys: &[String]) {
    let found = find(server, &ground.seen(server), &ground.sought()).await;
    assert_eq!(found, Found::new(), "secrets");
    // What opens something is shown to who asked for it, and kept nowhere.
    let mut keys = keys.to_vec();
    keys.extend(ground.marks.links());
    keys.push(server.key().to_owned());
    let mut found = find(server, &[], &keys).await;
    // The owner's first key, which is there to be read.
    found.remove("api-key");
    assert_eq!(found, Found::new(), "keys and links");
}

/// A crash of the server writes no image of its memory.
fn no_core_file(server: &TestServer) {
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.pid())).unwrap();
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"));
    let words: Vec<&str> = core.unwrap().split_whitespace().collect();
    assert_eq!(words[4..6], ["0", "0"], "{limits}");
}

both_databases! {
    async fn no_secret_is_open_anywhere(database) {
        let folder = tempfile::tempdir().unwrap();
        let (new, old) = (folder.path().join("new"), folder.path().join("old"));
        let mut keys = vec![master_key(&new), master_key(&old)];
        let mut options = options(database).with("--outbound-allow=127.0.0.0/8").with("--log=trace");
        for (flag, file) in [("--master-key-file", &new), ("--other-master-key-file", &old)] {
            options = options.with(flag).with(&file.display().to_string());
        }
        let mut server = TestServer::start(options).await;
        no_core_file(&server);
        let ground = Ground::new(&server).await;
        acts::entered(&ground, &server).await;
        acts::consented(&ground, &server).await;
        acts::refused(&ground, &server).await;
        rest::settings_and_runs(&ground, &server).await;
        acts::renewed(&ground, &server).await;
        rest::private_repository(&ground, &server).await;
        rest::repeated(&ground, &server).await;
        the_search_finds(&ground, &server, database).await;
        nothing_is_found(&ground, &server, &keys).await;

        // The server goes away in the middle of a secret, and the run goes on with its next life.
        ground.configure(&server, json!({"pause": "6"})).await;
        let trigger = ground.begin(&server, "normal").await;
        server.live_run(ground.tenant, "here it waits").await;
        server.kill_alone();
        nothing_is_found(&ground, &server, &keys).await;
        server.restart();
        no_core_file(&server);
        let run = ground.end(&server, &trigger).await;
        assert_eq!(run["status"]["phase"], "Succeeded", "{run}");
        // Then all of it goes away at once.
        ground.configure(&server, json!({"pause": "60"})).await;
        ground.begin(&server, "normal").await;
        server.live_run(ground.tenant, "here it waits").await;
        server.kill();
        nothing_is_found(&ground, &server, &keys).await;

        // The next start has another master key.
        std::fs::copy(&new, &old).unwrap();
        keys.push(master_key(&new));
        server.restart();
        ground.configure(&server, json!({"pause": "0"})).await;
        rest::keys_rotated(&server).await;
        ground.runs_well(&server).await;
        rest::commands(&ground, &server);
        rest::shown(&ground, &server).await;
        nothing_is_found(&ground, &server, &keys).await;
        for path in [format!("/v2/tenants/{}", ground.tenant), format!("/v2/integrations/{}", ground.integration)] {
            server.call(Method::DELETE, &path, None).await;
        }
        server.stop();
        nothing_is_found(&ground, &server, &keys).await;
    }
}

//! Builds that nobody asks for: after a push, and after a look at the branch.

use std::fmt::Write as _;

use aws_lc_rs::hmac;
use marquetry_testkit::{
    Answer, Scenario, TestServer, both_databases, eventually, manifest, never_within,
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{options, server};

pub(crate) async fn hook(scenario: &Scenario<'_>) -> (String, String) {
    let path = format!("/v2/integrations/{}", scenario.integration);
    let found = scenario.server.get(&path).await.expect(200);
    let text = |name: &str| found["push_hook"][name].as_str().unwrap().to_owned();
    (text("url"), text("secret"))
}

pub(crate) async fn push(
    server: &TestServer,
    (url, secret): &(String, String),
    body: &Value,
) -> Answer {
    let body = body.to_string();
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, body.as_bytes());
    let hex = tag.as_ref().iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    });
    let request = server.request(Method::POST, url);
    let request = request.header("X-GitHub-Event", "push");
    let request = request.header("X-Hub-Signature-256", format!("sha256={hex}"));
    TestServer::answer(request.body(body)).await
}

async fn builds(scenario: &Scenario<'_>) -> Vec<Value> {
    let path = format!("/v2/builds?integration_id={}", scenario.integration);
    let found = scenario.server.get(&path).await.expect(200);
    found.as_array().unwrap().clone()
}

both_databases! {
    async fn a_push_makes_a_release_of_its_commit(database) {
        let mut server = server(database).await;
        let files = [("PANDIUM.yaml", &*manifest("cat word")), ("word", "one")];
        {
            let scenario = Scenario::new(&server, "pushed", &files, json!({})).await;
            let hook = hook(&scenario).await;
            let slow = "version: 0.4\nbase: python:3.11\nbuild: 'echo begun; sleep 2'\nrun: cat word\n";
            let commit = scenario.repository.commit(&[("word", "two"), ("PANDIUM.yaml", slow)]);
            let body = json!({"ref": "refs/heads/main", "after": commit});
            let first = push(&server, &hook, &body).await.expect(202)["build"]["id"].as_i64().unwrap();
            eventually("the first build is at work", || async {
                let log = server.get(&format!("/v2/builds/{first}/log")).await.text;
                log.contains("begun\n").then_some(())
            })
            .await;
            // The next one comes while that is under way; the newest commit must win.
            let newest = scenario.repository.commit(&[("word", "three"), files[0]]);
            let body = json!({"ref": "refs/heads/main", "after": newest});
            let second = push(&server, &hook, &body).await.expect(202)["build"]["id"].as_i64().unwrap();
            assert_ne!(first, second);
            let first = scenario.build_end(first).await;
            let second = scenario.build_end(second).await;
            for (build, commit) in [(&first, &commit), (&second, &newest)] {
                assert_eq!(build["status"], "Succeeded", "{build}");
                assert_eq!((&build["commit"], &build["tag"]), (&json!(commit), &json!(commit[..7])));
            }
            let path = format!("/v2/integrations/{}/releases/latest", scenario.integration);
            let latest = server.get(&path).await.expect(200);
            assert_eq!(latest["tag"], newest[..7], "{latest}");
            let tenant = scenario.tenant("t").await;
            assert_eq!(scenario.run(tenant).await["std_out"], "three");
            let other = json!({"ref": "refs/heads/other", "after": commit});
            push(&server, &hook, &other).await.expect(200);
            assert_eq!(builds(&scenario).await.len(), 2);
            let wrong = (hook.0.clone(), "wrong".to_owned());
            push(&server, &wrong, &body).await.expect(403);
        }
        let before = server.get("/v2/integrations").await.expect(200)[0]["push_hook"]["url"].clone();
        assert!(server.stop().success());
        server.restart();
        let after = server.get("/v2/integrations").await.expect(200)[0]["push_hook"]["url"].clone();
        assert_eq!(before, after, "hooks survive a restart");
    }
}

both_databases! {
    async fn a_branch_that_is_looked_at_is_built_when_it_moves(database) {
        let server = TestServer::start(options(database)).await;
        let files = [("PANDIUM.yaml", &*manifest("cat word")), ("word", "one")];
        let settings = json!({"poll_seconds": 10});
        let scenario = Scenario::new(&server, "looked-at", &files, settings).await;
        let path = format!("/v2/integrations/{}", scenario.integration);
        let built = async |count: usize| {
            eventually("the branch's head is built", || async {
                let found = builds(&scenario).await;
                (found.len() == count && found[0]["status"] == "Succeeded").then(|| found[0].clone())
            })
            .await
        };
        let first = built(1).await;
        assert_eq!(first["commit"], scenario.repository.git(&["rev-parse", "HEAD"]));
        let newest = scenario.repository.commit(&[("word", "two")]);
        let second = built(2).await;
        assert_eq!((&second["commit"], &second["tag"]), (&json!(newest), &json!(newest[..7])));

        let away = scenario.repository.path.with_extension("away");
        std::fs::rename(&scenario.repository.path, &away).unwrap();
        let shown = eventually("the failure is shown", || async {
            let shown = server.get(&path).await.expect(200);
            shown["poll_message"].is_string().then_some(shown)
        })
        .await;
        assert!(shown["poll_message"].as_str().unwrap().contains("no repository at"), "{shown}");
        assert!(shown["polled_date"].is_string());
        std::fs::rename(&away, &scenario.repository.path).unwrap();
        eventually("the look is made again", || async {
            let shown = server.get(&path).await.expect(200);
            shown["poll_message"].is_null().then_some(())
        })
        .await;
        let branch = json!({"repository_tracking_branch": "missing"});
        server.patch(&path, branch).await.expect(200);
        eventually("a missing branch is named", || async {
            let shown = server.get(&path).await.expect(200);
            shown["poll_message"].as_str()?.contains("no branch missing").then_some(())
        })
        .await;
        server.patch(&path, json!({"repository_tracking_branch": "main", "paused": true})).await.expect(200);
        scenario.repository.commit(&[("word", "three")]);
        let short = std::time::Duration::from_secs(1);
        never_within("nothing is built while it is paused", short, || async {
            builds(&scenario).await.len() != 2
        })
        .await;
        server.patch(&path, json!({"paused": false})).await.expect(200);
        built(3).await;
    }
}

//! The credentials of the tutorial: Slack by OAuth, by the commands of the document.

use std::process::Command;

use marquetry_testkit::{Browser, Provider, Scenario, TestServer};
use reqwest::Method;
use serde_json::{Value, json};

const DOCUMENT: &str = include_str!("../../../../../docs/tutorial.md");

/// The blocks of the document in this language, in their order.
fn blocks(language: &str) -> Vec<&'static str> {
    let start = format!("```{language}\n");
    let blocks = DOCUMENT.split(&start).skip(1);
    blocks
        .map(|rest| rest.split("```").next().unwrap())
        .collect()
}

/// Types a block into a shell; answers what it printed.
#[expect(clippy::disallowed_methods, reason = "a reader types this")]
fn typed(scenario: &Scenario<'_>, tenant: i64, slack: &Provider, block: &str) -> String {
    let server = scenario.server;
    let binary = std::path::Path::new(env!("CARGO_BIN_EXE_marquetry"));
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{path}", binary.parent().unwrap().display());
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", block])
        .env("PATH", path)
        .env("MARQUETRY_URL", &server.url)
        .env("MARQUETRY_API_KEY", server.key())
        .env("INTEGRATION", scenario.integration.to_string())
        .env("TENANT", tenant.to_string())
        .env("SLACK_CLIENT_ID", slack.client_id())
        .env("SLACK_CLIENT_SECRET", slack.client_secret())
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{block}\n{out}\n{err}");
    out
}

/// The shipped definition, at the stand-in's addresses.
async fn stand_in(server: &TestServer) -> Provider {
    let slack = Provider::start().await;
    let team = json!({
        "ok": true, "app_id": "A1", "bot_user_id": "U0",
        "team": {"id": "T1", "name": "Academy"}, "authed_user": {"id": "U1"},
    });
    slack.behave(|it| it.extra.clone_from(team.as_object().unwrap()));
    let callback = format!("{}/v0/author/callback/oauth2", server.url);
    assert!(DOCUMENT.contains("$MARQUETRY_URL/v0/author/callback/oauth2"));
    slack.register_callback(&callback);
    let path = "/v2/connectors/slack-oauth";
    let mut definition = server.get(path).await.expect(200);
    assert_eq!(definition["origin"], "built_in");
    definition["auth"]["authorize_url"] = json!(slack.at("/authorize"));
    definition["auth"]["token_url"] = json!(slack.at("/token"));
    definition["auth"]["revoke"]["url"] = json!(slack.at("/revoke"));
    definition["base_url"] = json!(slack.url());
    definition["hosts"] = json!([]);
    definition["check"] =
        json!({"method": "POST", "url": "/api/me", "expect": {"json": {"/scheme": "bearer"}}});
    let changed = server.call(Method::PUT, path, Some(definition)).await;
    changed.expect(201);
    slack
}

/// The app is made known, the tenant consents, and the code has the token.
pub(super) async fn connected(scenario: &Scenario<'_>, tenant: i64) {
    let server = scenario.server;
    let slack = stand_in(server).await;
    let [uses, provisions, consents, shows, runs] = blocks("sh")[..] else {
        panic!("the document has other commands");
    };
    let status = || async {
        let shown = server
            .get(&format!("/v2/tenants/{tenant}"))
            .await
            .expect(200);
        shown["status"]["auth"].clone()
    };
    typed(scenario, tenant, &slack, uses);
    assert_eq!(status().await["connected"], false);
    let provisioned = typed(scenario, tenant, &slack, provisions);
    assert!(
        !provisioned.contains(slack.client_secret()),
        "{provisioned}"
    );

    let answer: Value = serde_json::from_str(&typed(scenario, tenant, &slack, consents)).unwrap();
    let page = Browser::new().open(answer["url"].as_str().unwrap()).await;
    assert_eq!(
        (page.status, page.heading()),
        (200, "Slack is connected"),
        "{page:?}"
    );
    let asked = &slack.requests_to("/authorize")[0];
    assert_eq!(asked.query_value("scope").unwrap(), "chat:write,users:read");
    let shown: Value = serde_json::from_str(&typed(scenario, tenant, &slack, shows)).unwrap();
    assert_eq!(
        (&shown[0]["name"], &shown[0]["status"]),
        (&json!("slack-oauth"), &json!("Connected")),
        "{shown}"
    );
    assert_eq!(status().await["connected"], true);

    // From a run's own network this machine is not reached: it says the token in another way instead.
    let [code] = blocks("js")[..] else {
        panic!("the document has other code");
    };
    let call = code
        .lines()
        .find(|line| line.contains("await fetch("))
        .unwrap();
    let told = "  const answer = {status: token.split('').reverse().join('')}";
    scenario
        .repository
        .commit(&[("index.js", &code.replace(call, told))]);
    let printed = typed(scenario, tenant, &slack, runs);
    let said = printed
        .split("Slack answers ")
        .nth(1)
        .unwrap_or_else(|| panic!("{printed}"));
    let token: String = said.lines().next().unwrap().chars().rev().collect();
    assert!(slack.is_live(&token), "{printed}");
    assert!(printed.contains("the token is ********"), "{printed}");
    assert!(
        printed.contains("PAN_SEC_SLACK_OAUTH_ACCESS_TOKEN") && !printed.contains(&token),
        "{printed}"
    );
}

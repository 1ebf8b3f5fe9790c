//! All that can be done with credentials, well and badly.

use std::time::Duration;

use marquetry_testkit::{Browser, Consent, TestServer, Trouble, eventually};
use reqwest::Method;
use serde_json::{Value, json};

use super::ground::Ground;
use crate::connect::put;

const SHORT: Duration = Duration::from_secs(2);
const LONG: Duration = Duration::from_secs(3600);

fn secret(name: &str) -> Value {
    json!({"name": name, "label": name, "required": true, "secret": true})
}

/// Values that are entered: wrong ones, ones with which the system has trouble, and right ones.
pub(super) async fn entered(ground: &Ground, server: &TestServer) {
    let open = &*ground.marks.open;
    let wrong = || ground.marks.plain("wrong");
    let key = json!({
        "auth": {"kind": "api_key", "inject": [{"in": "query", "name": "api_key", "value": "{{api_key}}"}]},
        "provisioning": [], "check": {"url": "/api/key"},
        "fields": [{"name": "account", "required": true}, secret("api_key")],
        // Of the secret's own text nothing is left.
        "secrets": {"loud": "{{api_key|upper}}", "dsn": "sys://{{account}}:{{api_key}}@host"},
    });
    ground.define(server, "key", key.clone()).await;
    let own = ground.provider("key").credentials();
    let right = json!({"account": open, "api_key": own.api_key});
    let refused = json!({"account": open, "api_key": wrong()});
    ground.enter(server, "key", refused).await.expect(422);
    let said = format!("there is no {} at {}", own.api_key, "x".repeat(150));
    for trouble in [
        Trouble::NotOk(said),
        Trouble::Echoed,
        Trouble::Status(500),
        Trouble::Closed,
        Trouble::Html,
    ] {
        ground.provider("key").trouble("/api/key", 1, trouble);
        ground.enter(server, "key", right.clone()).await;
    }
    ground.enter(server, "key", right.clone()).await.expect(200);

    let link = ground.address(server, "key", true).await;
    let page = ground
        .browser
        .send(&link, &[("account", open), ("api_key", &wrong())])
        .await;
    assert_eq!(page.status, 422, "{page:?}");
    let page = ground
        .browser
        .send(&link, &[("account", ""), ("api_key", &wrong())])
        .await;
    assert_eq!(page.status, 422, "{page:?}");
    let page = ground
        .browser
        .send(&link, &[("account", open), ("api_key", &own.api_key)])
        .await;
    assert_eq!(page.status, 200, "{page:?}");
    ground.browser.open(&link).await;
    let page = Browser::new()
        .send(&format!("{link}?api_key={}", wrong()), &[("a", "b")])
        .await;
    ground.keep(&page.text);

    let login = json!({
        "auth": {"kind": "basic"}, "provisioning": [], "check": {"url": "/api/basic"},
        "fields": [{"name": "username", "required": true}, secret("password")],
    });
    ground.define(server, "login", login).await;
    let own = ground.provider("login").credentials();
    let values = |password: &str| json!({"username": own.username, "password": password});
    ground
        .enter(server, "login", values(&wrong()))
        .await
        .expect(422);
    ground
        .provider("login")
        .trouble("/api/basic", 1, Trouble::Echoed);
    ground.enter(server, "login", values(&own.password)).await;
    ground
        .enter(server, "login", values(&own.password))
        .await
        .expect(200);

    fields_alone(ground, server).await;

    let own = ground.provider("shared").credentials();
    ground.define(server, "shared", key).await;
    let path = ground.of_integration("shared", "credentials");
    for (key, status) in [(wrong(), 422), (own.api_key.clone(), 200)] {
        let values = json!({"values": {"account": "x", "api_key": key}});
        put(server, &path, values).await.expect(status);
    }
    service_account(ground, server).await;
}

/// Secrets of each type of field, wrong and right; the system is not asked.
async fn fields_alone(ground: &Ground, server: &TestServer) {
    let wrong = || ground.marks.plain("wrong");
    let certificate = json!({
        "auth": {"kind": "fields"}, "provisioning": [], "check": null,
        "fields": [
            {"name": "private_key", "type": "multiline", "secret": true}, secret("odd"),
            {"name": "number", "type": "number", "secret": true}, {"name": "where", "type": "url", "secret": true},
            {"name": "kind", "type": "select", "secret": true, "options": [{"value": "a", "label": "A"}]},
            {"name": "file", "type": "json", "secret": true}, {"name": "form", "pattern": "[a-z]+", "secret": true},
        ],
    });
    ground.define(server, "certificate", certificate).await;
    for name in ["number", "where", "kind", "file", "form"] {
        let mut values = json!({"odd": ground.marks.secret("odd")});
        values[name] = json!(wrong());
        ground
            .enter(server, "certificate", values)
            .await
            .expect(422);
    }
    let values = json!({
        "odd": ground.marks.secret("odd"), "private_key": ground.marks.key(),
        "file": json!({"deep": [{"key": ground.marks.key()}, ground.marks.secret("deep")]}).to_string(),
    });
    ground
        .enter(server, "certificate", values)
        .await
        .expect(200);
}

async fn service_account(ground: &Ground, server: &TestServer) {
    let provider = ground.provider("account");
    let definition = json!({
        "auth": {
            "kind": "jwt_bearer", "token_url": provider.at("/token"), "key": "{{file.private_key}}",
            "claims": {"iss": "{{file.client_email}}", "aud": provider.at("/token")},
        },
        "provisioning": [],
        "fields": [{"name": "file", "type": "json", "required": true, "secret": true}],
    });
    ground.define(server, "account", definition).await;
    let account = provider.service_account("robot@example.com");
    for line in account
        .private_key
        .lines()
        .filter(|line| !line.starts_with("-----"))
    {
        ground.marks.add(line.to_owned());
    }
    let file = |key: &str, email: &str| {
        let id = ground.marks.plain("key-id");
        json!({"file": {"client_email": email, "private_key": key, "private_key_id": id}})
    };
    let (key, nonsense) = (account.private_key.as_str(), ground.marks.key());
    for wrong in [
        file(&nonsense, "robot@example.com"),
        file(key, "other@example.com"),
        json!({"file": nonsense}),
    ] {
        ground.enter(server, "account", wrong).await.expect(422);
    }
    provider.trouble("/token", 1, Trouble::Echoed);
    ground
        .enter(server, "account", file(key, "robot@example.com"))
        .await
        .expect(422);
    ground
        .enter(server, "account", file(key, "robot@example.com"))
        .await
        .expect(200);
}

/// Tokens by consent: given, denied, chosen, on another device, with a wrong client, and with a provider that repeats
/// what it was sent.
pub(super) async fn consented(ground: &Ground, server: &TestServer) {
    let browser = &ground.browser;
    let plain = json!({});
    ground.define(server, "consent", plain).await;
    let provider = ground.provider("consent");
    let provisioning = ground.of_integration("consent", "provisioning");
    for secret in [ground.marks.secret("client"), ground.marks.plain("client")] {
        let values =
            json!({"values": {"client_id": provider.client_id(), "client_secret": secret}});
        put(server, &provisioning, values).await.expect(200);
        assert_eq!(ground.consent(server, "consent").await.status, 409);
    }
    ground.define(server, "consent", json!({})).await;
    server.get(&provisioning).await.expect(200);
    provider.behave(|it| it.consent = Consent::Denied("no, thank you".to_owned()));
    assert_eq!(ground.consent(server, "consent").await.status, 409);
    provider.behave(|it| it.consent = Consent::Given);
    for trouble in [
        Trouble::Echoed,
        Trouble::Html,
        Trouble::AnswerLost,
        Trouble::Status(502),
    ] {
        provider.trouble("/token", 1, trouble);
        assert_ne!(ground.consent(server, "consent").await.status, 200);
    }
    let page = ground.consent(server, "consent").await;
    assert_eq!(page.heading(), "Demo is connected", "{page:?}");
    // Opened once more with all that the address has, and with other states.
    browser.open(page.url.as_str()).await;
    let callback = format!("{}/v0/author/callback/oauth2", server.url);
    let code = ground.marks.plain("code");
    for query in [
        format!("?code={code}"),
        format!("?code={code}&state={code}"),
        format!("?error={code}&state=x"),
    ] {
        browser.open(&format!("{callback}{query}")).await;
    }

    let provider = ground.provider("choice");
    let choice = json!({"auth": {"choice": {
        "label": "Which?", "request": {"url": "/api/connections"}, "title": "/tenantName",
        "values": {"organisation": "/tenantId"},
    }}});
    ground.define(server, "choice", choice).await;
    provider.trouble("/api/connections", 1, Trouble::Echoed);
    assert_ne!(ground.consent(server, "choice").await.status, 200);
    let page = ground.consent(server, "choice").await;
    let token = page.attribute("type=\"hidden\"", "value");
    let to = format!("{}{}", server.url, page.attribute("<form", "action"));
    browser
        .send(&to, &[("token", &token), ("choice", "7")])
        .await;
    let page = browser
        .send(&to, &[("token", &token), ("choice", "1")])
        .await;
    assert_eq!(page.heading(), "Demo is connected", "{page:?}");
    without_a_callback(ground, server).await;
}

/// On another device, and without anybody.
async fn without_a_callback(ground: &Ground, server: &TestServer) {
    let browser = &ground.browser;
    let provider = ground.provider("device");
    let device = json!({"auth": {
        "kind": "oauth2", "grant": "device_code", "token_url": provider.at("/token"), "device_url": provider.at("/device"),
    }});
    ground.define(server, "device", device).await;
    provider.trouble("/device", 1, Trouble::Echoed);
    assert_ne!(ground.consent(server, "device").await.status, 200);
    let page = ground.consent(server, "device").await;
    let code = page
        .text
        .split("<code>")
        .nth(1)
        .unwrap()
        .split("</code>")
        .next()
        .unwrap();
    let check = format!(
        "{}{}",
        server.url,
        page.attribute("<ul class=\"links\">", "href")
    );
    assert!(provider.decide_device(code));
    // Who asks more often than once a second must wait longer.
    tokio::time::sleep(Duration::from_millis(1200)).await;
    let page = browser.open(&check).await;
    assert_eq!(page.heading(), "Demo is connected", "{page:?}");

    let provider = ground.provider("machine");
    let machine = json!({
        "auth": {"kind": "oauth2", "grant": "client_credentials", "token_url": provider.at("/token")},
        "provisioning": [],
        "fields": [{"name": "client_id", "required": true}, secret("client_secret")],
    });
    ground.define(server, "machine", machine).await;
    let values = |secret: &str| json!({"client_id": provider.client_id(), "client_secret": secret});
    ground
        .enter(server, "machine", values(&ground.marks.plain("wrong")))
        .await
        .expect(422);
    provider.trouble("/token", 1, Trouble::Echoed);
    ground
        .enter(server, "machine", values(provider.client_secret()))
        .await
        .expect(422);
    ground
        .enter(server, "machine", values(provider.client_secret()))
        .await
        .expect(200);
}

/// Tokens that somebody has got elsewhere, renewals that succeed and fail, and the end of a connection.
pub(super) async fn renewed(ground: &Ground, server: &TestServer) {
    let provider = ground.provider("consent");
    provider.behave(|it| it.token_lifetime = SHORT);
    ground.consent(server, "consent").await;
    provider.behave(|it| it.token_lifetime = LONG);
    let before = provider.counters().refreshes;
    eventually("the token is renewed", || async {
        ground.runs_well(server).await;
        (provider.counters().refreshes > before).then_some(())
    })
    .await;

    provider.behave(|it| it.token_lifetime = SHORT);
    ground.consent(server, "consent").await;
    provider.lasting_trouble("/token", Trouble::Echoed);
    eventually("the renewal is refused", || async {
        let run = ground.run(server).await;
        (run["status"]["phase"] == "Failed (Refresh)").then_some(())
    })
    .await;
    assert_eq!(ground.status(server, "consent").await, "Needs Reconnect");
    provider.end_trouble();

    provider.behave(|it| it.token_lifetime = LONG);
    for wrong in [
        json!({"access_token": ground.marks.plain("token")}),
        json!({"refresh_token": ground.marks.plain("token")}),
    ] {
        ground.enter(server, "consent", wrong).await;
    }
    ground.consent(server, "consent").await;
    ground.runs_well(server).await;
    provider.trouble("/revoke", 1, Trouble::Echoed);
    ground.disconnect(server, "consent").await;
    ground.consent(server, "consent").await;
    provider.revoke_all();
    provider.expire_all();
    ground.run(server).await;
    ground.disconnect(server, "consent").await;
    ground.runs_well(server).await;
    let page = ground.consent(server, "consent").await;
    assert_eq!(page.status, 200, "{page:?}");
}

/// Bodies that cannot be taken, each with a secret in it.
pub(super) async fn refused(ground: &Ground, server: &TestServer) {
    let wrong = || ground.marks.plain("refused");
    let tenant = format!("/v2/tenants/{}", ground.tenant);
    let integration = format!("/v2/integrations/{}", ground.integration);
    let nested = || json!({"api_key": {"deep": [wrong()]}, "account": [wrong()]});
    for path in [
        ground.of_tenant("key", "credentials"),
        ground.of_integration("consent", "provisioning"),
        ground.of_integration("shared", "credentials"),
        ground.of_tenant("unknown", "credentials"),
        ground.of_tenant("shared", "credentials"),
    ] {
        for body in [
            json!(wrong()),
            json!([wrong()]),
            json!({"values": wrong()}),
            json!({"values": [wrong()]}),
            json!({"values": nested()}),
            json!({"value": {"api_key": wrong()}}),
            json!({"values": {"api_key": wrong()}, "more": wrong()}),
            json!({ "api_key": wrong() }),
        ] {
            let answer = put(server, &path, body).await;
            assert!((400..500).contains(&answer.status), "{path}: {answer:?}");
        }
        let broken = format!("{{\"values\": {{\"api_key\": \"{}\"}}", wrong());
        let request = server
            .request(Method::PUT, &path)
            .header("content-type", "application/json");
        ground.send(request.body(broken), server).await;
    }
    for body in [
        json!({"configs": {"token": {"deep": wrong()}}}),
        json!({"configs": {"token": [wrong()], "keys": wrong(), "certificate": 1}}),
        json!({"configs": {"keys": [{"x": wrong()}]}}),
    ] {
        server.patch(&tenant, body).await.expect(422);
    }
    for body in [
        json!({"build_env": wrong()}),
        json!({"build_env": {"A": {"deep": wrong()}}}),
        json!({"build_env": {"not a name": wrong()}}),
        json!({"repository_credential": wrong()}),
        json!({"repository_credential": {"username": "robot", "token": [wrong()]}}),
        json!({"repository_url": format!("https://robot:{}@127.0.0.1/x", wrong())}),
    ] {
        server.patch(&integration, body).await.expect(422);
    }
    // A local repository needs none, and they are kept all the same.
    for credential in [
        json!({"username": "robot", "token": wrong()}),
        json!({ "ssh_private_key": ground.marks.key() }),
    ] {
        server
            .patch(&integration, json!({ "repository_credential": credential }))
            .await;
    }
    server
        .patch(&integration, json!({"repository_credential": null}))
        .await
        .expect(200);
}

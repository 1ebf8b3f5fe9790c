//! Every way in which a system knows who calls: right credentials are kept and reach the code, wrong ones are not.

use std::time::Duration;

use marquetry_testkit::{Browser, Consent, Trouble, both_databases, eventually};
use reqwest::Method;
use serde_json::{Value, json};

use super::case::{Case, Shop};
use super::{put, server};

/// In place of a right value.
const WRONG: &str = "a-wrong-secret-7";

fn field(name: &str) -> Value {
    json!({"name": name, "label": name, "required": true})
}

fn secret(name: &str) -> Value {
    json!({"name": name, "label": name, "required": true, "secret": true})
}

/// Values of which one is another.
fn with(values: &Value, name: &str, value: &str) -> Value {
    let mut values = values.clone();
    values[name] = json!(value);
    values
}

/// Enters wrong credentials and right ones; answers what the code gets of these.
async fn tried(case: &Case<'_>, right: &Value, wrong: &str, said: &str) -> Value {
    let wrong = with(right, wrong, WRONG);
    let refused = case.enter(wrong.clone()).await;
    assert_eq!(refused.status, 422, "{}: {refused:?}", case.name);
    assert!(refused.text.contains(said), "{}: {refused:?}", case.name);
    assert!(!refused.text.contains(WRONG), "{refused:?}");
    assert_eq!(case.state().await["status"], "Disconnected");
    let (_, given) = case.run().await;
    assert_eq!(given, json!({}), "{}: nothing is kept", case.name);

    let kept = case.enter_untried(wrong).await.expect(200);
    assert_eq!(kept["status"], "Connected", "{}: {kept}", case.name);

    let kept = case.enter(right.clone()).await.expect(200);
    assert_eq!(kept["status"], "Connected", "{}: {kept}", case.name);
    assert!(kept["checked_date"].is_string(), "{}: {kept}", case.name);
    let given = case.given().await;
    for (name, value) in right.as_object().unwrap() {
        assert_eq!(&given[name.to_uppercase()], value, "{}", case.name);
    }
    given
}

both_databases! {
    async fn what_is_entered_is_tried_at_the_system(database) {
        let server = server(database).await;
        let names = ["hyphened-name", "key", "query", "basic", "custom", "fields", "one", "older", "aws", "tls"];
        let shop = Shop::new(&server, &names).await;

        for (name, place) in [("key", json!({"in": "header", "name": "X-Api-Key", "value": "{{api_key}}"})),
            ("query", json!({"in": "query", "name": "api_key", "value": "{{api_key}}"}))] {
            let case = Case::new(&shop, name, |_| json!({
                "auth": {"kind": "api_key", "inject": [place]},
                "provisioning": [], "fields": [secret("api_key")],
                "check": {"url": "/api/key", "expect": {"json": {"/scheme": "api_key"}}},
            })).await;
            let right = json!({"api_key": case.provider.credentials().api_key});
            let given = tried(&case, &right, "api_key", "the key is not known").await;
            assert_eq!(given.as_object().unwrap().len(), 1, "{given}");
            case.provider.forget_requests();
            case.enter(right.clone()).await.expect(200);
            assert_eq!(case.last("/api/key").header("x-api-key").is_some(), name == "key");
            // Nobody repeats what a system should not have said.
            let key = &case.provider.credentials().api_key;
            for said in [format!("no key {key}, sorry"), format!("{}{key}", "x".repeat(180))] {
                case.provider.trouble("/api/key", 1, Trouble::NotOk(said));
                let refused = case.enter(right.clone()).await;
                assert_eq!(refused.status, 422, "{refused:?}");
                assert!(!refused.text.contains(&key[..10]) && refused.text.contains("********"), "{refused:?}");
            }
            for trouble in [Trouble::Status(503), Trouble::RateLimited(1), Trouble::Closed] {
                case.provider.trouble("/api/key", 1, trouble);
                let unknown = case.enter(right.clone()).await;
                assert!(unknown.status == 422 && unknown.text.contains("?check=false"), "{unknown:?}");
                assert!(!unknown.text.contains(key), "{unknown:?}");
            }
        }

        let case = Case::new(&shop, "basic", |_| json!({
            "auth": {"kind": "basic"}, "provisioning": [],
            "fields": [field("username"), secret("password")], "check": {"url": "/api/basic"},
        })).await;
        let own = case.provider.credentials();
        let right = json!({"username": own.username, "password": own.password});
        tried(&case, &right, "password", "the name or the password is wrong").await;
        let missing = case.enter(json!({"username": "ada"})).await;
        let fault = &missing.expect(422)["detail"][0];
        assert_eq!(fault["loc"], json!(["body", "values", "password"]), "{fault}");
        assert_eq!(case.status().await, "Connected", "what was there stays");
        // A pasted line end is none of the password's, and the mask stands for what is there.
        let kept = json!({"username": format!("{}\n", own.username), "password": "********"});
        case.enter(kept).await.expect(200);

        let case = Case::new(&shop, "custom", |_| json!({
            "auth": {"kind": "custom", "inject": [
                {"in": "header", "name": "X-Api-Key", "value": "{{api_key}}"},
                {"in": "query", "name": "account", "value": "{{account}}"},
            ]},
            "provisioning": [], "fields": [secret("api_key"), field("account")],
            "check": {"url": "/api/key", "expect": {"json": {"/scheme": "api_key"}}}, "secrets": {"pair": "{{account}}:{{api_key}}"},
            "hidden": ["nothing"],
        })).await;
        let key = &case.provider.credentials().api_key;
        let given = tried(&case, &json!({"api_key": key, "account": "a b&c"}), "api_key", "not known").await;
        assert_eq!(given["PAIR"], format!("a b&c:{key}"));
        case.provider.trouble("/api/key", 1, Trouble::NotOk("no_such_account".to_owned()));
        let refused = case.enter(json!({"api_key": key, "account": "a b&c"})).await;
        assert!(refused.status == 422 && refused.text.contains("no_such_account"), "{refused:?}");
        assert_eq!(case.last("/api/key").query_value("account").unwrap(), "a b&c");

        let case = Case::new(&shop, "fields", |_| json!({
            "auth": {"kind": "fields"}, "provisioning": [], "check": null,
            "fields": [
                {"name": "host", "type": "host", "required": true},
                {"name": "port", "type": "number", "default": "22"},
                secret("password"),
            ],
        })).await;
        let wrong = json!({"host": "https://x.test", "port": "many", "password": "p", "more": "1"});
        let wrong = case.enter(wrong).await.expect(422);
        let places: Vec<&str> = wrong["detail"].as_array().unwrap().iter()
            .map(|it| it["loc"][2].as_str().unwrap()).collect();
        assert_eq!(places, ["more", "host", "port"], "{wrong}");
        case.enter(json!({"host": "sftp.example.com", "password": "p w"})).await.expect(200);
        assert_eq!(case.given().await, json!({"HOST": "sftp.example.com", "PORT": "22", "PASSWORD": "p w"}));
        case.enter(json!({"host": "sftp.example.com", "port": 2222, "password": "p w"})).await.expect(200);
        assert_eq!(case.given().await["PORT"], "2222");

        for (name, signature) in [("one", "HMAC-SHA256"), ("older", "HMAC-SHA1")] {
            let case = Case::new(&shop, name, |_| json!({
                "auth": {
                    "kind": "oauth1", "signature": signature, "realm": "1234_SB1",
                    "consumer_key": "{{consumer_key}}", "consumer_secret": "{{consumer_secret}}",
                    "token": "{{token}}", "token_secret": "{{token_secret}}",
                },
                "provisioning": [],
                "fields": [field("consumer_key"), secret("consumer_secret"), secret("token"), secret("token_secret")],
                "check": {"url": "/api/oauth1?b=%3D%20x&a=2"},
            })).await;
            let own = case.provider.credentials();
            let right = json!({
                "consumer_key": own.consumer_key, "consumer_secret": own.consumer_secret,
                "token": own.oauth1_token, "token_secret": own.oauth1_token_secret,
            });
            tried(&case, &right, "token_secret", "the signature is wrong").await;
        }

        let case = Case::new(&shop, "aws", |_| json!({
            "auth": {
                "kind": "aws_sigv4", "access_key_id": "{{access_key_id}}",
                "secret_access_key": "{{secret_access_key}}", "session_token": "{{session_token}}",
                "region": "{{region}}", "service": "execute-api",
            },
            "provisioning": [],
            "fields": [
                field("access_key_id"), secret("secret_access_key"), field("region"),
                {"name": "session_token", "secret": true},
            ],
            "check": {"url": "/api/aws/items%20a?b=2&a=%2F"},
        })).await;
        let own = case.provider.credentials();
        let right = json!({
            "access_key_id": own.access_key_id, "secret_access_key": own.secret_access_key,
            "region": "eu-central-1",
        });
        tried(&case, &right, "secret_access_key", "signature").await;
        let elsewhere = case.enter(with(&right, "region", "us-east-1")).await;
        assert_eq!(elsewhere.status, 422, "{elsewhere:?}");

        let case = Case::new(&shop, "tls", |_| json!({
            "auth": {"kind": "mutual_tls", "certificate": "{{certificate}}", "private_key": "{{private_key}}"},
            "provisioning": [],
            "fields": [
                {"name": "certificate", "type": "multiline", "required": true},
                {"name": "private_key", "type": "multiline", "required": true, "secret": true},
            ],
            "check": {"url": "/api/me"},
        })).await;
        let values = json!({"certificate": "-----BEGIN NONSENSE-----", "private_key": WRONG});
        for refused in [case.enter(values.clone()).await, case.enter_untried(values).await] {
            let why = refused.expect(422)["detail"][0]["msg"].as_str().unwrap().to_owned();
            assert!(why.contains("the client certificate cannot be read") && !why.contains(WRONG), "{why}");
        }
        assert_eq!(case.status().await, "Disconnected");

        let case = Case::new(&shop, "hyphened-name", |_| json!({
            "auth": {"kind": "fields"}, "provisioning": [], "check": null, "fields": [secret("api_key")],
        })).await;
        case.enter(json!({"api_key": "some-key"})).await.expect(200);
        let (_, given) = shop.run(case.tenant).await;
        // The older form keeps the hyphen, which not every shell hands on.
        assert_eq!(given["PAN_SEC_HYPHENED-NAME_API_KEY"], "some-key", "{given}");
        assert_eq!(given["PAN_SEC_HYPHENED_NAME_API_KEY"], "some-key", "{given}");
    }
}

both_databases! {
    async fn tokens_are_got_for_what_is_entered(database) {
        let server = server(database).await;
        let shop = Shop::new(&server, &["client", "password", "jwt"]).await;

        let case = Case::new(&shop, "client", |provider| json!({
            "auth": {"kind": "oauth2", "grant": "client_credentials", "token_url": provider.at("/token"), "scopes": ["read"]},
            "provisioning": [], "fields": [field("client_id"), secret("client_secret")],
        })).await;
        let own = case.provider.credentials();
        let right = json!({"client_id": own.client_id, "client_secret": own.client_secret});
        let given = tried(&case, &right, "client_secret", "invalid_client").await;
        assert!(case.provider.is_live(given["ACCESS_TOKEN"].as_str().unwrap()), "{given}");
        assert_eq!(given["SCOPE"], "read");
        case.provider.behave(|it| it.token_lifetime = Duration::from_secs(3));
        case.enter(right).await.expect(200);
        case.provider.behave(|it| it.token_lifetime = Duration::from_secs(3600));
        let first = case.given().await["ACCESS_TOKEN"].clone();
        eventually("another token is got", || async {
            let given = case.given().await;
            (given["ACCESS_TOKEN"] != first).then_some(())
        }).await;
        assert!(case.works().await);

        let case = Case::new(&shop, "password", |provider| json!({
            "auth": {"kind": "oauth2", "grant": "password", "token_url": provider.at("/token")},
            "fields": [field("username"), secret("password")],
        })).await;
        let own = case.provider.credentials();
        let right = json!({"username": own.username, "password": own.password});
        let given = tried(&case, &right, "password", "the name or the password is wrong").await;
        assert!(case.provider.is_live(given["ACCESS_TOKEN"].as_str().unwrap()), "{given}");
        case.provider.behave(|it| it.token_lifetime = Duration::from_secs(3));
        case.enter(right).await.expect(200);
        // The refresh token is dead; the login is not.
        case.provider.revoke_all();
        case.provider.behave(|it| it.token_lifetime = Duration::from_secs(3600));
        eventually("the login gets another token", || async { case.works().await.then_some(()) }).await;
        assert_eq!(case.reason().await, "");

        let case = Case::new(&shop, "jwt", |provider| json!({
            "auth": {
                "kind": "jwt_bearer", "token_url": provider.at("/token"),
                "key": "{{service_account_json.private_key}}",
                "claims": {
                    "iss": "{{service_account_json.client_email}}", "aud": provider.at("/token"),
                    "sub": "{{subject}}",
                },
                "header": {"kid": "{{service_account_json.private_key_id}}"},
            },
            "provisioning": [],
            "fields": [
                {"name": "service_account_json", "type": "json", "required": true, "secret": true},
                {"name": "subject", "label": "Subject"},
            ],
        })).await;
        let account = case.provider.service_account("robot@example.com");
        let file = |email: &str| json!({
            "client_email": email, "private_key": account.private_key, "private_key_id": "k1",
        });
        let refused = case.enter(json!({"service_account_json": file("other@example.com")})).await;
        assert!(refused.status == 422 && refused.text.contains("invalid_grant"), "{refused:?}");
        let mut without = file("x");
        without.as_object_mut().unwrap().remove("client_email");
        let refused = case.enter(json!({"service_account_json": without})).await;
        assert!(refused.status == 422 && refused.text.contains("service_account_json.client_email"), "{refused:?}");
        let nonsense = json!({"client_email": "x", "private_key": WRONG, "private_key_id": "k1"});
        let refused = case.enter(json!({"service_account_json": nonsense})).await;
        assert!(refused.status == 422 && !refused.text.contains(WRONG), "{refused:?}");
        assert_eq!(case.status().await, "Disconnected");
        // As it is, or as the text of the file.
        case.enter(json!({"service_account_json": file("robot@example.com")})).await.expect(200);
        let text = serde_json::to_string_pretty(&file("robot@example.com")).unwrap();
        case.enter(json!({"service_account_json": text, "subject": "ada"})).await.expect(200);
        let given = case.given().await;
        let token = given["ACCESS_TOKEN"].as_str().unwrap();
        assert!(case.provider.is_live(token) && given["SERVICE_ACCOUNT_JSON"].is_string(), "{given}");
        // What was not tried and is wrong is found out.
        let wrong = json!({"service_account_json": file("other@example.com")});
        case.enter_untried(wrong).await.expect(200);
        let reason = eventually("it is noticed", || async {
            let state = case.state().await;
            (state["status"] == "Needs Reconnect").then(|| state["reason"].as_str().unwrap().to_owned())
        }).await;
        assert!(reason.contains("invalid_grant"), "{reason}");
    }
}

both_databases! {
    async fn a_code_is_entered_on_another_device(database) {
        let server = server(database).await;
        let shop = Shop::new(&server, &["device"]).await;
        let case = Case::new(&shop, "device", |provider| json!({
            "auth": {"kind": "oauth2", "grant": "device_code", "token_url": provider.at("/token"), "device_url": provider.at("/device")},
        })).await;
        let browser = Browser::new();

        case.provision(WRONG).await;
        let page = case.consent(&browser).await;
        assert_eq!(page.status, 409, "{page:?}");
        assert!(page.text.contains("invalid_client") && !page.text.contains(WRONG), "{page:?}");
        case.provision(case.provider.client_secret()).await;

        let page = case.consent(&browser).await;
        assert_eq!((page.status, page.heading()), (200, "Connect Demo"), "{page:?}");
        let code = page.text.split("<code>").nth(1).unwrap().split("</code>").next().unwrap();
        let check = format!("{}{}", server.url, page.attribute("<ul class=\"links\">", "href"));
        // It goes on by itself, and not with another code.
        let next = page.attribute("http-equiv=\"refresh\"", "content");
        assert!(check.ends_with(next.split("url=").nth(1).unwrap()), "{next} {check}");
        assert!(page.text.contains("every 1 seconds"), "{page:?}");
        let waiting = browser.open(&check).await;
        assert!(waiting.text.contains(code), "{waiting:?}");
        // Who asks too often asks more seldom from there on.
        let waiting = browser.open(&check).await;
        assert!(waiting.text.contains(code) && waiting.text.contains("every 6 seconds"), "{waiting:?}");
        // Another browser sees nothing.
        let other = Browser::new().open(&check).await;
        assert!(other.status == 409 && !other.text.contains(code), "{other:?}");
        case.provider.behave(|it| it.device_interval = Duration::ZERO);
        assert!(case.provider.decide_device(code));
        let page = eventually("the code is taken", || async {
            let page = browser.open(&check).await;
            (page.heading() == "Demo is connected").then_some(page)
        }).await;
        assert_eq!(page.status, 200);
        assert_eq!(browser.open(&check).await.status, 409);
        assert!(case.works().await);

        case.provider.behave(|it| it.consent = Consent::Denied("no".to_owned()));
        let page = case.consent(&browser).await;
        let code = page.text.split("<code>").nth(1).unwrap().split("</code>").next().unwrap();
        let check = format!("{}{}", server.url, page.attribute("<ul class=\"links\">", "href"));
        assert!(case.provider.decide_device(code));
        let page = browser.open(&check).await;
        assert!(page.status == 409 && page.text.contains("access_denied"), "{page:?}");
        assert_eq!(case.status().await, "Connected", "what was there stays");
    }
}

both_databases! {
    async fn what_all_tenants_share_is_set_once(database) {
        let server = server(database).await;
        let shop = Shop::new(&server, &["shared!", "own", "joint!"]).await;
        let case = Case::new(&shop, "shared", |_| json!({
            "auth": {"kind": "api_key", "inject": [{"in": "header", "name": "X-Api-Key", "value": "{{api_key}}"}]},
            "provisioning": [], "fields": [secret("api_key")], "check": {"url": "/api/key"},
        })).await;
        let of = format!("/v2/integrations/{}/connectors", shop.scenario.integration);
        let values = json!({"values": {"api_key": case.provider.credentials().api_key}});

        let refused = case.enter(values["values"].clone()).await;
        let why = refused.expect(422);
        assert!(why["detail"][0]["msg"].as_str().unwrap().contains(&format!("{of}/shared")), "{why}");
        let refused = put(&server, &format!("{of}/own/credentials"), json!({"values": {}})).await;
        let why = refused.expect(422);
        assert!(why["detail"][0]["msg"].as_str().unwrap().contains("/v2/tenants/"), "{why}");
        for (method, end) in [(Method::POST, "connect"), (Method::DELETE, "connect"), (Method::PATCH, "disconnect")] {
            let tenants = server.call(method.clone(), &case.path(end), None).await;
            let own = server.call(method, &format!("{of}/own/{end}"), None).await;
            assert_eq!((tenants.status, own.status), (422, 422), "{tenants:?} {own:?}");
        }

        let wrong = json!({"values": {"api_key": WRONG}});
        let refused = put(&server, &format!("{of}/shared/credentials"), wrong).await;
        assert!(refused.status == 422 && refused.text.contains("not known"), "{refused:?}");
        let kept = put(&server, &format!("{of}/shared/credentials"), values).await.expect(200);
        assert_eq!((&kept["status"], &kept["isGlobal"]), (&json!("Connected"), &json!(true)), "{kept}");
        let all = server.get(&of).await.expect(200);
        assert_eq!(all[1]["status"], "Disconnected", "{all}");
        assert_eq!((&all[0]["name"], &all[0]["status"]), (&json!("shared"), &json!("Connected")), "{all}");
        assert_eq!(all.as_array().unwrap().len(), 2, "{all}");
        let other = shop.scenario.tenant("other").await;
        for tenant in [case.tenant, other] {
            let (_, given) = shop.run(tenant).await;
            assert_eq!(given["PAN_SEC_SHARED_API_KEY"], case.provider.credentials().api_key.as_str());
        }
        assert_eq!(case.status().await, "Connected");

        // A link does the same.
        let link = server.post(&format!("{of}/shared/connect"), json!({})).await.expect(200);
        let link = link["url"].as_str().unwrap();
        let browser = Browser::new();
        assert_eq!(browser.open(link).await.heading(), "Connect Demo");
        let key = &*case.provider.credentials().api_key;
        let page = browser.send(link, &[("api_key", key)]).await;
        assert_eq!((page.status, page.heading()), (200, "Demo is connected"), "{page:?}");

        let gone = server.call(Method::PATCH, &format!("{of}/shared/disconnect"), Some(json!({}))).await;
        assert_eq!(gone.expect(200)["status"], "Disconnected");
        let (_, given) = shop.run(other).await;
        assert_eq!(given, json!({}));

        // One consent for all, renewed once for all that begin together.
        let case = Case::new(&shop, "joint", |_| json!({})).await;
        case.provider.behave(|it| it.token_lifetime = Duration::from_secs(2));
        let link = server.post(&format!("{of}/joint/connect"), json!({})).await.expect(200);
        let page = browser.open(link["url"].as_str().unwrap()).await;
        assert_eq!((page.status, page.heading()), (200, "Demo is connected"), "{page:?}");
        case.provider.behave(|it| it.token_lifetime = Duration::from_secs(3600));
        eventually("the token ends", || async {
            let tokens = case.provider.counters().refreshes;
            let (first, second) = tokio::join!(shop.run(case.tenant), shop.run(other));
            let name = "PAN_SEC_JOINT_ACCESS_TOKEN";
            assert_eq!(first.0["status"]["phase"], "Succeeded", "{}", first.0);
            (tokens > 0 && first.1[name] == second.1[name]).then_some(())
        }).await;
        let counted = case.provider.counters();
        assert_eq!((counted.refreshes, counted.refresh_tokens_reused), (1, 0));
        assert!(!server.log().contains(case.provider.marker()));
        assert!(!server.rows().await.contains(case.provider.marker()));
    }
}

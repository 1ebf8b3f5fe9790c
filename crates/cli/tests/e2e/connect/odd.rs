//! Providers that do not do as the standard says, or do nothing for a while.

use std::time::Duration;

use marquetry_testkit::{
    Browser, ClientAuthentication, Consent, ExpiresIn, Pkce, RefreshTokens, RequestBody,
    TokenFormat, Trouble, both_databases, eventually,
};
use serde_json::{Value, json};

use super::case::{Case, Shop};
use super::server;

const SHORT: Duration = Duration::from_secs(2);
const LONG: Duration = Duration::from_secs(3600);

/// Connects with a token that ends soon; those after it live long.
async fn connected_for_short(case: &Case<'_>) {
    case.provider.behave(|it| it.token_lifetime = SHORT);
    case.connect().await;
    case.provider.behave(|it| it.token_lifetime = LONG);
}

/// Waits until the token is another one that works.
async fn renewed(case: &Case<'_>) -> Value {
    let before = case.provider.counters().refreshes;
    eventually("the token is renewed", || async {
        let given = case.given().await;
        let live = case
            .provider
            .is_live(given["ACCESS_TOKEN"].as_str().unwrap());
        (live && case.provider.counters().refreshes > before).then_some(given)
    })
    .await
}

/// Waits until a run is not started for want of a token; answers its log.
async fn not_started(case: &Case<'_>) -> String {
    let run = eventually("a run has no token", || async {
        let (run, _) = case.run().await;
        (run["status"]["phase"] != "Succeeded").then_some(run)
    })
    .await;
    assert_eq!(run["status"]["phase"], "Failed (Refresh)", "{run}");
    let log = case.shop.scenario.log(&run).await;
    assert!(!log.contains("the code was started"), "{log}");
    log
}

both_databases! {
    async fn answers_with_tokens_differ(database) {
        let server = server(database).await;
        let names = ["text", "absent", "form", "github", "nested", "slack", "extra", "silent", "basic", "json"];
        let shop = Shop::new(&server, &names).await;
        let plain = |_: &_| json!({});

        let case = Case::new(&shop, "text", plain).await;
        case.provider.behave(|it| it.expires_in = ExpiresIn::Text);
        connected_for_short(&case).await;
        assert!(case.state().await["expires_date"].is_string());
        renewed(&case).await;

        let case = Case::new(&shop, "absent", |_| json!({"auth": {"refresh": "always"}})).await;
        connected_for_short(&case).await;
        assert!(case.given().await["EXPIRES_AT"].is_string());
        // What was said of the old token is not said of the new one.
        case.provider.behave(|it| it.expires_in = ExpiresIn::Absent);
        case.connect().await;
        let given = case.given().await;
        assert!(given.get("EXPIRES_AT").is_none() && given.get("EXPIRES_IN").is_none(), "{given}");
        assert_eq!(case.state().await["expires_date"], Value::Null);
        case.define(json!({"auth": {"lifetime_s": 2}})).await;
        case.connect().await;
        assert!(case.state().await["expires_date"].is_string());
        renewed(&case).await;

        for (name, format) in [("form", TokenFormat::Form), ("github", TokenFormat::FormUnlessAsked)] {
            let case = Case::new(&shop, name, plain).await;
            case.provider.behave(|it| it.token_format = format);
            connected_for_short(&case).await;
            renewed(&case).await;
        }

        let case = Case::new(&shop, "nested", |_| json!({"auth": {"token": {"values": {
            "access_token": "/authed_user/access_token", "refresh_token": "/authed_user/refresh_token",
            "expires_in": "/authed_user/expires_in",
        }}}})).await;
        case.provider.behave(|it| it.nested_in = Some("authed_user".to_owned()));
        connected_for_short(&case).await;
        let given = renewed(&case).await;
        assert!(given.get("REFRESH_TOKEN").is_none(), "{given}");

        let case = Case::new(&shop, "slack", |_| json!({"auth": {"token": {
            "error": {"at": "/ok", "equals": false, "message": "/error"},
        }}})).await;
        case.provider.behave(|it| drop(it.extra.insert("ok".to_owned(), json!(true))));
        case.provider.trouble("/token", 1, Trouble::NotOk("invalid_code".to_owned()));
        let page = case.consent(&Browser::new()).await;
        assert!(page.status == 409 && page.text.contains("invalid_code"), "{page:?}");
        assert_eq!(case.status().await, "Disconnected");
        connected_for_short(&case).await;
        case.provider.lasting_trouble("/token", Trouble::NotOk("token_revoked".to_owned()));
        let log = not_started(&case).await;
        assert!(log.contains("token_revoked"), "{log}");
        assert_eq!((&*case.status().await, &*case.reason().await), ("Needs Reconnect", "token_revoked"));

        let case = Case::new(&shop, "extra", |_| json!({
            "auth": {"token": {"values": {"instance_url": "/instance_url"}}},
            "base_url": "{{instance_url}}",
        })).await;
        let at = case.provider.url().to_owned();
        case.provider.behave(|it| {
            it.extra.insert("instance_url".to_owned(), json!(at));
            it.extra.insert("Signature-X".to_owned(), json!("s"));
            it.extra.insert("id".to_owned(), json!(7));
            it.extra.insert("deep".to_owned(), json!({"not": "a scalar"}));
        });
        connected_for_short(&case).await;
        let given = renewed(&case).await;
        assert_eq!((&given["INSTANCE_URL"], &given["ID"]), (&json!(at), &json!("7")), "{given}");

        let case = Case::new(&shop, "silent", plain).await;
        case.provider.behave(|it| it.refresh_tokens = RefreshTokens::Silent);
        case.provider.behave(|it| it.token_lifetime = SHORT);
        case.connect().await;
        renewed(&case).await;
        renewed(&case).await;

        let case = Case::new(&shop, "basic", |_| json!({"auth": {"client_auth": "basic"}})).await;
        case.provider.behave(|it| {
            it.client_authentication = ClientAuthentication::Basic;
            it.pkce = Pkce::Required;
        });
        connected_for_short(&case).await;
        renewed(&case).await;
        case.disconnect().await;
        assert_eq!(case.provider.counters().revoked, 1);

        let case = Case::new(&shop, "json", |_| json!({"auth": {"body": "json", "pkce": false}})).await;
        case.provider.behave(|it| it.request_body = RequestBody::Json);
        connected_for_short(&case).await;
        renewed(&case).await;
        case.disconnect().await;
        assert_eq!(case.provider.counters().revoked, 1);
    }
}

both_databases! {
    async fn a_renewal_outlives_what_passes_and_says_what_does_not(database) {
        let server = server(database).await;
        let names = ["slow", "busy", "closed", "lost", "left", "spent", "client", "html", "large", "never"];
        let shop = Shop::new(&server, &names).await;
        let plain = |_: &_| json!({});

        for (name, times, trouble) in [
            ("slow", 1, Trouble::Slow(Duration::from_secs(2))),
            ("busy", 2, Trouble::Status(503)),
            ("closed", 1, Trouble::Closed),
            ("lost", 1, Trouble::AnswerLost),
        ] {
            let case = Case::new(&shop, name, plain).await;
            case.provider.behave(|it| it.refresh_tokens = RefreshTokens::Repeated);
            connected_for_short(&case).await;
            case.provider.trouble("/token", times, trouble);
            renewed(&case).await;
            assert_eq!((&*case.status().await, &*case.reason().await), ("Connected", ""));
        }

        // Who disconnects while a token is on its way is disconnected.
        let case = Case::new(&shop, "left", plain).await;
        connected_for_short(&case).await;
        case.provider.forget_requests();
        case.provider.trouble("/token", 1, Trouble::Slow(Duration::from_secs(1)));
        let renewal = async {
            eventually("a renewal is under way", || async {
                (!case.provider.requests_to("/token").is_empty()).then_some(())
            }).await;
            case.disconnect().await;
        };
        let run = async {
            eventually("a run waits for it", || async {
                let (run, given) = case.run().await;
                assert_eq!(run["status"]["phase"], "Succeeded", "{run}");
                (given.get("ACCESS_TOKEN").is_none()).then_some(given)
            }).await
        };
        let ((), given) = tokio::join!(renewal, run);
        assert_eq!(given, json!({}), "nor what is provisioned");
        assert_eq!(case.status().await, "Disconnected");

        // The refresh token is spent and the new one lost: nobody can help but who consents.
        let case = Case::new(&shop, "spent", plain).await;
        connected_for_short(&case).await;
        case.provider.lasting_trouble("/token", Trouble::AnswerLost);
        let log = not_started(&case).await;
        case.provider.end_trouble();
        let log = if log.contains("invalid_grant") { log } else { not_started(&case).await };
        assert!(log.contains("invalid_grant"), "{log}");
        let state = case.state().await;
        assert_eq!(state["status"], "Needs Reconnect", "{state}");
        assert!(state["reason"].as_str().unwrap().contains("invalid_grant"), "{state}");
        case.connect().await;
        assert!(case.works().await);
        let again = case.state().await;
        assert_eq!((&again["status"], &again["reason"]), (&json!("Connected"), &Value::Null));
        assert!(again["last_change"].as_str() > state["last_change"].as_str(), "{state} {again}");

        let case = Case::new(&shop, "client", plain).await;
        connected_for_short(&case).await;
        case.provision("another-secret").await;
        let echo = format!("invalid another-secret {}", case.provider.client_secret());
        case.provider.trouble("/token", 1, Trouble::OAuthError(echo));
        let log = not_started(&case).await;
        assert!(log.contains("invalid ********") && !log.contains("another-secret"), "{log}");
        assert!(!case.reason().await.contains("another-secret"));
        let log = not_started(&case).await;
        assert!(log.contains("invalid_client") && !log.contains("another-secret"), "{log}");
        assert_eq!(case.status().await, "Connected");
        assert!(case.reason().await.contains("invalid_client"));
        case.provision(case.provider.client_secret()).await;
        assert!(case.works().await);
        assert_eq!(case.reason().await, "");

        for (name, trouble, said) in [
            ("html", Trouble::Html, "neither JSON nor a form"),
            ("large", Trouble::Oversize(2 << 20), "bytes"),
        ] {
            let case = Case::new(&shop, name, plain).await;
            connected_for_short(&case).await;
            case.provider.lasting_trouble("/token", trouble);
            let log = not_started(&case).await;
            assert!(log.contains(said), "{log}");
            let state = case.state().await;
            assert!(state["status"] == "Connected" && state["reason"].as_str().unwrap().contains(said), "{state}");
            case.provider.end_trouble();
            assert!(case.works().await);
        }

        // What cannot be renewed is used to its end.
        let case = Case::new(&shop, "never", plain).await;
        case.provider.behave(|it| {
            it.refresh_tokens = RefreshTokens::Never;
            it.token_lifetime = Duration::from_secs(5);
        });
        case.connect().await;
        let token = case.given().await["ACCESS_TOKEN"].as_str().unwrap().to_owned();
        eventually("the token ends", || async {
            let is_live = case.provider.is_live(&token);
            let (run, _) = case.run().await;
            let is_started = run["status"]["phase"] == "Succeeded";
            assert!(is_started || !case.provider.is_live(&token), "{run}");
            (!is_live && !is_started).then_some(())
        }).await;
        let state = case.state().await;
        assert_eq!(state["status"], "Needs Reconnect", "{state}");
        assert!(state["reason"].as_str().unwrap().contains("no refresh token"), "{state}");
    }
}

both_databases! {
    async fn a_consent_brings_more_than_a_code(database) {
        let server = server(database).await;
        let names = ["denied", "away", "brought", "found", "chosen", "realm", "named", "forbidden"];
        let shop = Shop::new(&server, &names).await;
        let browser = Browser::new();

        let case = Case::new(&shop, "denied", |_| json!({})).await;
        let hostile = "<script>alert(1)</script>\u{202e}\n\"'&amp;".to_owned();
        case.provider.behave(|it| it.consent = Consent::Denied(hostile));
        let page = case.consent(&browser).await;
        assert!(page.status == 409 && page.text.contains("did not give its consent"), "{page:?}");
        assert!(page.text.contains("access_denied") && page.text.contains("alert(1)"), "{page:?}");
        assert!(!page.text.contains("<script>alert"), "{page:?}");
        assert_eq!(case.status().await, "Disconnected");

        // A consent that was given is kept where the system cannot be asked, and not where it refuses.
        let case = Case::new(&shop, "away", |_| json!({})).await;
        case.provider.trouble("/api/me", 1, Trouble::OAuthError("not for you".to_owned()));
        let page = case.consent(&browser).await;
        assert!(page.status == 422 && page.text.contains("<p>the check of the"), "{page:?}");
        assert_eq!(case.status().await, "Disconnected");
        case.provider.trouble("/api/me", 1, Trouble::Status(503));
        case.connect().await;

        // Tokens that were got elsewhere.
        let case = Case::new(&shop, "brought", |_| json!({})).await;
        let own = case.provider.credentials();
        let grant = [
            ("grant_type", "password"), ("username", &own.username), ("password", &own.password),
            ("client_id", &own.client_id), ("client_secret", &own.client_secret), ("scope", "read"),
        ];
        let got = browser.send(&case.provider.at("/token"), &grant).await;
        let got: Value = serde_json::from_str(&got.text).unwrap();
        let wrong = json!({"access_token": "a-wrong-token", "refresh_token": got["refresh_token"]});
        let refused = case.enter(wrong).await;
        assert!(refused.status == 422 && refused.text.contains("not known"), "{refused:?}");
        let tokens = json!({
            "access_token": got["access_token"], "refresh_token": got["refresh_token"], "expires_in": 2, "scope": "read",
        });
        case.enter(tokens).await.expect(200);
        assert!(case.given().await.get("REFRESH_TOKEN").is_none());
        renewed(&case).await;

        let case = Case::new(&shop, "found", |_| json!({"auth": {"discover": [
            {"request": {"url": "/userinfo"}, "values": {"email": "/email", "nothing": "/not/there"}},
        ]}, "secrets": {"whose": "{{email}}"}})).await;
        case.connect().await;
        let given = case.given().await;
        assert_eq!((&given["EMAIL"], &given["WHOSE"]), (&json!("person-1@example.com"), &json!("person-1@example.com")));
        assert!(given.get("NOTHING").is_none(), "{given}");
        case.provider.trouble("/userinfo", 1, Trouble::Html);
        let page = case.consent(&browser).await;
        assert!(page.status == 422 && page.text.contains("no JSON"), "{page:?}");
        assert!(case.works().await, "what was there stays");

        let case = Case::new(&shop, "chosen", |_| json!({"auth": {
            "token_headers": {"X-Of": "{{organisation}}"},
            "choice": {
                "label": "Which organisation?", "request": {"url": "/api/connections"}, "title": "/tenantName",
                "values": {"organisation": "/tenantId"},
            },
        }})).await;
        case.provider.behave(|it| it.organisations = vec!["First".to_owned(), "<b>Second & Co".to_owned()]);
        let link = case.address(json!({})).await;
        let page = browser.open(&link).await;
        assert_eq!((page.status, page.heading()), (200, "Connect Demo"), "{page:?}");
        assert!(page.text.contains("Which organisation?") && page.text.contains("First"), "{page:?}");
        assert!(page.text.contains("Second") && !page.text.contains("<b>Second"), "{page:?}");
        assert_eq!(case.status().await, "Disconnected");
        let token = page.attribute("type=\"hidden\"", "value");
        let to = format!("{}{}", server.url, page.attribute("<form", "action"));
        for wrong in ["2", "-1", "x", ""] {
            let page = browser.send(&to, &[("token", &token), ("choice", wrong)]).await;
            assert_eq!(page.status, 422, "{page:?}");
        }
        let stolen = Browser::new().send(&to, &[("token", &token), ("choice", "1")]).await;
        assert_eq!(stolen.status, 409, "{stolen:?}");
        let page = browser.send(&to, &[("token", &token), ("choice", "1")]).await;
        assert_eq!((page.status, page.heading()), (200, "Demo is connected"), "{page:?}");
        assert_eq!(browser.send(&to, &[("token", &token), ("choice", "0")]).await.status, 409);
        assert_eq!(browser.open(&link).await.status, 404, "the link is used up");
        assert_eq!(case.given().await["ORGANISATION"], "org-2");
        case.provider.behave(|it| it.organisations.truncate(1));
        case.connect().await;
        assert_eq!(case.given().await["ORGANISATION"], "org-1");
        case.provider.behave(|it| it.organisations.clear());
        let page = case.consent(&browser).await;
        assert!(page.status == 409 && page.text.contains("nothing to choose"), "{page:?}");
        assert!(case.works().await);

        let case = Case::new(&shop, "realm", |_| json!({"auth": {"callback": {"realm_id": "realmId"}},
            "check": {"url": "/api/me?of={{realm_id}}"}})).await;
        case.provider.behave(|it| it.callback_extra = vec![("realmId".to_owned(), "1&2 3".to_owned())]);
        case.connect().await;
        assert_eq!(case.given().await["REALM_ID"], "1&2 3");
        assert_eq!(case.last("/api/me").query_value("of").unwrap(), "1&2 3");

        let case = Case::new(&shop, "named", |_| json!({"auth": {"code_parameter": "spapi_oauth_code"}})).await;
        let page = case.consent(&browser).await;
        assert!(page.status == 409 && page.text.contains("neither a code nor an error"), "{page:?}");
        let mut begun = case.begun(&case.address(json!({})).await).await;
        begun.callback = begun.callback.replace("code=", "spapi_oauth_code=");
        let page = begun.back(true).await;
        assert!(page.status == 200 && page.text.contains("Demo is connected"), "{page:?}");
        assert!(case.works().await);

        // A page of something that stands before the provider is no word about the grant.
        let case = Case::new(&shop, "forbidden", |_| json!({})).await;
        connected_for_short(&case).await;
        case.provider.lasting_trouble("/token", Trouble::Status(403));
        not_started(&case).await;
        assert_eq!(case.status().await, "Connected");
        case.provider.end_trouble();
        assert!(case.works().await);
    }
}

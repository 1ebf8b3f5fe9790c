//! Links and the pages behind them: who may use one how often, and what a page says and does not say.

use marquetry_testkit::{
    Browser, Database, PageSeen, TestServer, Trouble, both_databases, eventually,
};
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::json;

use super::case::{Case, Shop};
use super::{put, server};

/// In place of a right value.
const WRONG: &str = "a-wrong-secret-7";

/// What every page must have: an address of it is a key.
fn assert_private(headers: &HeaderMap) {
    let header = |name: &str| headers.get(name).map_or("", |it| it.to_str().unwrap());
    assert!(header("cache-control").contains("no-store"), "{headers:?}");
    assert_eq!(header("referrer-policy"), "no-referrer", "{headers:?}");
    assert_eq!(header("x-content-type-options"), "nosniff", "{headers:?}");
    let policy = header("content-security-policy");
    assert!(
        policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
        "{headers:?}"
    );
}

fn assert_done(page: &PageSeen) {
    assert_eq!(
        (page.status, page.heading()),
        (200, "Demo is connected"),
        "{page:?}"
    );
    assert_private(&page.headers);
}

/// The status of the answer to what no browser would send.
async fn sent(server: &TestServer, method: Method, path: &str, body: &[u8]) -> u16 {
    let form = "application/x-www-form-urlencoded";
    let request = server.request(method, path);
    let request = request.header("content-type", form).body(body.to_vec());
    TestServer::answer(request).await.status
}

both_databases! {
    async fn a_consent_ends_once_and_where_it_began(database) {
        let server = server(database).await;
        let shop = Shop::new(&server, &["demo", "later", "gone"]).await;
        let case = Case::new(&shop, "demo", |_| json!({})).await;

        // Without its cookie: somebody was sent the address of another one's consent.
        let begun = case.begun(&case.address(json!({})).await).await;
        assert!(begun.cookie.starts_with("mq_connect="), "{}", begun.cookie);
        let page = begun.back(false).await;
        assert!(page.status == 409 && page.text.contains("another browser"), "{page:?}");
        assert_private(&page.headers);
        assert_eq!(case.status().await, "Disconnected");
        // The state is used up by that.
        assert_eq!(begun.back(true).await.status, 409);

        let begun = case.begun(&case.address(json!({})).await).await;
        assert_eq!(begun.back(true).await.status, 200);
        let page = begun.back(true).await;
        assert!(page.status == 409 && page.text.contains("used already"), "{page:?}");
        assert_eq!(case.provider.counters().codes_reused, 0);
        assert!(case.works().await, "the first one's token is good still");
        let before = case.state().await;

        // The state's time is up. The other database is a file of the server's own.
        if database == Database::Postgres {
            let old = case.begun(&case.address(json!({})).await).await;
            server.run_sql("UPDATE connect_attempts SET expires_at = 1").await;
            let page = old.back(true).await;
            assert!(page.status == 409 && page.text.contains("15 minutes"), "{page:?}");
        }

        // Connected again it is the same connection, changed now.
        case.connect().await;
        let after = case.state().await;
        assert!(after["last_change"].as_str() > before["last_change"].as_str(), "{before} {after}");
        assert_eq!(after["status"], "Connected");

        // A link for a customer works until it is revoked or has ended.
        let link = case.address(json!({"link": true})).await;
        let browser = Browser::new();
        for _ in 0..2 {
            assert_done(&browser.open(&link).await);
            assert_done(&Browser::new().open(&link).await);
        }
        let revoked = server.call(Method::DELETE, &case.path("connect"), None).await.expect(200);
        assert!(revoked["revoked"].as_i64().unwrap() >= 1, "{revoked}");
        let page = browser.open(&link).await;
        assert_eq!((page.status, page.heading()), (404, "This link does not work"));
        assert_private(&page.headers);
        let short = server.post(&case.path("connect"), json!({"link": true, "expires_in": 2})).await.expect(200);
        assert!(short["expires_date"].is_string(), "{short}");
        eventually("the link ends", || async {
            (browser.open(short["url"].as_str().unwrap()).await.status == 404).then_some(())
        }).await;
        for wrong in [json!(0), json!(-1), json!(i64::MAX)] {
            let answer = server.post(&case.path("connect"), json!({"expires_in": wrong})).await;
            assert_eq!(answer.status, 422, "{answer:?}");
        }

        // Nobody can connect what is not provisioned.
        let case = Case::new(&shop, "later", |_| json!({})).await;
        let link = case.address(json!({"link": true})).await;
        let provisioning = format!(
            "/v2/integrations/{}/connectors/later/provisioning", shop.scenario.integration
        );
        let client = json!({"values": {"client_id": "x"}});
        assert_eq!(put(&server, &provisioning, client).await.status, 422, "the secret is missing");
        case.define(json!({"provisioning": [
            {"name": "client_id", "required": true}, {"name": "client_secret", "secret": true, "required": true},
            {"name": "developer_token", "secret": true, "required": true},
        ]})).await;
        for answer in [
            server.post(&case.path("connect"), json!({})).await,
            case.enter(json!({"access_token": "t"})).await,
        ] {
            let why = answer.expect(409)["message"].as_str().unwrap().to_owned();
            assert!(why.contains("developer_token") && why.contains(&provisioning), "{why}");
        }
        let page = browser.open(&link).await;
        assert!(page.status == 409 && page.text.contains("not set up"), "{page:?}");
        assert!(!page.text.contains("/v2/"), "{page:?}");

        // Who is archived is not connected, by an old link or by a consent that was begun.
        let case = Case::new(&shop, "gone", |_| json!({})).await;
        let link = case.address(json!({"link": true})).await;
        let begun = case.begun(&link).await;
        let tenant = format!("/v2/tenants/{}", case.tenant);
        let archived = server.call(Method::DELETE, &tenant, None).await;
        assert!(archived.status < 300, "{archived:?}");
        assert_eq!(browser.open(&link).await.status, 404);
        assert_eq!(begun.back(true).await.status, 404);
    }
}

both_databases! {
    async fn a_form_says_what_is_wrong_and_never_what_is_secret(database) {
        let server = server(database).await;
        let shop = Shop::new(&server, &["key", "store", "many"]).await;
        let browser = Browser::new();

        let case = Case::new(&shop, "key", |_| json!({
            "auth": {"kind": "api_key", "inject": [{"in": "header", "name": "X-Api-Key", "value": "{{api_key}}"}]},
            "provisioning": [],
            "fields": [
                {"name": "account", "label": "Account <i>", "pattern": "[0-9]+", "placeholder": "1234", "required": true},
                {"name": "api_key", "label": "Key", "secret": true, "required": true},
            ],
            "check": {"url": "/api/key"}, "help": "Ask <b>Ada</b>.",
        })).await;
        let link = case.address(json!({"link": true})).await;
        let page = browser.open(&link).await;
        assert_eq!((page.status, page.heading()), (200, "Connect Demo"), "{page:?}");
        assert_private(&page.headers);
        assert!(!page.text.contains("<b>Ada") && !page.text.contains("Account <i>"), "{page:?}");

        let key = &*case.provider.credentials().api_key;
        let page = browser.send(&link, &[("account", "\"><script>x"), ("api_key", key)]).await;
        assert!(page.status == 422 && page.text.contains("an example is 1234"), "{page:?}");
        assert!(page.attribute("name=\"account\"", "aria-invalid") == "true", "{page:?}");
        assert!(!page.text.contains(key) && !page.text.contains("<script>x"), "{page:?}");
        assert!(page.text.contains("x\""), "what is no secret is there to be mended: {page:?}");
        let page = browser.send(&link, &[("account", "12"), ("api_key", WRONG)]).await;
        assert!(page.status == 422 && page.text.contains("the key is not known"), "{page:?}");
        assert!(!page.text.contains(WRONG) && page.text.contains("value=\"12\""), "{page:?}");
        assert_private(&page.headers);
        let page = browser.send(&link, &[("account", "12")]).await;
        assert!(page.status == 422 && page.text.contains("is required"), "{page:?}");
        case.provider.trouble("/api/key", 1, Trouble::Status(503));
        let page = browser.send(&link, &[("account", "12"), ("api_key", key)]).await;
        assert!(page.status == 422 && page.text.contains("try again"), "{page:?}");
        assert!(!page.text.contains("check=false"), "{page:?}");
        assert_eq!(case.status().await, "Disconnected");
        assert_done(&browser.send(&link, &[("account", "12"), ("api_key", key), ("more", "x")]).await);
        assert_eq!(case.given().await, json!({"ACCOUNT": "12", "API_KEY": key}));
        // Opened again it shows what was entered, but for the secret.
        let page = browser.open(&link).await;
        assert!(page.text.contains("value=\"12\"") && !page.text.contains(key), "{page:?}");

        // What the provider's address needs is asked for first.
        let case = Case::new(&shop, "store", |provider| json!({
            "auth": {"authorize_url": provider.at("/authorize?shop={{shop}}")},
            "fields": [{"name": "shop", "label": "Shop", "type": "host", "required": true}],
        })).await;
        let link = case.address(json!({})).await;
        let page = browser.open(&link).await;
        assert!(page.status == 200 && page.text.contains("Continue to Demo"), "{page:?}");
        assert_eq!(case.provider.requests_to("/authorize").len(), 0);
        let page = browser.send(&link, &[("shop", "evil.test/x?y")]).await;
        assert!(page.status == 422 && page.text.contains("without https://"), "{page:?}");
        let page = browser.send(&link, &[("shop", "acme.example")]).await;
        assert_eq!((page.status, page.heading()), (200, "Continuing to Demo"), "{page:?}");
        assert_private(&page.headers);
        let next = page.attribute("class=\"button\"", "href");
        assert_done(&browser.open(&next).await);
        assert_eq!(case.last("/authorize").query_value("shop").unwrap(), "acme.example");
        assert_eq!(case.given().await["SHOP"], "acme.example");
        assert_eq!(browser.open(&link).await.status, 404);

        // Whatever comes in is answered.
        let case = Case::new(&shop, "many", |_| json!({"fields": [{"name": "shop"}]})).await;
        let link = case.address(json!({"link": true})).await;
        let path = link.strip_prefix(&server.url).unwrap();
        let long = "x".repeat(60_000);
        let queries = [
            "", "?", "?state", "?state=", "?state=%00&code=%ff%fe", "?state=a&state=b&code=c", "?%", "?=&=&&",
            "?state=%F0%9F%92%A9&code=1&error=%3Cscript%3E", "?error=x&error_description=y", "?state[]=1",
            &format!("?state={long}"),
        ];
        for query in queries {
            let answer = server.get(&format!("/v0/author/callback/oauth2{query}")).await;
            assert!((400..500).contains(&answer.status), "{query:.80}: {answer:?}");
        }
        for token in ["x", "mql_", "%00", "%ff", "..%2f..", "%3Cscript%3E", "choose", "device/x", "device/%00", &long[..6000]] {
            for method in [Method::GET, Method::POST, Method::HEAD] {
                let answer = sent(&server, method, &format!("/link/{token}"), b"a=b").await;
                assert!((400..500).contains(&answer), "{token:.80}: {answer}");
            }
        }
        let bodies: [&[u8]; 7] = [b"", b"\xff\xfe\x00", b"%", b"shop=%00", b"{\"shop\": 1}", b"shop=%ff&&&==", &vec![b'x'; 3 << 20]];
        for body in bodies {
            for to in [path, "/link/choose"] {
                let answer = sent(&server, Method::POST, to, body).await;
                assert!(answer < 500, "{to} {:?}: {answer}", body.get(..20));
            }
        }
        assert_eq!(case.status().await, "Disconnected");
    }
}

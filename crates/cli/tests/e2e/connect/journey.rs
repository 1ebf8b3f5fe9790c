//! The whole life of a connection by OAuth 2.

use std::time::Duration;

use marquetry_testkit::{Browser, both_databases, eventually};
use reqwest::Method;
use serde_json::{Value, json};

use super::{Ground, server};

both_databases! {
    async fn a_consent_reaches_the_code_and_its_end_is_told(database) {
        let server = server(database).await;
        let ground = Ground::new(&server, json!({})).await;
        let provider = &ground.provider;

        // Before: nothing is there, and a run does without.
        assert_eq!(ground.state().await["status"], "Disconnected");
        let (run, given) = ground.run().await;
        assert_eq!((&run["status"]["phase"], given), (&json!("Succeeded"), json!({})));
        let keys = format!("/v2/integrations/{}/connectors/demo/secret-keys", ground.scenario.integration);
        let keys = server.get(&keys).await.expect(200);
        let names: Vec<&str> = keys["names"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
        assert!(names.contains(&"PAN_SEC_DEMO_ACCESS_TOKEN"), "{names:?}");
        assert!(!names.iter().any(|it| it.contains("REFRESH")), "{names:?}");

        // Consent.
        let browser = Browser::new();
        let url = ground.address(json!({})).await;
        let page = browser.open(&url).await;
        assert_eq!((page.status, page.heading()), (200, "Demo is connected"), "{page:?}");
        let state = ground.state().await;
        assert_eq!((&state["status"], &state["reason"]), (&json!("Connected"), &Value::Null));
        let tenant = server.get(&format!("/v2/tenants/{}", ground.tenant)).await.expect(200);
        assert_eq!(tenant["status"]["auth"]["connected"], true);
        assert_eq!(tenant["status"]["auth"]["connectors"][0]["status"], "Connected");
        // The way of somebody who is there works once.
        assert_eq!(browser.open(&url).await.status, 404);

        // The code has the token; the log does not.
        let (run, given) = ground.run().await;
        let token = given["PAN_SEC_DEMO_ACCESS_TOKEN"].as_str().unwrap().to_owned();
        assert!(provider.is_live(&token), "{given}");
        assert_eq!(given["PAN_SEC_DEMO_CLIENT_ID"], provider.client_id());
        // What the code prints for the next run is kept without it, and stays JSON.
        assert!(run["std_out"].as_str().unwrap().contains(r#""OPEN":"token ********""#), "{run}");
        assert!(given["PAN_SEC_DEMO_EXPIRES_AT"].as_str().unwrap().parse::<i64>().is_ok());
        assert!(given.get("PAN_SEC_DEMO_REFRESH_TOKEN").is_none(), "{given}");
        let log = ground.scenario.log(&run).await;
        assert!(log.contains("the code was started") && !log.contains(&token), "{log}");
        assert!(log.contains("PAN_SEC_DEMO_ACCESS_TOKEN"), "{log}");

        // A token that would end during the run is renewed before it.
        provider.behave(|it| it.token_lifetime = Duration::from_secs(4));
        let url = ground.address(json!({"link": true})).await;
        assert_eq!(browser.open(&url).await.heading(), "Demo is connected");
        let (_, given) = ground.run().await;
        let short = given["PAN_SEC_DEMO_ACCESS_TOKEN"].clone();
        let next = eventually("the token is renewed", || async {
            let (_, given) = ground.run().await;
            let token = given["PAN_SEC_DEMO_ACCESS_TOKEN"].clone();
            (token != short).then(|| token.as_str().unwrap().to_owned())
        })
        .await;
        assert!(next.starts_with(provider.marker()) && provider.counters().refreshes > 0);

        // The customer took the consent back: the code is not started, and the reason stands there.
        provider.revoke_all();
        let ended = eventually("the provider refuses", || async {
            let (run, _) = ground.run().await;
            (run["status"]["phase"] != "Succeeded").then_some(run)
        })
        .await;
        assert_eq!(ended["status"]["phase"], "Failed (Refresh)", "{ended}");
        assert!(!ground.scenario.log(&ended).await.contains("the code was started"));
        let state = ground.state().await;
        assert_eq!(state["status"], "Needs Reconnect", "{state}");
        assert!(state["reason"].as_str().unwrap().contains("invalid_grant"), "{state}");

        // The same link connects it again.
        provider.behave(|it| it.token_lifetime = Duration::from_secs(3600));
        assert_eq!(browser.open(&url).await.heading(), "Demo is connected");
        let (run, given) = ground.run().await;
        assert_eq!(run["status"]["phase"], "Succeeded");
        let next = given["PAN_SEC_DEMO_ACCESS_TOKEN"].as_str().unwrap().to_owned();
        assert_eq!(provider.counters().refresh_tokens_reused, 0);

        // Disconnected: given back, and gone.
        let done = server.patch(&ground.path("disconnect"), json!({})).await.expect(200);
        assert_eq!(done["status"], "Disconnected");
        assert!(!provider.is_live(&next));
        let (_, given) = ground.run().await;
        assert_eq!(given, json!({}));

        // A link that is revoked works no more.
        let revoked = server.call(Method::DELETE, &ground.path("connect"), None).await;
        assert_eq!(revoked.expect(200)["revoked"], 1);
        assert_eq!(browser.open(&url).await.status, 404);
    }
}

//! Codes and what they are good for.

use std::time::Duration;

use marquetry_testkit::{ClientAuthentication, Consent, Pkce, Provider};
use reqwest::Method;

use crate::client::{
    CALLBACK, CHALLENGE, answer, ask, authorize, call, code, exchange, form, request,
};

#[tokio::test]
async fn a_code_gives_tokens_once() {
    let provider = Provider::start().await;
    provider.behave(|b| b.callback_extra = vec![("realmId".into(), "123".into())]);
    let back = authorize(&provider, &[]).await;
    assert_eq!(back.field("state").as_deref(), Some("a b&c"));
    assert_eq!(back.field("from").as_deref(), Some("provider"));
    assert_eq!(back.field("realmId").as_deref(), Some("123"));

    let code = code(&provider).await;
    let tokens = ask(&provider, "/token", &exchange(&code)).await;
    assert_eq!(tokens.status, 200, "{tokens:?}");
    assert_eq!(tokens.headers["cache-control"], "no-store");
    assert_eq!(tokens.json()["expires_in"], 3600);
    assert_eq!(tokens.field("scope"), "read write");
    let access = tokens.field("access_token");
    assert!(access.starts_with(provider.marker()));
    assert!(provider.is_live(&access));
    let me = call(&provider, "/api/me", &access).await;
    assert_eq!(
        (me.field("token"), me.field("sub")),
        (access.clone(), "person-1".into())
    );
    assert_eq!(
        call(&provider, "/userinfo", &access).await.field("sub"),
        "person-1"
    );

    // Who has the code too may have stolen it: what came of it ends.
    let again = ask(&provider, "/token", &exchange(&code)).await;
    assert_eq!(again.error(), (400, "invalid_grant".into()));
    assert!(!provider.is_live(&access));
    assert_eq!(provider.counters().codes_reused, 1);
}

#[tokio::test]
async fn a_code_is_for_who_asked_for_it() {
    let provider = Provider::start().await;
    let invalid_grant = || (400, "invalid_grant".to_owned());
    for (field, value) in [
        ("code", "another"),
        ("redirect_uri", "http://127.0.0.1:9/callback"),
        (
            "code_verifier",
            "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXK",
        ),
        ("code_verifier", "short"),
        ("code_verifier", ""),
    ] {
        let code = code(&provider).await;
        let mut fields = exchange(&code);
        fields.retain(|(name, _)| *name != field);
        fields.push((field, value));
        let refused = ask(&provider, "/token", &fields).await;
        assert_eq!(refused.error(), invalid_grant(), "{field} {value}");
        // The code itself is still good.
        let taken = ask(&provider, "/token", &exchange(&code)).await;
        assert_eq!(taken.status, 200, "{taken:?}");
    }
    // A verifier to a code without a challenge.
    let bare = authorize(&provider, &[]).await.field("code").unwrap();
    let refused = ask(&provider, "/token", &exchange(&bare)).await;
    assert_eq!(refused.error(), invalid_grant());

    let late = code(&provider).await;
    provider.advance(Duration::from_secs(61));
    let refused = ask(&provider, "/token", &exchange(&late)).await;
    assert_eq!(refused.error(), invalid_grant());
    assert_eq!(provider.counters().refused, 7);
}

#[tokio::test]
async fn a_client_proves_who_it_is_in_one_way() {
    let provider = Provider::start().await;
    let (id, secret) = (provider.client_id(), provider.client_secret());
    let grant = ("grant_type", "client_credentials");
    let status = async |request| answer(request).await.status;
    let by_body = |secret| {
        let fields = [grant, ("client_id", id), ("client_secret", secret)];
        form(&provider, "/token", &fields)
    };
    let by_header = |secret| form(&provider, "/token", &[grant]).basic_auth(id, Some(secret));
    let both = || by_body(secret).basic_auth(id, Some(secret));
    let public = || form(&provider, "/token", &[grant, ("client_id", id)]);
    for (taken, statuses) in [
        (ClientAuthentication::Either, [200, 200, 400, 401]),
        (ClientAuthentication::Basic, [401, 200, 400, 401]),
        (ClientAuthentication::Body, [200, 401, 400, 401]),
        (ClientAuthentication::Public, [401, 401, 400, 200]),
    ] {
        provider.behave(|b| b.client_authentication = taken);
        let found = [
            status(by_body(secret)).await,
            status(by_header(secret)).await,
            status(both()).await,
            status(public()).await,
        ];
        assert_eq!(found, statuses, "{taken:?}");
    }
    provider.behave(|b| b.client_authentication = ClientAuthentication::Either);
    let refused = answer(by_header("wrong")).await;
    assert_eq!(refused.error(), (401, "invalid_client".into()));
    assert_eq!(
        refused.headers["www-authenticate"],
        r#"Basic realm="provider""#
    );
    let refused = answer(by_body("wrong")).await;
    assert_eq!(refused.error(), (401, "invalid_client".into()));
}

#[tokio::test]
async fn consent_is_refused_where_it_belongs() {
    let provider = Provider::start().await;
    let plain = [("code_challenge", CHALLENGE)];
    let back = authorize(&provider, &plain).await;
    assert_eq!(back.field("error").as_deref(), Some("invalid_request"));
    provider.behave(|b| b.pkce = Pkce::Required);
    let back = authorize(&provider, &[]).await;
    assert_eq!(back.field("error").as_deref(), Some("invalid_request"));
    provider.behave(|b| {
        b.pkce = Pkce::Optional;
        b.consent = Consent::Denied("not & today".into());
    });
    let back = authorize(&provider, &[]).await;
    assert_eq!(back.field("error").as_deref(), Some("access_denied"));
    let description = back.field("error_description");
    assert_eq!(description.as_deref(), Some("not & today"));
    assert_eq!(back.field("state").as_deref(), Some("a b&c"));

    // To an address that is not known nobody is sent.
    provider.register_callback("https://example.com/other");
    for id in [provider.client_id(), "another"] {
        let fields = [
            ("response_type", "code"),
            ("client_id", id),
            ("redirect_uri", CALLBACK),
        ];
        let asked = request(&provider, Method::GET, "/authorize").query(&fields);
        assert_eq!(answer(asked).await.status, 400);
    }
    assert_eq!(provider.counters().codes, 0);
}

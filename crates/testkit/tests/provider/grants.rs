//! The ways to tokens without a browser.

use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use marquetry_testkit::{Consent, Provider, RequestBody, ServiceAccount};
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{answer, ask, call, form, request};

const NOW: i64 = 1_800_000_000;

#[tokio::test]
async fn a_client_acts_for_itself_or_with_a_password() {
    let provider = Provider::start().await;
    let fields = [("grant_type", "client_credentials"), ("scope", "read")];
    let own = ask(&provider, "/token", &fields).await;
    assert_eq!(own.json().get("refresh_token"), None);
    let me = call(&provider, "/api/me", &own.field("access_token")).await;
    assert_eq!(
        (me.field("grant"), me.field("scope")),
        ("client_credentials".into(), "read".into())
    );

    let credentials = provider.credentials();
    let mut body = json!({
        "grant_type": "password",
        "client_id": provider.client_id(),
        "client_secret": provider.client_secret(),
        "username": credentials.username,
        "password": credentials.password,
    });
    let send =
        async |body: &Value| answer(request(&provider, Method::POST, "/token").json(body)).await;
    let taken = send(&body).await;
    assert!(provider.can_refresh(&taken.field("refresh_token")));
    provider.behave(|b| b.request_body = RequestBody::Form);
    assert_eq!(send(&body).await.error(), (400, "invalid_request".into()));
    provider.behave(|b| b.request_body = RequestBody::Json);
    body["password"] = json!("wrong");
    assert_eq!(send(&body).await.error(), (400, "invalid_grant".into()));
    let refused = ask(&provider, "/token", &fields).await;
    assert_eq!(refused.error(), (400, "invalid_request".into()));
}

#[tokio::test]
async fn a_device_waits_for_the_person() {
    let provider = Provider::start().await;
    let id = ("client_id", provider.client_id());
    let begin = async || ask(&provider, "/device", &[id]).await;
    let poll = async |code: &str| {
        provider.advance(Duration::from_secs(1));
        let grant = "urn:ietf:params:oauth:grant-type:device_code";
        let fields = [("grant_type", grant), ("device_code", code)];
        ask(&provider, "/token", &fields).await
    };
    let forged = form(&provider, "/device", &[id, ("client_secret", "wrong")]);
    assert_eq!(answer(forged).await.error(), (401, "invalid_client".into()));
    let device = begin().await;
    let code = device.field("device_code");
    assert_eq!(device.json()["interval"], 1);
    assert_eq!(
        poll(&code).await.error(),
        (400, "authorization_pending".into())
    );
    provider.behave(|b| b.device_interval = Duration::from_secs(5));
    assert_eq!(
        poll(&code).await.error(),
        (400, "authorization_pending".into())
    );
    assert_eq!(poll(&code).await.error(), (400, "slow_down".into()));
    provider.behave(|b| b.device_interval = Duration::ZERO);
    provider.advance(Duration::from_secs(5));
    let page = device.field("verification_uri_complete");
    let page = page.strip_prefix(provider.url()).unwrap();
    assert_eq!(
        answer(request(&provider, Method::GET, page)).await.status,
        200
    );
    let tokens = poll(&code).await;
    assert!(provider.is_live(&tokens.field("access_token")));
    assert_eq!(poll(&code).await.error(), (400, "invalid_grant".into()));

    let denied = begin().await;
    provider.behave(|b| b.consent = Consent::Denied("no".into()));
    assert!(provider.decide_device(&denied.field("user_code")));
    let code = denied.field("device_code");
    assert_eq!(poll(&code).await.error(), (400, "access_denied".into()));
    let late = begin().await.field("device_code");
    provider.advance(Duration::from_secs(600));
    assert_eq!(poll(&late).await.error(), (400, "expired_token".into()));
}

#[tokio::test]
async fn an_assertion_is_signed_for_here_and_now() {
    let provider = Provider::start().await;
    provider.set_time(NOW);
    let account = provider.service_account("robot");
    let other = Provider::start().await.service_account("robot");
    let good = json!({
        "iss": "robot", "sub": "person-9", "aud": account.audience, "iat": NOW, "exp": NOW + 600,
    });
    let taken = assert_with(&provider, &account, &good).await;
    let me = call(&provider, "/api/me", &taken.field("access_token")).await;
    assert_eq!(me.field("sub"), "person-9");

    let forged = assert_with(&provider, &other, &good).await;
    assert_eq!(forged.error(), (400, "invalid_grant".into()));
    for (claim, value) in [
        ("iss", json!("somebody")),
        ("aud", json!("https://example.com/token")),
        ("exp", json!(NOW - 1)),
        ("exp", json!(NOW + 7200)),
        ("iat", json!(NOW + 600)),
    ] {
        let mut claims = good.clone();
        claims[claim] = value;
        let refused = assert_with(&provider, &account, &claims).await;
        assert_eq!(refused.error(), (400, "invalid_grant".into()), "{claims}");
    }
}

async fn assert_with(
    provider: &Provider,
    account: &ServiceAccount,
    claims: &Value,
) -> crate::client::Answer {
    let lines = account.private_key.lines();
    let der: String = lines.filter(|line| !line.starts_with('-')).collect();
    let key = RsaKeyPair::from_pkcs8(&STANDARD.decode(der).unwrap()).unwrap();
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = json!({"alg": "RS256", "typ": "JWT"});
    let message = format!("{}.{}", part(&header), part(claims));
    let mut signature = vec![0; key.public_modulus_len()];
    let random = SystemRandom::new();
    key.sign(
        &RSA_PKCS1_SHA256,
        &random,
        message.as_bytes(),
        &mut signature,
    )
    .unwrap();
    let assertion = format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature));
    let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    let fields = [("grant_type", grant), ("assertion", &assertion)];
    answer(form(provider, "/token", &fields)).await
}

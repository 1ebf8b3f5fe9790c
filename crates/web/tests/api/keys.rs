//! Keys of the API.

use serde_json::json;

use crate::client::Client;

#[tokio::test]
async fn the_text_is_shown_once_and_the_key_works_until_it_is_revoked() {
    let client = Client::new().await;
    let wanted = json!({"name": "ci", "scopes": ["sync", "read"]});
    let made = client.post("/v2/keys", wanted).await.expect(201);
    let text = made["key"].as_str().unwrap();
    assert!(text.starts_with(made["prefix"].as_str().unwrap()));
    assert_eq!(made["scopes"], json!(["read", "sync"]));
    let list = client.get("/v2/keys").await;
    assert!(!list.text().contains(text));
    assert_eq!(list.expect(200).as_array().unwrap().len(), 2);
    let path = format!("/v2/keys/{}", made["id"]);
    let revoked = client.delete(&path).await.expect(200);
    assert_eq!(revoked["name"], "ci");
    assert!(revoked.get("key").is_none());
    client.delete(&path).await.expect(404);
}

#[tokio::test]
async fn an_end_in_the_past_and_unknown_scopes_are_refused() {
    let client = Client::new().await;
    let past = json!({"name": "a", "expires_date": "2020-01-01T00:00:00Z"});
    let fault = &client.post("/v2/keys", past).await.expect(422)["detail"][0];
    assert_eq!(fault["loc"], json!(["body", "expires_date"]));
    let wrong = json!({"name": "a", "expires_date": "soon", "scopes": ["root"]});
    let faults = client.post("/v2/keys", wrong).await.expect(422);
    assert_eq!(faults["detail"][0]["loc"], json!(["body", "scopes", 0]));
    assert_eq!(faults["detail"][0]["type"], "enum");
    assert_eq!(faults["detail"][1]["type"], "datetime_parsing");
}

//! What a developer is given for a run at home.

use http::Method;
use marquetry_testkit::both_databases;
use serde_json::{Value, json};

use crate::client::{Answer, Client};

async fn with_key(client: &Client, key: &str, path: &str) -> Answer {
    let request = http::Request::builder().uri(path).header("x-api-key", key);
    client
        .send(request.body(axum::body::Body::empty()).unwrap())
        .await
}

async fn key(client: &Client, scope: &str) -> (i64, String) {
    let wanted = json!({"name": scope, "scopes": [scope]});
    let made = client.post("/v2/keys", wanted).await.expect(201);
    (
        made["id"].as_i64().unwrap(),
        made["key"].as_str().unwrap().to_owned(),
    )
}

both_databases! {
    async fn plain_secrets_take_a_scope_and_a_setting_and_are_noted(database) {
        let client = Client::served(database).await;
        let shop = client.integration("shop").await;
        let form = json!({"schema": {"properties": {"token": {"type": "string", "format": "password"}}}});
        client.inside.release_with_form(shop, "v1", Some(form), None).await;
        let path = format!("/v2/integrations/{shop}");
        let change = json!({"connectors": [{"name": "generic", "isGlobal": false}, {"name": "github", "isGlobal": false}]});
        client.patch(&path, change).await.expect(200);
        let wanted = json!({"name": "acme", "integration_id": shop, "configs": {"token": "of acme"}});
        client.post("/v2/tenants", wanted).await.expect(200);
        let values = json!({"values": {"api_key": "of the system"}}).to_string();
        let credentials = "/v2/tenants/1/connectors/generic/credentials?check=false";
        client.raw(Method::PUT, credentials, values).await.expect(200);

        // Masked, it tells the names of what is connected.
        let masked = client.get("/v2/tenants/1/environment").await.expect(200);
        assert_eq!(masked["PAN_CFG_TOKEN"], "********");
        assert_eq!(masked["PAN_SEC_GENERIC_API_KEY"], "********");
        let connected: Vec<&String> = masked.as_object().unwrap().keys().filter(|it| it.starts_with("PAN_SEC_")).collect();
        assert_eq!(connected, ["PAN_SEC_GENERIC_API_KEY"]);

        let plain = "/v2/tenants/1/environment?secrets=plain";
        let (id, local) = key(&client, "local_run").await;
        let (_, read) = key(&client, "read").await;
        with_key(&client, &local, plain).await.expect(409);
        client.patch(&path, json!({"local_run": "plain"})).await.expect(200);
        // Neither who may read nor the owner, who may do everything else, is given them.
        with_key(&client, &read, plain).await.expect(403);
        client.get(plain).await.expect(403);
        with_key(&client, &local, "/v2/tenants/1/environment").await.expect(403);
        assert_eq!(client.get("/v2/audit").await.expect(200), json!([]));

        let given = with_key(&client, &local, plain).await.expect(200);
        assert_eq!(given["PAN_CFG_TOKEN"], "of acme");
        assert_eq!(given["PAN_SEC_GENERIC_API_KEY"], "of the system");
        let noted = client.get("/v2/audit?tenant_id=1").await.expect(200);
        let seen: Vec<(&Value, &Value)> = noted.as_array().unwrap().iter().map(|it| (&it["action"], &it["key_id"])).collect();
        assert_eq!(seen, [(&json!("environment.plain"), &json!(id))]);
        assert_eq!(client.get("/v2/audit?tenant_id=2").await.expect(200), json!([]));
    }
}

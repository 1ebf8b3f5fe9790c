//! A credential goes to none but the hosts that its definition names.

use std::collections::BTreeMap;

use marquetry_app::connections::credentials::{Owner, credentials_put};
use marquetry_app::connectors::connector_put;
use marquetry_testkit::{Database, StandIn};
use serde_json::json;

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn another_host_is_not_sent_the_credential() {
    let world = World::new(Database::Sqlite, &["demo"]).await;
    let other = StandIn::start(|_| (200, json!({}))).await;
    let definition = json!({
        "name": "demo",
        "title": "Demo",
        "auth": {"kind": "api_key", "inject": [
            {"in": "header", "name": "X-Key", "value": "{{key}}"}
        ]},
        "fields": [{"name": "key", "secret": true, "required": true}],
        "base_url": world.stand_in.url(),
        "check": {"url": format!("{}/me", other.url())},
    });
    let ctx = world.inside.system();
    connector_put(&ctx, "demo", definition.to_string().as_bytes())
        .await
        .unwrap();
    let values = BTreeMap::from([("key".to_owned(), Some("s3cret".to_owned()))]);
    let owner = Owner::Tenant(world.tenant);
    let refused = credentials_put(&ctx, owner, "demo", values, true)
        .await
        .unwrap_err();
    assert!(
        format!("{refused:?}").contains("none of the connector's hosts"),
        "{refused:?}"
    );
    assert_eq!(other.take_requests().len(), 0);
    assert_eq!(world.stand_in.take_requests().len(), 0);
}

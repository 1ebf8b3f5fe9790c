//! The walk with keys that may do no more than each request takes: what is refused changes nothing,
//! and what is done is answered as everybody's.

use std::collections::BTreeMap;

use marquetry_testkit::both_databases;
use serde_json::json;

use super::script::{Kind, Step, steps};
use super::{Walk, operations};
use crate::client::Client;

/// What each route that changes something takes; the others take `read`.
const SCOPES: [(&str, &[&str]); 35] = [
    ("createIntegration", &["write"]),
    ("updateIntegration", &["write"]),
    ("archiveIntegration", &["write"]),
    ("setDefaultRelease", &["write"]),
    ("rotatePushHook", &["write"]),
    ("createBuild", &["write"]),
    ("cancelBuild", &["write"]),
    ("uploadRelease", &["write"]),
    ("createTenant", &["write"]),
    ("updateTenant", &["write"]),
    ("replaceTenantConfigs", &["write"]),
    ("archiveTenant", &["write"]),
    ("patchTenantMetadata", &["write"]),
    ("setTenantState", &["write"]),
    ("bulkTenants", &["write"]),
    ("syncTenant", &["sync"]),
    ("runTenant", &["sync"]),
    ("syncByIntegration", &["sync"]),
    ("cancelTrigger", &["sync"]),
    ("cancelRun", &["sync"]),
    // The walk's has settings, which only who may write them gives.
    ("rerunRun", &["sync", "write"]),
    ("createKey", &["admin"]),
    ("revokeKey", &["admin"]),
    ("rotateVault", &["admin"]),
    ("putConnector", &["admin"]),
    ("deleteConnector", &["admin"]),
    ("putProvisioning", &["credentials"]),
    ("putTenantCredentials", &["credentials"]),
    ("putIntegrationCredentials", &["credentials"]),
    ("connectTenantConnector", &["credentials"]),
    ("connectIntegrationConnector", &["credentials"]),
    ("revokeTenantLinks", &["credentials"]),
    ("revokeIntegrationLinks", &["credentials"]),
    ("disconnectConnector", &["credentials"]),
    ("disconnectIntegrationConnector", &["credentials"]),
];

/// Whoever has a key may read what there is to ask for.
const ANY_KEY: &str = "getOpenApi";

fn scopes(operation: &str) -> &'static [&'static str] {
    if ["listKeys", "getVault", "listAudit"].contains(&operation) {
        return &["admin"];
    }
    let found = SCOPES.iter().find(|(name, _)| *name == operation);
    found.map_or(&["read"], |(_, scopes)| scopes)
}

#[test]
fn every_route_that_changes_something_names_its_scope() {
    let mut changing: Vec<String> = Vec::new();
    for (name, operation) in operations() {
        if operation.method != http::Method::GET && !operation.is_open() {
            changing.push(name);
        }
    }
    let mut named = SCOPES.map(|(name, _)| name.to_owned()).to_vec();
    named.sort_unstable();
    assert_eq!(named, changing);
}

async fn key(client: &Client, scopes: &[&str]) -> String {
    let wanted = json!({"name": scopes.join(" and "), "scopes": scopes});
    let made = client.post("/v2/keys", wanted).await.expect(201);
    made["key"].as_str().unwrap().to_owned()
}

both_databases! {
    async fn a_key_with_what_a_route_takes_alone_gets_its_answer(database) {
        let mut walk = Walk::new(Client::served(database).await);
        // The one that the walk revokes.
        key(&walk.client, &["read"]).await;
        let mut keys = BTreeMap::new();
        for scopes in [&["read"][..], &["sync"], &["write"], &["sync", "write"], &["credentials"], &["admin"]] {
            keys.insert(scopes, key(&walk.client, scopes).await);
        }
        for step in steps() {
            let request = match step {
                Step::Node(act) => {
                    walk.act(act).await;
                    continue;
                }
                Step::Request(request) => request,
            };
            let needed = scopes(request.operation);
            let open = walk.operations[request.operation].is_open() || request.operation == ANY_KEY;
            for other in [&["read"][..], &["sync"], &["write"]] {
                if other == needed || open || request.kind != Kind::Happy {
                    continue;
                }
                // What a body asks for may take a scope more than the route.
                if request.body.is_empty() && other.iter().all(|scope| needed.contains(scope)) {
                    continue;
                }
                let path = walk.path(&request);
                let refused = walk.send_with(&keys[other], request.method, &path, request.body).await;
                assert_eq!(refused.expect(403), json!({"detail": "Not authorized"}), "{other:?} {request:?}");
            }
            let status = walk.request_with(&keys[needed], request).await;
            assert!(open || status != 403, "{request:?}");
        }
    }
}

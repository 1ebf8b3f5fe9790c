//! Runs that the platform ends: who closes them, and which are repeated.

use std::time::Duration;

use marquetry_testkit::both_databases;
use serde_json::{Value, json};

use crate::client::Client;

/// Longer than a lease, and than what clocks may differ by.
const LONG: Duration = Duration::from_secs(120);

async fn waiting(client: &Client, tenant: i64) -> bool {
    let found = client
        .get(&format!("/v2/tenants/{tenant}/explain"))
        .await
        .expect(200);
    let found = found["sentences"].as_array().unwrap().iter();
    found
        .map(|sentence| sentence["text"].as_str().unwrap().to_owned())
        .any(|text| text.contains(" waits: "))
}

async fn log(client: &Client, run: i64) -> String {
    let link = client.get(&format!("/v2/runs/{run}/log")).await;
    let place = link.header("location").to_owned();
    client
        .get(&place[place.find("/logs/").unwrap()..])
        .await
        .text()
}

both_databases! {
    async fn what_its_node_could_not_end_is_repeated_once(database) {
        let client = Client::served(database).await;
        let tenant = client.runnable().await;
        client.patch("/v2/integrations/1", json!({"retry": "platform"})).await.expect(200);
        let sync = format!("/v2/tenants/{tenant}/sync?mode=normal");
        client.post(&sync, Value::Null).await.expect(202);
        let (run, claim) = client.inside.take_run().await;
        client.inside.cut_off_run(&run, &claim).await;
        assert!(waiting(&client, tenant).await);
        let said = log(&client, run.id.get()).await;
        assert!(said.contains("the server was stopped while this ran; it is run again, once"), "{said}");
        let (again, claim) = client.inside.take_run().await;
        assert_eq!(again.rerun_of, Some(run.id));
        client.inside.cut_off_run(&again, &claim).await;
        assert!(!waiting(&client, tenant).await, "not for ever");
        let said = log(&client, again.id.get()).await;
        assert!(said.contains("the run is closed"), "{said}");
    }
}

both_databases! {
    async fn nobody_asked_for_a_repetition(database) {
        let client = Client::served(database).await;
        let tenant = client.runnable().await;
        let sync = format!("/v2/tenants/{tenant}/sync?mode=normal");
        client.post(&sync, Value::Null).await.expect(202);
        let (run, claim) = client.inside.take_run().await;
        client.inside.cut_off_run(&run, &claim).await;
        assert!(!waiting(&client, tenant).await);
    }
}

both_databases! {
    async fn a_node_closes_nothing_that_it_executes_itself(database) {
        let client = Client::served(database).await;
        let tenant = client.runnable().await;
        let sync = format!("/v2/tenants/{tenant}/sync?mode=normal");
        client.post(&sync, Value::Null).await.expect(202);
        let (run, claim) = client.inside.take_run().await;
        // As by a clock that was set on.
        client.inside.clock.advance(LONG);
        assert_eq!(client.inside.reap_beside(&[run.id]).await, 0);
        client.inside.end_run(&run, &claim, "{}").await;
        client.post(&sync, Value::Null).await.expect(202);
        client.inside.take_run().await;
        client.inside.clock.advance(LONG);
        assert_eq!(client.inside.reap_beside(&[run.id]).await, 1, "another's");
    }
}

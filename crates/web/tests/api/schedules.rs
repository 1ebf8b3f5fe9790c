//! Schedules as a client sees them: asked for, spread, due, passed over.

use std::time::Duration;

use marquetry_model::Clock as _;
use marquetry_testkit::both_databases;
use serde_json::{Value, json};

use crate::client::Client;

const MINUTE: Duration = Duration::from_secs(60);

/// The sources of what waits for or was run by the tenant's first runs.
async fn trigger_count(client: &Client, tenant: i64) -> usize {
    let (run, claim) = client.inside.take_run().await;
    client.inside.end_run(&run, &claim, "{}").await;
    let runs = client
        .get(&format!("/v2/tenants/{tenant}/runs?limit=1"))
        .await
        .expect(200);
    let triggers = runs[0]["triggers"].as_array().unwrap();
    for trigger in triggers {
        assert_eq!(
            (&trigger["source"], &trigger["mode"]),
            (&json!("cron"), &json!("normal"))
        );
    }
    triggers.len()
}

async fn scheduled(client: &Client, settings: Value, body: Value) -> Value {
    let integration = client.integration("shop").await;
    client
        .patch(&format!("/v2/integrations/{integration}"), settings)
        .await
        .expect(200);
    client.inside.release(integration, "v1").await;
    let mut wanted = json!({"name": "acme", "integration_id": integration});
    for (key, value) in body.as_object().cloned().unwrap_or_default() {
        wanted[key] = value;
    }
    client.post("/v2/tenants", wanted).await.expect(200)
}

both_databases! {
async fn what_is_asked_for_is_spread_and_stays(database) {
    let client = Client::served(database).await;
    let made = scheduled(&client, json!({}), json!({"user_schedule": "0 6 * * *"})).await;
    assert_eq!(made["user_schedule"], "0 6 * * *");
    let schedule = made["schedule"].as_str().unwrap();
    let minute: u32 = schedule.strip_suffix(" 6 * * *").unwrap().parse().unwrap();
    assert!(minute < 60);
    let path = format!("/v2/tenants/{}", made["id"]);
    let renamed = client
        .patch(&path, json!({"name": "other"}))
        .await
        .expect(200);
    assert_eq!(
        renamed["schedule"], schedule,
        "the same until another is asked for"
    );
    let integration = format!("/v2/integrations/{}", made["integration_id"]);
    let randomization = json!({"schedule_randomization": "off"});
    client.patch(&integration, randomization).await.expect(200);
    let again = json!({"user_schedule": "0 6 * * *"});
    let again = client.patch(&path, again).await.expect(200);
    assert_eq!(again["schedule"], schedule, "the same wish moves nothing");
    let randomization = json!({"schedule_randomization": "minute"});
    client.patch(&integration, randomization).await.expect(200);
    let changed = client
        .patch(&path, json!({"user_schedule": "17 6 * * *"}))
        .await
        .expect(200);
    assert_eq!(
        changed["schedule"], "17 6 * * *",
        "an explicit minute is meant"
    );
    let again = client
        .patch(&path, json!({"user_schedule": "0 6 * * *"}))
        .await
        .expect(200);
    assert_eq!(again["schedule"], schedule, "stable for the tenant");
    let none = client
        .patch(&path, json!({"user_schedule": null}))
        .await
        .expect(200);
    assert_eq!(
        (&none["user_schedule"], &none["schedule"]),
        (&Value::Null, &Value::Null)
    );
}
}

both_databases! {
async fn the_integration_gives_the_default_and_the_randomization(database) {
    let client = Client::served(database).await;
    let settings = json!({"default_schedule": "0 * * * *", "schedule_randomization": "off"});
    let made = scheduled(&client, settings, json!({})).await;
    assert_eq!(made["user_schedule"], Value::Null);
    assert_eq!(made["schedule"], "0 * * * *");
}
}

#[tokio::test]
async fn nonsense_is_refused_and_says_where() {
    let client = Client::new().await;
    client.integration("shop").await;
    for wrong in [
        "61 * * * *",
        "* * * * * *",
        "",
        "@often",
        "0 0 30 2 *",
        "5/10 * * * *",
    ] {
        let body = json!({"name": "acme", "integration_id": 1, "user_schedule": wrong});
        let answer = client.post("/v2/tenants", body).await.expect(422);
        assert_eq!(
            answer["detail"][0]["loc"],
            json!(["body", "user_schedule"]),
            "{wrong}: {answer}"
        );
        let body =
            json!({"default_schedule": wrong, "schedule_choices": [{"label": "x", "cron": wrong}]});
        let answer = client.patch("/v2/integrations/1", body).await.expect(422);
        assert_eq!(
            answer["detail"].as_array().unwrap().len(),
            2,
            "{wrong}: {answer}"
        );
    }
    let tenant = client.tenant(1, "acme").await;
    for wrong in ["Mars/Olympus", "localtime", "posixrules", "Factory", ""] {
        let body = json!({"timezone": wrong});
        let path = format!("/v2/tenants/{tenant}");
        let answer = client.patch(&path, body).await.expect(422);
        let loc = &answer["detail"][0]["loc"];
        assert_eq!(*loc, json!(["body", "timezone"]), "{wrong}");
    }
}

/// What an older version took must not hold up the change of something else.
#[tokio::test]
async fn a_schedule_from_before_a_rule_is_no_fault_of_another_change() {
    let client = Client::new().await;
    let tenant = client.runnable().await;
    let old = |tenant: &mut marquetry_model::Tenant| {
        tenant.user_schedule = Some("0 0 30 2 *".to_owned());
        tenant.timezone = Some("localtime".to_owned());
    };
    client.inside.set_tenant(tenant, old).await;
    let path = format!("/v2/tenants/{tenant}");
    let named = client
        .patch(&path, json!({"name": "other"}))
        .await
        .expect(200);
    assert_eq!(named["timezone"], "localtime");
    let mended = json!({"timezone": "Europe/Berlin", "user_schedule": "@daily"});
    client.patch(&path, mended).await.expect(200);
}

both_databases! {
async fn a_schedule_fires_when_it_is_due_and_what_piles_up_goes_together(database) {
    let client = Client::served(database).await;
    let asked = json!({"user_schedule": "* * * * *", "paused": false});
    let tenant = scheduled(&client, json!({}), asked).await["id"]
        .as_i64()
        .unwrap();
    assert_eq!(client.inside.fire_schedules().await, 0, "not yet");
    client.inside.clock.advance(MINUTE);
    assert_eq!(client.inside.fire_schedules().await, 1);
    assert_eq!(client.inside.fire_schedules().await, 0, "once");
    client.inside.clock.advance(MINUTE);
    assert_eq!(client.inside.fire_schedules().await, 1);
    assert_eq!(trigger_count(&client, tenant).await, 2);
}
}

both_databases! {
async fn cron_runs_first_and_alone(database) {
    let client = Client::served(database).await;
    let asked = json!({"user_schedule": "* * * * *", "paused": false});
    let tenant = scheduled(&client, json!({}), asked).await["id"]
        .as_i64()
        .unwrap();
    let path = format!("/v2/tenants/{tenant}/sync?mode=normal");
    client.post(&path, Value::Null).await.expect(202);
    client.inside.clock.advance(MINUTE);
    client.inside.fire_schedules().await;
    assert_eq!(trigger_count(&client, tenant).await, 1);
    let (run, _) = client.inside.take_run().await;
    let run = client
        .get(&format!("/v2/runs/{}", run.id))
        .await
        .expect(200);
    assert_eq!(run["triggers"][0]["source"], "api");
}
}

both_databases! {
async fn after_downtime_it_fires_once(database) {
    let client = Client::served(database).await;
    let asked = json!({"user_schedule": "* * * * *", "paused": false});
    scheduled(&client, json!({}), asked).await;
    client.inside.clock.advance(100 * MINUTE);
    assert_eq!(client.inside.fire_schedules().await, 1);
    assert_eq!(client.inside.fire_schedules().await, 0);
}
}

both_databases! {
async fn what_is_paused_stands_still(database) {
    let client = Client::served(database).await;
    let asked = json!({"user_schedule": "* * * * *"});
    let tenant = scheduled(&client, json!({}), asked).await["id"].clone();
    let path = format!("/v2/tenants/{tenant}");
    client.inside.clock.advance(2 * MINUTE);
    assert_eq!(
        client.inside.fire_schedules().await,
        0,
        "a new tenant is paused"
    );
    client
        .patch(&path, json!({"paused": false}))
        .await
        .expect(200);
    assert_eq!(
        client.inside.fire_schedules().await,
        0,
        "what was missed is not made up for"
    );
    client.inside.clock.advance(MINUTE);
    assert_eq!(client.inside.fire_schedules().await, 1);
    client
        .patch("/v2/integrations/1", json!({"paused": true}))
        .await
        .expect(200);
    client.inside.clock.advance(MINUTE);
    assert_eq!(
        client.inside.fire_schedules().await,
        0,
        "the integration is paused"
    );
    client
        .patch("/v2/integrations/1", json!({"paused": false}))
        .await
        .expect(200);
    client.inside.clock.advance(MINUTE);
    assert_eq!(client.inside.fire_schedules().await, 1);
    client.delete(&path).await.expect(200);
    client.inside.clock.advance(MINUTE);
    assert_eq!(client.inside.fire_schedules().await, 0, "archived");
}
}

both_databases! {
async fn without_a_release_a_tick_is_passed_over(database) {
    let client = Client::served(database).await;
    client.integration("shop").await;
    let body =
        json!({"name": "acme", "integration_id": 1, "user_schedule": "* * * * *", "paused": false});
    client.post("/v2/tenants", body).await.expect(200);
    client.inside.clock.advance(MINUTE);
    assert_eq!(client.inside.fire_schedules().await, 0);
    client.inside.release(1, "v1").await;
    client.inside.clock.advance(MINUTE);
    assert_eq!(client.inside.fire_schedules().await, 1);
}
}

both_databases! {
async fn a_time_zone_decides_what_the_hour_means(database) {
    let client = Client::served(database).await;
    // It is 20:00 in London and 05:00 of the next day in Tokyo.
    let asked = json!({"user_schedule": "30 5 * * *", "timezone": "Asia/Tokyo", "paused": false});
    scheduled(&client, json!({}), asked).await;
    client.inside.clock.advance(29 * MINUTE);
    assert_eq!(client.inside.fire_schedules().await, 0);
    client.inside.clock.advance(MINUTE);
    assert_eq!(client.inside.fire_schedules().await, 1);
}
}

both_databases! {
async fn another_change_does_not_lose_a_tick_that_is_due(database) {
    let client = Client::served(database).await;
    let asked = json!({"user_schedule": "* * * * *", "paused": false});
    let tenant = scheduled(&client, json!({}), asked).await["id"].clone();
    client.inside.clock.advance(MINUTE);
    let path = format!("/v2/tenants/{tenant}");
    client
        .patch(&path, json!({"configs": {"a": 1}}))
        .await
        .expect(200);
    assert_eq!(client.inside.fire_schedules().await, 1);
}
}

/// A tenant's preview and the instants in it.
async fn preview(client: &Client, tenant: &Value, query: &str) -> (Value, Vec<String>) {
    let path = format!("/v2/tenants/{tenant}/schedule/preview{query}");
    let found = client.get(&path).await.expect(200);
    let times = found["next"].as_array().unwrap().iter();
    let times = times.map(|at| at.as_str().unwrap().to_owned()).collect();
    (found, times)
}

both_databases! {
async fn the_next_times_are_those_that_fire(database) {
    let client = Client::served(database).await;
    let asked = json!({"user_schedule": "0 * * * *", "paused": false});
    let tenant = scheduled(&client, json!({}), asked).await["id"].clone();
    let (found, times) = preview(&client, &tenant, "").await;
    assert_eq!((times.len(), &found["timezone"]), (10, &json!("UTC")));
    assert_eq!(found["paused"], false);
    let shown = client
        .get(&format!("/v2/tenants/{tenant}"))
        .await
        .expect(200);
    assert_eq!(found["schedule"], shown["schedule"], "as run, not as typed");
    for at in &times[..2] {
        let at = marquetry_model::Timestamp::parse(at).unwrap();
        let wait = at.since(client.inside.clock.now());
        let almost = wait.saturating_sub(Duration::from_millis(1));
        client.inside.clock.advance(almost);
        assert_eq!(client.inside.fire_schedules().await, 0, "before {at}");
        client.inside.clock.advance(Duration::from_millis(1));
        assert_eq!(client.inside.fire_schedules().await, 1, "at {at}");
    }
    let (_, later) = preview(&client, &tenant, "?count=3").await;
    assert_eq!(later, times[2..5]);
}
}

both_databases! {
async fn a_preview_crosses_a_change_of_clocks_and_is_bounded(database) {
    let client = Client::served(database).await;
    client
        .inside
        .clock
        .advance(Duration::from_hours(24 * 124 + 1));
    let asked = json!({"user_schedule": "30 2 * * *", "timezone": "Europe/Berlin"});
    let tenant = scheduled(&client, json!({}), asked).await["id"].clone();
    let (found, times) = preview(&client, &tenant, "?count=3").await;
    assert_eq!(found["paused"], true, "a new tenant is paused");
    assert_eq!(found["timezone"], "Europe/Berlin");
    assert_eq!(
        times,
        [
            "2027-03-28T01:00:00.000Z",
            "2027-03-29T00:30:00.000Z",
            "2027-03-30T00:30:00.000Z"
        ],
        "02:30 does not exist on the 28th"
    );
    assert_eq!(preview(&client, &tenant, "?count=9999").await.1.len(), 100);
    assert!(preview(&client, &tenant, "?count=0").await.1.is_empty());
    let path = format!("/v2/tenants/{tenant}");
    let none = json!({"user_schedule": null});
    client.patch(&path, none).await.expect(200);
    let (found, times) = preview(&client, &tenant, "").await;
    assert_eq!((&found["schedule"], times.len()), (&Value::Null, 0));
    client.delete(&path).await.expect(200);
    let gone = client.get(&format!("{path}/schedule/preview")).await;
    gone.expect(404);
}
}

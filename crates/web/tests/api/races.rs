//! Requests that meet at the same row at the same time, on both databases.

use futures_util::future::{join, join_all};
use marquetry_testkit::both_databases;
use serde_json::json;

use crate::client::{Answer, Client};

/// How many of the answers have this status; the others must have `refusal`.
#[track_caller]
fn count(answers: &[Answer], success: [u16; 2], refusal: u16) -> usize {
    let is_success = |answer: &&Answer| success.contains(&answer.status.as_u16());
    for answer in answers.iter().filter(|answer| !is_success(answer)) {
        assert_eq!(answer.status.as_u16(), refusal, "{}", answer.text());
    }
    answers.iter().filter(is_success).count()
}

both_databases! {
    async fn of_many_tenants_that_take_a_name_at_once_one_has_it(database) {
        let client = Client::served(database).await;
        client.integration("shop").await;
        let mut ids = Vec::new();
        for n in 0..3 {
            ids.push(client.tenant(1, &format!("t{n}")).await);
        }
        for round in 0..8 {
            let name = format!("same-{round}");
            let renamed = ids.iter().map(|id| {
                let path = format!("/v2/tenants/{id}");
                let body = json!({"name": name});
                let client = &client;
                async move { client.patch(&path, body).await }
            });
            let made = client.post("/v2/tenants", json!({"name": name, "integration_id": 1}));
            let (mut answers, made) = join(join_all(renamed), made).await;
            answers.push(made);
            assert_eq!(count(&answers, [200, 200], 422), 1, "{answers:?}");
            for answer in answers.iter().filter(|answer| answer.status == 422) {
                assert_eq!(answer.expect(422)["detail"][0]["loc"], json!(["body", "name"]));
            }
        }
    }
}

both_databases! {
    async fn of_many_integrations_that_take_a_name_at_once_one_has_it(database) {
        let client = Client::served(database).await;
        let mut ids = Vec::new();
        for n in 0..3 {
            ids.push(client.integration(&format!("i{n}")).await);
        }
        for round in 0..8 {
            let name = format!("same-{round}");
            let renamed = ids.iter().map(|id| {
                let path = format!("/v2/integrations/{id}");
                let body = json!({"name": name});
                let client = &client;
                async move { client.patch(&path, body).await }
            });
            let body = json!({"name": name, "long_name": "Made"});
            let made = client.post("/v2/integrations", body);
            let (mut answers, made) = join(join_all(renamed), made).await;
            answers.push(made);
            assert_eq!(count(&answers, [200, 201], 409), 1, "{answers:?}");
            let taken = format!("an integration named {name} exists; choose another name or archive it");
            for answer in answers.iter().filter(|answer| answer.status == 409) {
                assert_eq!(answer.expect(409), json!({"message": taken}));
            }
        }
    }
}

both_databases! {
    async fn an_archived_integration_has_no_live_tenant_and_no_open_build(database) {
        let client = Client::served(database).await;
        for round in 0..8 {
            let id = client.integration(&format!("shop-{round}")).await;
            let made = (0..3).map(|n| {
                let client = &client;
                let tenant = json!({"name": format!("t{n}"), "integration_id": id});
                let build = json!({"tag": format!("v{n}"), "integration_id": id});
                async move {
                    let made = client.post("/v2/tenants", tenant).await;
                    (made, client.post("/v2/sourcecontrol/build", build).await)
                }
            });
            let path = format!("/v2/integrations/{id}?cascade=true");
            let (made, archived) = join(join_all(made), client.delete(&path)).await;
            archived.expect(200);
            let (tenants, builds): (Vec<_>, Vec<_>) = made.into_iter().unzip();
            count(&tenants, [200, 200], 422);
            count(&builds, [201, 201], 422);
            let live = client.get(&format!("/v2/tenants?integration_id={id}")).await;
            assert_eq!(live.expect(200), json!([]), "round {round}");
            let builds = client.get(&format!("/v2/builds?integration_id={id}")).await.expect(200);
            for build in builds.as_array().unwrap() {
                assert_eq!(build["status"], "Cancelled", "round {round}: {build}");
            }
        }
    }
}

both_databases! {
    async fn a_build_that_outlives_its_integration_makes_no_release(database) {
        let client = Client::served(database).await;
        client.integration("shop").await;
        for tag in ["v1", "v2"] {
            let body = json!({"tag": tag, "integration_id": 1});
            client.post("/v2/sourcecontrol/build", body).await.expect(201);
        }
        let claim = client.inside.take_build().await;
        client.delete("/v2/integrations/1").await.expect(200);
        let waiting = client.get("/v2/builds/2").await.expect(200);
        assert_eq!(waiting["status"], "Cancelled");
        assert_eq!(waiting["message"], "cancelled: its integration was archived");
        // It was done already when it was asked to stop.
        let ended = client.inside.finish_build(&claim, 1, "v1").await;
        assert_eq!(ended.release_ids, []);
        let ended = client.get("/v2/builds/1").await.expect(200);
        assert_eq!(ended["status"], "Cancelled");
        assert_eq!(ended["message"], "cancelled: its integration was archived");
        assert_eq!(client.get("/v2/integrations/1/releases").await.expect(200), json!([]));
    }
}

both_databases! {
    async fn a_run_that_is_being_removed_is_not_found_to_repeat_it(database) {
        let client = Client::served(database).await;
        let tenant = client.runnable().await;
        let path = format!("/v2/tenants/{tenant}");
        for _ in 0..2 {
            client.run(&path, "normal", "{}").await;
        }
        let asked = client.post("/v2/runs/1/rerun", json!({}));
        let refused = client.inside.remove_runs_while(asked).await;
        assert_eq!(refused.expect(404), json!({"message": "run 1 was not found"}));
    }
}

both_databases! {
    async fn a_tenant_that_an_older_version_left_behind_is_not_run(database) {
        let client = Client::served(database).await;
        let tenant = client.runnable().await;
        client.inside.archive_integration_alone(1).await;
        let path = format!("/v2/tenants/{tenant}/sync?mode=normal");
        let refused = client.post(&path, json!({})).await;
        assert_eq!(refused.expect(404), json!({"message": "tenant 1 was not found"}));
    }
}

both_databases! {
    async fn archiving_an_integration_and_changing_its_tenants_do_not_wait_in_a_circle(database) {
        let client = Client::served(database).await;
        for round in 0..12 {
            let id = client.integration(&format!("shop-{round}")).await;
            client.inside.release(id, "v1").await;
            let mut changes = Vec::new();
            for n in 0..4 {
                let tenant = client.tenant(id, &format!("t{n}")).await;
                let path = format!("/v2/tenants/{tenant}");
                client.post(&format!("{path}/sync?mode=normal"), json!({})).await.expect(202);
                let client = &client;
                changes.push(async move {
                    match n % 2 {
                        0 => client.delete(&path).await,
                        _ => client.patch(&path, json!({"paused": false})).await,
                    }
                });
            }
            let path = format!("/v2/integrations/{id}?cascade=true");
            let (changed, archived) = join(join_all(changes), client.delete(&path)).await;
            archived.expect(200);
            count(&changed, [200, 200], 404);
        }
    }
}

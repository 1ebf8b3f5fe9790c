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

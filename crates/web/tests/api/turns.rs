//! Integrations take turns for the places of a node.

use marquetry_testkit::both_databases;
use serde_json::json;

use crate::client::Client;

both_databases! {
    async fn a_flood_of_one_integration_does_not_hold_up_another(database) {
        let client = Client::served(database).await;
        for name in ["flood", "calm"] {
            let id = client.integration(name).await;
            client.inside.release(id, "v1").await;
        }
        for n in 1..=30 {
            let body = json!({"name": format!("t{n}"), "integration_id": 1});
            client.post("/v2/tenants", body).await.expect(200);
            client.post(&format!("/v2/tenants/{n}/sync?mode=normal"), json!({})).await.expect(202);
        }
        let (first, first_claim) = client.inside.take_run().await;
        let (_second, _claim) = client.inside.take_run().await;
        let body = json!({"name": "late", "integration_id": 2});
        client.post("/v2/tenants", body).await.expect(200);
        client.post("/v2/tenants/31/sync?mode=normal", json!({})).await.expect(202);
        client.inside.end_run(&first, &first_claim, "{}").await;
        let (next, claim) = client.inside.take_run().await;
        assert_eq!(next.tenant_id.get(), 31, "the first place that is free is the newcomer's");
        client.inside.end_run(&next, &claim, "{}").await;
        let (next, _) = client.inside.take_run().await;
        assert_eq!(next.tenant_id.get(), 3, "then in the order in which they fell due");
    }
}

both_databases! {
    async fn every_second_run_of_an_integration_is_a_tenants_first(database) {
        let client = Client::served(database).await;
        let id = client.integration("shop").await;
        client.inside.release(id, "v1").await;
        let sync = async |n: i64, mode: &str| {
            client.post(&format!("/v2/tenants/{n}/sync?mode={mode}"), json!({})).await.expect(202);
        };
        for n in 1..=7 {
            let body = json!({"name": format!("t{n}"), "integration_id": 1});
            client.post("/v2/tenants", body).await.expect(200);
        }
        for n in 1..=4 {
            sync(n, "normal").await;
            let (run, claim) = client.inside.take_run().await;
            client.inside.clock.advance(std::time::Duration::from_secs(1));
            client.inside.end_run(&run, &claim, "{}").await;
        }
        // Four that ran are due for long, each with two runs, before three come that never did.
        for n in 1..=4 {
            sync(n, "normal").await;
            sync(n, "init").await;
        }
        client.inside.clock.advance(std::time::Duration::from_secs(3600));
        for n in [6, 5, 7] {
            sync(n, "normal").await;
            client.inside.clock.advance(std::time::Duration::from_secs(1));
        }
        let mut order = Vec::new();
        for _ in 0..11 {
            let (run, claim) = client.inside.take_run().await;
            client.inside.clock.advance(std::time::Duration::from_secs(1));
            client.inside.end_run(&run, &claim, "{}").await;
            order.push(run.tenant_id.get());
        }
        assert_eq!(order, [1, 6, 2, 5, 3, 7, 4, 1, 2, 3, 4]);
    }
}

both_databases! {
    async fn a_tenant_that_has_just_run_goes_to_the_end(database) {
        let client = Client::served(database).await;
        let id = client.integration("shop").await;
        client.inside.release(id, "v1").await;
        for n in 1..=3 {
            let body = json!({"name": format!("t{n}"), "integration_id": 1});
            client.post("/v2/tenants", body).await.expect(200);
            // Their first runs have a lane of their own.
            client.post(&format!("/v2/tenants/{n}/sync?mode=normal"), json!({})).await.expect(202);
            let (run, claim) = client.inside.take_run().await;
            client.inside.end_run(&run, &claim, "{}").await;
        }
        for n in 1..=3 {
            for mode in ["normal", "init", "normal"] {
                client.post(&format!("/v2/tenants/{n}/sync?mode={mode}"), json!({})).await.expect(202);
            }
        }
        let mut order = Vec::new();
        for _ in 0..6 {
            let (run, claim) = client.inside.take_run().await;
            client.inside.clock.advance(std::time::Duration::from_secs(1));
            client.inside.end_run(&run, &claim, "{}").await;
            order.push(run.tenant_id.get());
        }
        assert_eq!(order, [1, 2, 3, 1, 2, 3]);
    }
}

both_databases! {
    async fn runs_that_end_together_are_stored_together(database) {
        let client = Client::served(database).await;
        let id = client.integration("shop").await;
        client.inside.release(id, "v1").await;
        for n in 1..=6 {
            let body = json!({"name": format!("t{n}"), "integration_id": 1});
            client.post("/v2/tenants", body).await.expect(200);
            client.post(&format!("/v2/tenants/{n}/sync?mode=normal"), json!({})).await.expect(202);
        }
        let mut taken = Vec::new();
        for _ in 0..3 {
            taken.push(client.inside.take_run().await);
        }
        // Out of the order of their tenants, and one whose claim somebody else has taken.
        taken.reverse();
        taken[1].1.attempt += 1;
        let finished = client.inside.end_runs(&taken, 2).await;
        assert_eq!(finished.kept, [true, false, true]);
        let next: Vec<_> = finished.jobs.iter().map(|job| job.run.tenant_id.get()).collect();
        assert_eq!(next, [4, 5], "no more than there are places");
        let phase = async |run: i64| {
            let run = client.get(&format!("/v2/runs/{run}")).await.expect(200);
            run["status"]["phase"].as_str().unwrap().to_owned()
        };
        let ids: Vec<i64> = taken.iter().map(|(run, _)| run.id.get()).collect();
        assert_eq!(phase(ids[0]).await, "Succeeded");
        assert_eq!(phase(ids[1]).await, "Running", "a late end changes nothing");
        assert_eq!(phase(ids[2]).await, "Succeeded");
    }
}

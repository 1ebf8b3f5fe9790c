//! Runs that are over take no memory.

use marquetry_testkit::{Scenario, TestServer, both_databases, manifest};
use serde_json::json;

use crate::bundling::all_at_once;
use crate::options;
use crate::usage::anonymous;

/// Tenants that run at the same time.
const TENANTS: usize = 25;
/// Runs of each before the first look: what is needed for any run is there by then.
const FIRST: usize = 8;
/// Runs of each after that.
const MORE: usize = 40;
/// KiB that those 1,000 may leave behind, pages of SQLite's caches among them: a leak of 5 KiB a run is
/// found.
const LEFT: u64 = 5_000;

/// Runs of each tenant, one after another for each.
async fn run(scenario: &Scenario<'_>, tenants: &[i64], count: usize) {
    let runs = tenants.iter().map(|tenant| async move {
        for _ in 0..count {
            let trigger = scenario.sync(*tenant).await;
            scenario.over(&trigger).await;
        }
    });
    all_at_once(runs.collect()).await;
}

both_databases! {
    async fn runs_that_are_over_take_no_memory(database) {
        let server = TestServer::start(options(database)).await;
        let files = [("PANDIUM.yaml", &*manifest("echo a line >&2; echo '{}'"))];
        let scenario = Scenario::new(&server, "shop", &files, json!({})).await;
        scenario.release("v1").await;
        let mut tenants = Vec::new();
        for n in 0..TENANTS {
            tenants.push(scenario.tenant(&format!("t{n}")).await);
        }
        run(&scenario, &tenants, FIRST).await;
        let few = anonymous(server.pid());
        run(&scenario, &tenants, MORE).await;
        let many = anonymous(server.pid());
        let path = "/v2/runs?phase=Succeeded&sort_by=id__DESC&limit=1";
        let newest = server.get(path).await.expect(200);
        assert_eq!(newest[0]["id"], TENANTS * (FIRST + MORE), "none was two triggers'");
        let left = many.saturating_sub(few);
        assert!(left <= LEFT, "{left} KiB more after {} runs more", TENANTS * MORE);
    }
}

//! What a server keeps beside its database stays bounded, however many releases are built and run.

use std::path::Path;

use marquetry_testkit::{Scenario, TestServer, both_databases, eventually, manifest};
use serde_json::json;

use crate::options;

/// Releases, each run once.
const RELEASES: usize = 8;
/// Bytes of each, and of what its build leaves in the package cache, which no compression makes smaller.
const SIZE: u64 = 400 << 10;
/// Of the unpacked releases, and of each package cache.
const MIB: u64 = 1 << 20;

/// Bytes of all files below a folder.
fn size(folder: &Path) -> u64 {
    let mut sum = 0;
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let about = entry.metadata();
        sum += match about {
            Ok(about) if about.is_dir() => size(&entry.path()),
            Ok(about) => about.len(),
            Err(_) => 0,
        };
    }
    sum
}

both_databases! {
    async fn folders_stay_within_their_bounds(database) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("marquetry.toml");
        std::fs::write(&file, "[limits]\nartifact_cache_mb = 1\n[build]\ncache_mb = 1\n").unwrap();
        let options = options(database).with("--config").with(&file.display().to_string());
        let server = TestServer::start(options).await;
        let data = server.data_dir.path();
        let build = format!(
            "head -c {SIZE} /dev/urandom > data && head -c {SIZE} /dev/urandom > $npm_config_cache-$(date +%N)"
        );
        let code = manifest("test -s data && echo '{}'").replace("'true'", &json!(build).to_string());
        let files = [("PANDIUM.yaml", &*code)];
        let scenario = Scenario::new(&server, "grows", &files, json!({})).await;
        scenario.release("v0").await;
        let tenant = scenario.tenant("t").await;
        let mut sizes = Vec::new();
        for n in 1..=RELEASES {
            let run = scenario.run(tenant).await;
            assert_eq!(run["status"]["phase"], "Succeeded", "{run}");
            // What is in use stays, whatever the bound: one release more at most.
            eventually("unpacked releases leave", || async {
                (size(&data.join("artifacts")) <= MIB + SIZE + 4096).then_some(())
            }).await;
            assert!(size(&data.join("cache")) <= MIB, "{n}: the package cache");
            eventually("what a run or build was given is gone", || async {
                (size(&data.join("work")) == 0).then_some(())
            }).await;
            sizes.push(size(&data.join("uploads")) + size(&data.join("sandbox")));
            scenario.repository.commit(&[("change", &n.to_string())]);
            scenario.release(&format!("v{n}")).await;
        }
        assert!(sizes.iter().all(|size| *size == sizes[0]), "{sizes:?}");
        // Their artifacts are what is kept.
        assert!(size(&data.join("blobs")) >= SIZE * RELEASES as u64);
    }
}

//! Integrations with several manifests, and releases that would have one name.

use marquetry_testkit::{Scenario, both_databases, manifest};
use serde_json::{Value, json};

use crate::server;

fn saying(word: &str) -> String {
    manifest(&format!("python3 -c 'print(\"{{\\\"{word}\\\": 1}}\")'"))
}

/// The names of a build's releases.
async fn names(scenario: &Scenario<'_>, build: &Value) -> Vec<String> {
    let path = format!(
        "/v2/integrations/{}/releases?limit=500",
        scenario.integration
    );
    let all = scenario.server.get(&path).await.expect(200);
    let name = |id: &Value| {
        let of = |release: &&Value| release["id"] == *id;
        let release = all.as_array().unwrap().iter().find(of).unwrap();
        release["name"].as_str().unwrap().to_owned()
    };
    build["release_ids"]
        .as_array()
        .unwrap()
        .iter()
        .map(name)
        .collect()
}

both_databases! {
    async fn each_manifest_is_a_release_that_runs_in_its_folder(database) {
        let server = server(database).await;
        let here = manifest("python3 main.py");
        let files = [
            ("PANDIUM.yaml", here.as_str()), ("main.py", "import sys; sys.exit('this is root')"),
            ("crm/PANDIUM.yaml", here.as_str()), ("crm/main.py", "import sys; sys.exit('this is crm')"),
        ];
        let paths = json!({"repository_path": ["PANDIUM.yaml", "crm"]});
        let scenario = Scenario::new(&server, "several", &files, paths).await;
        let build = scenario.release("v1").await;
        assert_eq!(
            names(&scenario, &build).await,
            ["several-v1-pandium-yaml", "several-v1-crm-pandium-yaml"]
        );
        for (n, at) in ["root", "crm"].into_iter().enumerate() {
            let tenant = scenario.tenant(at).await;
            let release = json!({"integration_release_id": build["release_ids"][n]});
            server.patch(&format!("/v2/tenants/{tenant}"), release).await.expect(200);
            let run = scenario.run(tenant).await;
            let log = scenario.log(&run).await;
            assert!(log.contains(&format!("this is {at}")), "{log}");
        }
    }
}

both_databases! {
    async fn latest_is_the_first_of_several(database) {
        let server = server(database).await;
        let files = [("PANDIUM.yaml", saying("root")), ("crm/PANDIUM.yaml", saying("crm"))];
        let files = files.each_ref().map(|(path, text)| (*path, text.as_str()));
        let scenario = Scenario::new(&server, "first", &files, json!({})).await;
        scenario.release("v1").await;
        let tenant = scenario.tenant("t").await;
        let path = format!("/v2/integrations/{}", scenario.integration);
        // A second path adds a release, and moves nobody to it.
        let both = json!({"repository_path": ["PANDIUM.yaml", "crm"]});
        server.patch(&path, both).await.expect(200);
        let build = scenario.release("v2").await;
        let [first, second] = [0, 1].map(|n| build["release_ids"][n].clone());
        for asked in [format!("/v2/tenants/{tenant}/release"), format!("{path}/releases/latest"), format!("{path}/releases/default")] {
            let found = server.get(&asked).await.expect(200);
            assert_eq!((&found["id"], &found["manifest_path"]), (&first, &json!("PANDIUM.yaml")), "{asked}");
        }
        let run = scenario.run(tenant).await;
        assert_eq!(run["std_out"], "{\"root\": 1}");
        let other = server.get(&format!("{path}/releases/{second}")).await.expect(200);
        assert_eq!(other["counts_as_latest"], false);
        // Who wants the second one names it, or puts it first.
        let turned = json!({"repository_path": ["crm", "PANDIUM.yaml"]});
        server.patch(&path, turned).await.expect(200);
        scenario.release("v3").await;
        assert_eq!(scenario.run(tenant).await["std_out"], "{\"crm\": 1}");
    }
}

both_databases! {
    async fn releases_that_would_have_one_name_are_counted(database) {
        let server = server(database).await;
        let one = saying("one");
        let files = [("a/b.yaml", one.as_str()), ("a-b.yaml", one.as_str()), ("a_b.yaml", one.as_str())];
        let paths = json!({"repository_path": ["a/b.yaml", "a-b.yaml", "a_b.yaml"]});
        let scenario = Scenario::new(&server, "alike", &files, paths).await;
        let first = scenario.release("v1").await;
        let id = &first["id"];
        let name = "alike-v1-a-b-yaml";
        assert_eq!(
            names(&scenario, &first).await,
            [name.to_owned(), format!("{name}-{id}"), format!("{name}-{id}-2")]
        );
        let second = scenario.release("v1").await;
        let id = &second["id"];
        assert_eq!(
            names(&scenario, &second).await,
            [format!("{name}-{id}"), format!("{name}-{id}-2"), format!("{name}-{id}-3")]
        );
    }
}

both_databases! {
    async fn a_tag_that_looks_like_a_repeated_build_is_not_in_its_way(database) {
        let server = server(database).await;
        let one = saying("one");
        let scenario = Scenario::new(&server, "again", &[("PANDIUM.yaml", one.as_str())], json!({})).await;
        let first = scenario.release("v1").await["id"].as_i64().unwrap();
        scenario.release(&format!("v1-{}", first + 2)).await;
        let third = scenario.release("v1").await;
        assert_eq!(third["id"], first + 2, "the test counts on it");
        let expected = format!("again-v1-{}-2", first + 2);
        assert_eq!(names(&scenario, &third).await, [expected]);
    }
}

both_databases! {
    async fn a_manifest_is_named_once(database) {
        let server = server(database).await;
        let one = saying("one");
        let paths = json!({"repository_path": ["crm", "crm/"]});
        let scenario = Scenario::new(&server, "twice", &[("crm/PANDIUM.yaml", one.as_str())], paths).await;
        let build = scenario.build("v1").await;
        assert_eq!(build["status"], "Failed");
        assert_eq!(build["message"], "repository_path names crm/PANDIUM.yaml twice; name each manifest once");
        let path = format!("/v2/integrations/{}", scenario.integration);
        let same = json!({"repository_path": ["a.yaml", "./a.yaml"]});
        let fault = server.patch(&path, same).await.expect(422);
        assert_eq!(fault["detail"][0]["loc"], json!(["body", "repository_path"]));
        assert_eq!(fault["detail"][0]["msg"], "Value error, ./a.yaml: is named twice");
    }
}

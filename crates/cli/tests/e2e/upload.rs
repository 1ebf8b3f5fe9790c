//! A source folder that is sent instead of committed.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use marquetry_testkit::{Answer, Scenario, TestServer, both_databases, eventually, manifest};
use reqwest::Method;
use serde_json::{Value, json};
use tar::{EntryType, Header};

use crate::{options, server};

type Entry<'a> = (&'a str, EntryType, &'a str);

fn archive(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, kind, content) in entries {
        let mut header = Header::new_gnu();
        header.set_entry_type(*kind);
        header.set_mode(0o755);
        if *kind == EntryType::Regular {
            header.set_mode(0o644);
            header.set_size(content.len() as u64);
            tar.append_data(&mut header, name, content.as_bytes())
                .unwrap();
        } else {
            header.set_size(0);
            if !content.is_empty() {
                header.set_link_name(content).unwrap();
            }
            tar.append_data(&mut header, name, &b""[..]).unwrap();
        }
    }
    tar.into_inner().unwrap().finish().unwrap()
}

fn file<'a>(name: &'a str, content: &'a str) -> Entry<'a> {
    (name, EntryType::Regular, content)
}

async fn integration(server: &TestServer, name: &str) -> i64 {
    let body = json!({"name": name, "long_name": name});
    let made = server.post("/v2/integrations", body).await.expect(201);
    made["id"].as_i64().unwrap()
}

async fn upload(server: &TestServer, integration: i64, query: &str, body: Vec<u8>) -> Answer {
    let path = format!("/v2/integrations/{integration}/releases/upload{query}");
    let request = server.request(Method::POST, &path);
    TestServer::answer(request.header("X-API-KEY", server.key()).body(body)).await
}

async fn ended(server: &TestServer, build: &Value) -> Value {
    eventually("the build ends", || async {
        let found = server
            .get(&format!("/v2/builds/{}", build["id"]))
            .await
            .expect(200);
        let open = matches!(found["status"].as_str(), Some("Pending" | "Running"));
        (!open).then_some(found)
    })
    .await
}

async fn run(server: &TestServer, integration: i64) -> Value {
    let name = format!("tenant-of-{integration}");
    let body = json!({"name": name, "integration_id": integration, "integration_release_channel": "Latest"});
    let tenant = server.post("/v2/tenants", body).await.expect(200)["id"].clone();
    let path = format!("/v2/tenants/{tenant}/sync?mode=normal");
    server.post(&path, Value::Null).await.expect(202);
    eventually("the run ends", || async {
        let runs = server
            .get(&format!("/v2/tenants/{tenant}/runs"))
            .await
            .expect(200);
        let run = runs[0].clone();
        (!run["completed_date"].is_null()).then_some(run)
    })
    .await
}

both_databases! {
    async fn a_folder_without_a_repository_is_built_and_runs(database) {
        let mut server = server(database).await;
        let id = integration(&server, "sent").await;
        let build = "printf 'made by the build' > lib/made.txt";
        let text = format!("version: 0.4\nbase: python:3.11\nbuild: {}\nrun: cat lib/made.txt\n", json!(build));
        // In the manner of a host of Git: one folder with everything in it.
        let sent = archive(&[
            ("shop-1.2/", EntryType::Directory, ""),
            file("shop-1.2/PANDIUM.yaml", &text),
            file("shop-1.2/lib/kept.txt", "there"),
        ]);
        let made = upload(&server, id, "", sent).await.expect(201);
        assert_eq!(made["status"], "Pending");
        assert_eq!(made["tag"], format!("build-{}", made["id"]));
        let built = ended(&server, &made).await;
        assert_eq!(built["status"], "Succeeded", "{built}");
        assert_eq!((&built["commit"], &built["branch"]), (&Value::Null, &Value::Null));
        let latest = server.get(&format!("/v2/integrations/{id}/releases/latest")).await.expect(200);
        assert_eq!(latest["tag"], made["tag"]);
        assert_eq!(latest["name"], format!("sent-build-{}", made["id"]));
        assert_eq!(run(&server, id).await["std_out"], "made by the build");
        let log = server.get(&format!("/v2/builds/{}/log", made["id"])).await.text;
        assert!(log.contains("all below shop-1.2"), "{log}");

        // A second one, with a label, is the latest; the folder is taken as it is.
        let text = manifest("echo second");
        let sent = archive(&[file("marquetry.yaml", &text), file("./d/x", "")]);
        let made = upload(&server, id, "?tag=v2", sent).await.expect(201);
        assert_eq!(made["tag"], "v2");
        assert_eq!(ended(&server, &made).await["status"], "Succeeded");
        let latest = server.get(&format!("/v2/integrations/{id}/releases/latest")).await.expect(200);
        assert_eq!(latest["tag"], "v2");
        let left = std::fs::read_dir(server.data_dir.path().join("uploads")).unwrap();
        assert_eq!(left.count(), 0, "nothing stays where archives arrive");
        server.stop();
    }
}

both_databases! {
    async fn an_archive_that_means_harm_makes_no_release(database) {
        let server = server(database).await;
        let id = integration(&server, "harm").await;
        let good = manifest("true");
        let manifest = file("PANDIUM.yaml", &good);
        let cases: [(Vec<Entry<'_>>, &str); 6] = [
            (vec![manifest, ("out", EntryType::Symlink, "/etc/passwd")], "points outside"),
            (vec![manifest, ("up", EntryType::Symlink, "../../..")], "points outside"),
            (vec![manifest, ("pipe", EntryType::Fifo, "")], "named pipe"),
            (vec![manifest, ("disk", EntryType::Block, "")], "device"),
            (vec![manifest, ("l", EntryType::Symlink, "d"), file("l/x", "x")], "leads through"),
            (vec![file("README", "no manifest here")], "no manifest"),
        ];
        for (entries, why) in cases {
            let made = upload(&server, id, "", archive(&entries)).await.expect(201);
            let ended = ended(&server, &made).await;
            assert_eq!(ended["status"], "Failed", "{why}: {ended}");
            assert!(ended["message"].as_str().unwrap().contains(why), "{why}: {ended}");
        }
        let mut bomb = GzEncoder::new(Vec::new(), Compression::fast());
        let mut header = Header::new_gnu();
        header.set_path("zeros").unwrap();
        header.set_mode(0o644);
        header.set_size(8 << 30);
        header.set_cksum();
        bomb.write_all(header.as_bytes()).unwrap();
        bomb.write_all(&vec![0; 1 << 20]).unwrap();
        let made = upload(&server, id, "", bomb.finish().unwrap()).await.expect(201);
        let ended = ended(&server, &made).await;
        assert!(ended["message"].as_str().unwrap().contains("allowed 1073741824 bytes"), "{ended}");
        assert_eq!(server.get(&format!("/v2/integrations/{id}/releases")).await.expect(200), json!([]));
    }
}

both_databases! {
    async fn a_build_whose_server_died_is_built_again_from_the_kept_archive(database) {
        let mut server = server(database).await;
        let id = integration(&server, "again").await;
        let text = "version: 0.4\nbase: python:3.11\nbuild: 'echo begun; sleep $(cat wait)'\nrun: echo again\n";
        let sent = archive(&[file("PANDIUM.yaml", text), file("wait", "2")]);
        let made = upload(&server, id, "", sent).await.expect(201);
        let path = format!("/v2/builds/{}", made["id"]);
        eventually("the build command has begun", || async {
            let log = server.get(&format!("{path}/log")).await.text;
            log.contains("begun").then_some(())
        })
        .await;
        server.kill();
        server.restart();
        let built = ended(&server, &made).await;
        assert_eq!(built["status"], "Succeeded", "{built}");
        assert_eq!(run(&server, id).await["std_out"], "again");
    }
}

both_databases! {
    async fn the_limit_is_the_operators(database) {
        let folder = tempfile::tempdir().unwrap();
        let settings = folder.path().join("marquetry.toml");
        std::fs::write(&settings, "[limits]\nupload_mb = 8\n").unwrap();
        let options = options(database).with("--config").with(settings.to_str().unwrap());
        let server = TestServer::start(options).await;
        let id = integration(&server, "large").await;
        let noise: String = (0..7_u64 << 20).map(|n| char::from(b' ' + (n * n / 7 % 90) as u8)).collect();
        let mut plain = GzEncoder::new(Vec::new(), Compression::none());
        let text = manifest("true");
        let mut tar = tar::Builder::new(Vec::new());
        for (name, content) in [("PANDIUM.yaml", text.as_str()), ("noise", &noise)] {
            let mut header = Header::new_gnu();
            header.set_mode(0o644);
            header.set_size(content.len() as u64);
            tar.append_data(&mut header, name, content.as_bytes()).unwrap();
        }
        plain.write_all(&tar.into_inner().unwrap()).unwrap();
        let seven = plain.finish().unwrap();
        assert!(seven.len() > 7 << 20, "more than other bodies may have");
        let made = upload(&server, id, "", seven.clone()).await.expect(201);
        let built = ended(&server, &made).await;
        assert_eq!(built["status"], "Succeeded", "{built}");
        let mut nine = seven;
        nine.resize(9 << 20, 0);
        // Without a length, so that only what comes can tell.
        let path = format!("/v2/integrations/{id}/releases/upload");
        let parts = tokio::fs::File::from_std({
            let place = folder.path().join("nine");
            std::fs::write(&place, &nine).unwrap();
            std::fs::File::open(place).unwrap()
        });
        let request = server.request(Method::POST, &path).header("X-API-KEY", server.key());
        // The server may end the connection before it has read everything.
        if let Ok(answer) = request.body(reqwest::Body::from(parts)).send().await {
            assert_eq!(answer.status(), 413);
        }
        let builds = server.get(&format!("/v2/builds?integration_id={id}")).await.expect(200);
        assert_eq!(builds.as_array().unwrap().len(), 1, "{builds}");
    }
}

both_databases! {
    async fn the_command_line_sends_a_folder(database) {
        let server = server(database).await;
        let files = [("PANDIUM.yaml", &*manifest("cat word")), ("word", "committed")];
        let scenario = Scenario::new(&server, "folder", &files, json!({})).await;
        std::fs::write(scenario.repository.path.join("word"), "not committed").unwrap();
        let folder = scenario.repository.path.to_str().unwrap();
        let output = crate::command_line::marquetry(&server, &["build", "folder", "--upload", folder, "--tag", "local", "--wait"]);
        assert!(output.status.success(), "{output:?}");
        let tenant = scenario.tenant("t").await;
        assert_eq!(scenario.run(tenant).await["std_out"], "not committed");
    }
}

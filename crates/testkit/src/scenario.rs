//! The usual story: a repository, an integration, a build, a tenant, a sync.

use serde_json::{Value, json};

use crate::{Repository, TestServer, eventually};

/// A manifest in Python, the language that every test machine has.
pub fn manifest(run: &str) -> String {
    format!(
        "version: 0.4\nbase: python:3.11\nbuild: 'true'\nrun: {}\n",
        json!(run)
    )
}

/// The same for Node.
pub fn node_manifest(run: &str) -> String {
    format!(
        "version: 0.4\nbase: node:20\nbuild: 'true'\nrun: {}\n",
        json!(run)
    )
}

/// An integration on a server, with its repository.
pub struct Scenario<'a> {
    /// The server.
    pub server: &'a TestServer,
    /// The code.
    pub repository: Repository,
    /// The integration's id.
    pub integration: i64,
}

impl<'a> Scenario<'a> {
    /// Commits the files to a new repository below the server's folder and makes an integration.
    pub async fn new(
        server: &'a TestServer,
        name: &str,
        files: &[(&str, &str)],
        settings: Value,
    ) -> Self {
        let path = server.data_dir.path().join("repositories").join(name);
        let repository = Repository::create(&path);
        repository.commit(files);
        let mut body = json!({"name": name, "long_name": name, "repository_url": path});
        for (key, value) in settings.as_object().cloned().unwrap_or_default() {
            body[key] = value;
        }
        let made = server.post("/v2/integrations", body).await.expect(201);
        Self {
            server,
            repository,
            integration: made["id"].as_i64().unwrap(),
        }
    }

    /// Builds and waits for the end; answers the build.
    pub async fn build(&self, tag: &str) -> Value {
        let body = json!({"integration_id": self.integration, "tag": tag});
        let build = self
            .server
            .post("/v2/sourcecontrol/build", body)
            .await
            .expect(201);
        self.build_end(build["id"].as_i64().unwrap()).await
    }

    /// Waits for the end of a build; answers it.
    pub async fn build_end(&self, id: i64) -> Value {
        self.server.build_end(id).await
    }

    /// Builds, and the build must succeed.
    pub async fn release(&self, tag: &str) -> Value {
        let build = self.build(tag).await;
        if build["status"] != "Succeeded" {
            let log = self
                .server
                .get(&format!("/v2/builds/{}/log", build["id"]))
                .await
                .text;
            panic!("{build}\n{log}");
        }
        build
    }

    /// A tenant on `Latest`.
    pub async fn tenant(&self, name: &str) -> i64 {
        let body = json!({
            "name": name,
            "integration_id": self.integration,
            "integration_release_channel": "Latest",
        });
        self.server.post("/v2/tenants", body).await.expect(200)["id"]
            .as_i64()
            .unwrap()
    }

    /// Asks for a normal run; answers the trigger.
    pub async fn sync(&self, tenant: i64) -> String {
        let path = format!("/v2/tenants/{tenant}/sync?mode=normal");
        let answer = self.server.post(&path, Value::Null).await.expect(202);
        answer["trigger_id"].as_str().unwrap().to_owned()
    }

    /// Waits for the end of the run that takes a trigger; answers the run.
    pub async fn end(&self, trigger: &str) -> Value {
        self.over(trigger).await;
        self.run_of(trigger).await
    }

    /// Waits for the end of the run that takes a trigger.
    pub async fn over(&self, trigger: &str) {
        eventually("the run ends", || async {
            let path = format!("/v2/runs/triggers/{trigger}/status?wait=5");
            let answer = self.server.get(&path).await;
            let open = answer.status == 404 || {
                let status = answer.expect(200);
                matches!(status["status"].as_str(), Some("Pending" | "Running"))
            };
            (!open).then_some(())
        })
        .await;
    }

    /// The run that took a trigger.
    pub async fn run_of(&self, trigger: &str) -> Value {
        let path = format!("/v2/runs?integration_id={}&limit=500", self.integration);
        let runs = self.server.get(&path).await.expect(200);
        let trigger: i64 = trigger.parse().unwrap();
        let took = |run: &&Value| {
            run["triggers"]
                .as_array()
                .unwrap()
                .iter()
                .any(|t| t["id"] == trigger)
        };
        runs.as_array()
            .unwrap()
            .iter()
            .find(took)
            .cloned()
            .expect("a run took the trigger")
    }

    /// Asks for a normal run and waits for its end; answers the run.
    pub async fn run(&self, tenant: i64) -> Value {
        let trigger = self.sync(tenant).await;
        self.end(&trigger).await
    }

    /// A run's log, by the signed link.
    pub async fn log(&self, run: &Value) -> String {
        self.server.run_log(run).await
    }
}

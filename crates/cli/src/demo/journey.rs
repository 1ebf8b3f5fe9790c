//! One example from the repository to the second sync.

use std::time::Duration;

use serde_json::{Value, json};

use super::repositories::{self, Change, Repository};
use super::steps::Steps;
use super::{DemoOptions, DemoTenant, Language};
use crate::client::{Client, ClientError, PageArgs, list};
use crate::commands::{Taken, build_ended, run_ended, sync_ask, sync_taken};
use crate::failure::Failure;
use crate::printer::Printer;

/// No build or run of an example takes longer.
const LONGEST: Duration = Duration::from_secs(300);

/// A step went wrong; it is printed already.
pub(super) struct Stopped;

/// All steps of one example.
pub(super) async fn go(
    client: &Client,
    options: &DemoOptions,
    language: Language,
    to: &mut Printer,
) -> Result<DemoTenant, Stopped> {
    let mut journey = Journey {
        client,
        language,
        steps: Steps::new(to),
    };
    let went = journey.go(options).await;
    went.map_err(|error| {
        journey.steps.failed(&format!("{error:#}"));
        if let Some(log) = error.downcast_ref::<WithLog>() {
            journey.steps.quote(&log.log);
        }
        if let Some(refused) = error.downcast_ref::<ClientError>() {
            let lines = refused.details();
            journey.steps.quote(&lines.join("\n"));
        }
        Stopped
    })
}

/// A build or a run that failed, with what it wrote.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
struct WithLog {
    what: String,
    log: String,
}

struct Journey<'a> {
    client: &'a Client,
    language: Language,
    steps: Steps<'a>,
}

impl Journey<'_> {
    async fn go(&mut self, options: &DemoOptions) -> anyhow::Result<DemoTenant> {
        let name = self.language.example();
        self.steps.heading(name);
        let repository = self.repository(options).await?;
        let integration = self.integration(&repository).await?;
        self.build(integration, &repository).await?;
        let tenant = self.tenant(integration).await?;
        let (_, start) = self.sync(tenant, "init", None).await?;
        let (_, first) = self.sync(tenant, "normal", Some(start + 1)).await?;
        let (last_run, count) = self.sync(tenant, "normal", Some(first + 1)).await?;
        Ok(DemoTenant {
            id: tenant,
            last_run,
            count,
        })
    }

    async fn repository(&mut self, options: &DemoOptions) -> anyhow::Result<Repository> {
        self.steps.begin("repository");
        let found = repositories::put(&options.repositories_dir, self.language).await?;
        let state = match found.change {
            Change::Committed => "committed",
            Change::Same => "as before",
            Change::Theirs => "with your changes",
        };
        let path = found.path.display();
        let result = format!("{path} at {}, {state}", short(&found.commit));
        self.steps.done(&result);
        Ok(found)
    }

    async fn integration(&mut self, repository: &Repository) -> anyhow::Result<i64> {
        self.steps.begin("integration");
        let name = self.language.example();
        let all = list(self.client, "/v2/integrations", &[], &PageArgs::ALL).await?;
        let url = repository.path.display().to_string();
        if let Some(found) = named(&all.value, name) {
            let id = id_of(found)?;
            if found["repository_url"] != json!(url) {
                // The data folder was moved.
                let change = json!({ "repository_url": url });
                let path = format!("/v2/integrations/{id}");
                self.client.patch(&path, &change).await?;
            }
            self.steps.done(&format!("{name} (id {id}), as before"));
            return Ok(id);
        }
        let wanted = json!({
            "name": name,
            "long_name": self.language.long_name(),
            "repository_url": url,
        });
        let made = self
            .client
            .post("/v2/integrations", &[], Some(&wanted))
            .await?;
        let id = id_of(&made.value)?;
        self.steps.done(&format!("{name} (id {id})"));
        Ok(id)
    }

    async fn build(&mut self, integration: i64, repository: &Repository) -> anyhow::Result<()> {
        self.steps.begin("build");
        if let Some(build) = self.built(integration, &repository.commit).await? {
            let releases = releases(&build);
            self.steps
                .done(&format!("{releases} is of this commit, as before"));
            return Ok(());
        }
        let tag = short(&repository.commit);
        let wanted = json!({ "integration_id": integration, "tag": tag });
        let asked = self
            .client
            .post("/v2/sourcecontrol/build", &[], Some(&wanted))
            .await?;
        let id = id_of(&asked.value)?;
        let build = within(build_ended(self.client, &id.to_string()))
            .await??
            .value;
        let status = build["status"].as_str().unwrap_or("without a status");
        if status != "Succeeded" {
            let why = build["message"].as_str().unwrap_or("it says no reason");
            let log = self.client.text(&format!("/v2/builds/{id}/log")).await?;
            let what = format!("build {id} {status}: {why}");
            return Err(WithLog { what, log }.into());
        }
        let commit = build["commit"].as_str().unwrap_or(&repository.commit);
        self.steps.done(&format!(
            "{status}: {} of {}",
            releases(&build),
            short(commit)
        ));
        Ok(())
    }

    /// A build of this commit that succeeded, if it is the newest that did.
    async fn built(&self, integration: i64, commit: &str) -> anyhow::Result<Option<Value>> {
        let query = [
            ("integration_id", integration.to_string()),
            ("limit", "50".to_owned()),
        ];
        let builds = self.client.get("/v2/builds", &query).await?.value;
        let builds = builds.as_array().map(Vec::as_slice).unwrap_or_default();
        let newest = builds.iter().find(|build| build["status"] == "Succeeded");
        Ok(newest
            .filter(|build| build["commit"] == json!(commit))
            .cloned())
    }

    async fn tenant(&mut self, integration: i64) -> anyhow::Result<i64> {
        self.steps.begin("tenant");
        let name = self.language.tenant();
        let query = [("integration_id", integration.to_string())];
        let all = list(self.client, "/v2/tenants", &query, &PageArgs::ALL).await?;
        if let Some(found) = named(&all.value, name) {
            let id = id_of(found)?;
            self.steps.done(&format!("{name} (id {id}), as before"));
            return Ok(id);
        }
        let wanted = json!({
            "name": name,
            "integration_id": integration,
            "integration_release_channel": "Latest",
            "configs": { "greeting": "Welcome", "step": 1 },
        });
        let made = self.client.post("/v2/tenants", &[], Some(&wanted)).await?;
        let id = id_of(&made.value)?;
        self.steps.done(&format!("{name} (id {id})"));
        Ok(id)
    }

    /// A sync with its log; answers the run and the count that it came to.
    async fn sync(
        &mut self,
        tenant: i64,
        mode: &str,
        expected: Option<i64>,
    ) -> anyhow::Result<(i64, i64)> {
        self.steps.begin(&format!("sync {mode}"));
        let accepted = sync_ask(self.client, tenant, mode, None).await?;
        let trigger = &accepted.value["trigger_id"];
        let trigger = trigger
            .as_str()
            .map_or_else(|| trigger.to_string(), str::to_owned);
        let id = match within(sync_taken(self.client, tenant, &trigger)).await?? {
            Taken::By(run) => run,
            Taken::Cancelled(_) => return Err(Failure::new("the trigger was cancelled").into()),
        };
        let run = within(run_ended(self.client, id)).await??.value;
        let log = self.client.text(&format!("/v2/runs/{id}/log")).await?;
        let count = judge(&run, id, expected).map_err(|what| WithLog {
            what,
            log: log.clone(),
        })?;
        self.steps
            .done(&format!("run {id} Succeeded, the count is {count}"));
        self.steps.quote(&log);
        Ok((id, count))
    }
}

/// The count of a run that went as it should; otherwise what is wrong.
fn judge(run: &Value, id: i64, expected: Option<i64>) -> Result<i64, String> {
    let phase = run["status"]["phase"].as_str().unwrap_or("without a phase");
    if phase != "Succeeded" {
        let message = run["message"].as_str().unwrap_or_default();
        return Err(format!("run {id} {phase} {message}").trim_end().to_owned());
    }
    let output = run["std_out"].as_str().unwrap_or_default();
    let state: Value = serde_json::from_str(output).unwrap_or(Value::Null);
    let Some(count) = state["count"].as_i64() else {
        return Err(format!(
            "run {id} succeeded, but its output has no count: {output}"
        ));
    };
    match expected {
        Some(expected) if expected != count => Err(format!(
            "run {id} counted {count} where {expected} follows: it did not see the output of the run before"
        )),
        _ => Ok(count),
    }
}

async fn within<T>(work: impl Future<Output = T>) -> anyhow::Result<T> {
    tokio::time::timeout(LONGEST, work).await.map_err(|_| {
        let sentence = format!("it did not end within {} s", LONGEST.as_secs());
        Failure::new(sentence).into()
    })
}

fn named<'a>(all: &'a Value, name: &str) -> Option<&'a Value> {
    all.as_array()?.iter().find(|item| item["name"] == name)
}

fn id_of(value: &Value) -> anyhow::Result<i64> {
    let id = value["id"].as_i64();
    id.ok_or_else(|| Failure::new("the server answered an object without an id").into())
}

fn releases(build: &Value) -> String {
    let ids = build["release_ids"].as_array().map(Vec::as_slice);
    let ids: Vec<String> = ids
        .unwrap_or_default()
        .iter()
        .map(Value::to_string)
        .collect();
    match ids.as_slice() {
        [] => "no release".to_owned(),
        [one] => format!("release {one}"),
        many => format!("releases {}", many.join(", ")),
    }
}

fn short(commit: &str) -> &str {
    commit.get(..10).unwrap_or(commit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(phase: &str, output: &str) -> Value {
        json!({ "status": { "phase": phase }, "std_out": output, "message": "exit code 1" })
    }

    #[test]
    fn a_run_must_have_seen_what_the_one_before_left() {
        assert_eq!(
            judge(&run("Succeeded", r#"{"count":3}"#), 7, Some(3)),
            Ok(3)
        );
        assert_eq!(judge(&run("Succeeded", r#"{"count":3}"#), 7, None), Ok(3));
        let lost = judge(&run("Succeeded", r#"{"count":1}"#), 7, Some(3));
        assert!(lost.unwrap_err().contains("did not see the output"));
        let silent = judge(&run("Succeeded", ""), 7, None);
        assert!(silent.unwrap_err().contains("no count"));
        let failed = judge(&run("Failed (Integration Issue)", ""), 7, None);
        assert_eq!(
            failed.unwrap_err(),
            "run 7 Failed (Integration Issue) exit code 1"
        );
    }
}

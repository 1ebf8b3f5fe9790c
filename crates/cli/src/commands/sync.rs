//! `marquetry sync`: ask for a run and, with `--wait`, watch it to its end.

use std::time::Duration;

use clap::Args;
use serde_json::Value;
use serde_json::value::RawValue;

use super::{input, show};
use crate::client::{Answer, Client, ClientError, ConnectionArgs, find_tenant, follow};
use crate::interrupt;
use crate::printer::{Printer, Style};

/// Between two looks for the run that takes a trigger: short at first, since most start at once.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Run an integration for a tenant now.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:\n  \
    marquetry sync crm-sync/acme --wait\n  \
    marquetry sync 12 --mode init\n  \
    marquetry sync acme --payload '{\"order\": 7}' --wait --json\n\n\
    Without --wait, it answers as soon as the trigger is accepted; several may share one run.\n\n\
    Exit codes of --wait:\n   \
    0  Succeeded\n  \
    10  Failed (Integration Issue)\n  \
    11  Failed (Refresh)\n  \
    12  Failed (Platform Issue)\n  \
    13  Failed (Timeout)\n  \
    14  Failed (Metadata Validation)\n  \
    15  Cancelled")]
pub(crate) struct SyncArgs {
    /// The tenant's id, its name, or integration/tenant.
    tenant: String,
    /// How the run shall behave.
    #[arg(long, default_value = "normal", value_parser = ["normal", "init"])]
    mode: String,
    /// What the run gets along: JSON, a file with JSON, or - for stdin.
    #[arg(long, value_name = "FILE|-|JSON")]
    payload: Option<String>,
    /// Wait for the end of the run, with its log.
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    connection: ConnectionArgs,
}

pub(super) async fn run(args: SyncArgs, to: &mut Printer) -> anyhow::Result<u8> {
    let as_json = args.connection.json;
    let payload = args.payload.as_deref().map(input::raw).transpose()?;
    let client = args.connection.client()?;
    let tenant = find_tenant(&client, &args.tenant).await?;
    let accepted = ask(&client, tenant, &args.mode, payload.as_deref()).await?;
    let trigger = show::text(&accepted.value, "trigger_id");
    if !args.wait {
        show::answer(&accepted, as_json, to, |_, to| {
            to.line(&format!("trigger {trigger} is accepted"));
            to.note(&format!(
                "see its run: marquetry runs list --tenant {tenant} --limit 1"
            ));
        });
        return Ok(0);
    }
    let faint = to.paint_note(
        Style::Faint,
        &format!("trigger {trigger} waits for its run"),
    );
    to.note(&faint);
    let watched = interrupt::unless(watch(&client, tenant, &trigger, as_json, to)).await;
    let Some(outcome) = watched else {
        to.note("the run goes on; see it with: marquetry runs list --limit 5");
        return Ok(interrupt::CODE);
    };
    Ok(report(&outcome?, as_json, to))
}

/// Posts the sync; answers the trigger.
pub(crate) async fn ask(
    client: &Client,
    tenant: i64,
    mode: &str,
    payload: Option<&RawValue>,
) -> Result<Answer, ClientError> {
    let path = format!("/v2/tenants/{tenant}/sync");
    let query = [("mode", mode.to_owned())];
    match payload {
        Some(payload) => client.post_raw(&path, &query, payload).await,
        None => client.post(&path, &query, None).await,
    }
}

/// How waiting for a trigger ended.
enum Outcome {
    /// The run, ended.
    Run(Answer),
    /// Somebody cancelled the trigger before a run took it.
    Cancelled(Answer),
}

async fn watch(
    client: &Client,
    tenant: i64,
    trigger: &str,
    as_json: bool,
    to: &mut Printer,
) -> anyhow::Result<Outcome> {
    let run = match taken(client, tenant, trigger).await? {
        Taken::By(run) => run,
        Taken::Cancelled(status) => return Ok(Outcome::Cancelled(status)),
    };
    let faint = to.paint_note(Style::Faint, &format!("run {run} starts"));
    to.note(&faint);
    follow(client, &format!("/v2/runs/{run}/log/stream"), |piece| {
        if as_json {
            to.note_text(piece);
        } else {
            to.text(piece);
        }
        !to.is_closed()
    })
    .await?;
    Ok(Outcome::Run(ended(client, run).await?))
}

/// Who took a trigger.
pub(crate) enum Taken {
    /// This run.
    By(i64),
    /// Nobody: it is cancelled. The trigger's status as it came.
    Cancelled(Answer),
}

/// Waits until a run has taken the trigger.
pub(crate) async fn taken(
    client: &Client,
    tenant: i64,
    trigger: &str,
) -> Result<Taken, ClientError> {
    let mut pause = FIRST_PAUSE;
    loop {
        let query = [
            ("tenant_id", tenant.to_string()),
            ("limit", "20".to_owned()),
        ];
        let runs = client.get("/v2/runs", &query).await?;
        if let Some(run) = holder(&runs.value, trigger) {
            return Ok(Taken::By(run));
        }
        // While no run has it there is no status, and the server says 404.
        match client
            .get(&format!("/v2/runs/triggers/{trigger}/status"), &[])
            .await
        {
            Ok(status) if status.value["status"] == "Cancelled" => {
                // It may have been taken between the two questions, and that run cancelled.
                let runs = client.get("/v2/runs", &query).await?;
                return Ok(match holder(&runs.value, trigger) {
                    Some(run) => Taken::By(run),
                    None => Taken::Cancelled(status),
                });
            }
            Ok(_) | Err(ClientError::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// The newest run that has the trigger.
fn holder(runs: &Value, trigger: &str) -> Option<i64> {
    let has = |run: &&Value| {
        let triggers = run["triggers"].as_array();
        triggers.is_some_and(|list| list.iter().any(|one| show::text(one, "id") == trigger))
    };
    runs.as_array()?.iter().find(has)?["id"].as_i64()
}

/// The run once it has ended.
pub(crate) async fn ended(client: &Client, run: i64) -> Result<Answer, ClientError> {
    let mut pause = FIRST_PAUSE;
    loop {
        let answer = client.get(&format!("/v2/runs/{run}"), &[]).await?;
        if !matches!(show::phase(&answer.value).as_str(), "Pending" | "Running") {
            return Ok(answer);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

fn report(outcome: &Outcome, as_json: bool, to: &mut Printer) -> u8 {
    let (answer, phase) = match outcome {
        Outcome::Run(run) => (run, show::phase(&run.value)),
        Outcome::Cancelled(status) => (status, "Cancelled".to_owned()),
    };
    if as_json {
        to.line(answer.text.trim_end());
        return exit_code(&phase);
    }
    let style = match phase.as_str() {
        "Succeeded" => Style::Good,
        "Cancelled" => Style::Warn,
        _ => Style::Bad,
    };
    let run = &answer.value;
    let mut line = to.paint_note(style, &phase);
    let took = show::between(&run["started_date"], &run["completed_date"]);
    if !took.is_empty() {
        line.extend([" in ", took.as_str()]);
    }
    to.note(&line);
    for (name, field) in [("message", "message"), ("output", "std_out")] {
        let value = show::text(run, field);
        if !value.is_empty() {
            to.note_text(&format!("{name}: {value}\n"));
        }
    }
    exit_code(&phase)
}

/// What the process answers for each phase; see the command's help.
fn exit_code(phase: &str) -> u8 {
    match phase {
        "Succeeded" => 0,
        "Failed (Integration Issue)" => 10,
        "Failed (Refresh)" => 11,
        "Failed (Platform Issue)" => 12,
        "Failed (Timeout)" => 13,
        "Failed (Metadata Validation)" => 14,
        "Cancelled" => 15,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use marquetry_model::Phase;
    use serde_json::json;

    use super::*;

    #[test]
    fn every_end_has_an_exit_code_of_its_own() {
        let ends: Vec<_> = Phase::ALL
            .into_iter()
            .filter(|phase| phase.is_final())
            .collect();
        let codes: BTreeSet<u8> = ends.iter().map(|phase| exit_code(phase.as_str())).collect();
        assert_eq!(codes.len(), ends.len());
        // 1 and 2 are for commands that did not come that far.
        assert!(!codes.contains(&1) && !codes.contains(&2));
        assert_eq!(exit_code("Succeeded"), 0);
    }

    #[test]
    fn the_newest_run_with_the_trigger_is_found() {
        let runs = json!([
            { "id": 9, "triggers": [{ "id": 71 }] },
            { "id": 8, "triggers": [{ "id": 7 }, { "id": 6 }] },
            { "id": 5, "triggers": null },
        ]);
        assert_eq!(holder(&runs, "6"), Some(8));
        assert_eq!(holder(&runs, "1"), None);
    }
}

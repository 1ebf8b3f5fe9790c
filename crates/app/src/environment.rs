//! The environment of a run, exactly as the runtime contract has it.

use std::collections::BTreeSet;
use std::path::Path;

use marquetry_manifest::json::is_json;
use marquetry_manifest::{MASK, Settings, config_variable_name, secret_names};
use marquetry_model::{Integration, Mode, Release, Run, RunId, Source, Tenant, Trigger};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::secret_texts::with_lines;

/// One string of an environment cannot reach 128 KiB on Linux; above this size the array of
/// triggers is shortened, and the whole of it is in the file.
const MOST_TRIGGERS: usize = 96 * 1024;

/// All that a run's environment is made of.
pub struct Facts<'a> {
    /// `PAN_CTX_ENV`.
    pub environment: &'a str,
    /// What runs.
    pub integration: &'a Integration,
    /// For whom.
    pub tenant: &'a Tenant,
    /// Its settings; for a run with the values of secrets.
    pub configs: &'a Map<String, Value>,
    /// Which code.
    pub release: &'a Release,
    /// The run itself; none when there is no run yet.
    pub run: Option<RunId>,
    /// How it shall behave.
    pub mode: Mode,
    /// What it took.
    pub triggers: &'a [Trigger],
    /// The run that ended last.
    pub last: Option<&'a Run>,
    /// The run that succeeded last.
    pub last_successful: Option<&'a Run>,
    /// What stands in place of that run's output, where something does.
    pub output: Option<Option<&'a str>>,
    /// What is known about the tenant.
    pub metadata: &'a Map<String, Value>,
    /// Where the run sees the files that the platform gives it.
    pub files: &'a Path,
    /// For whoever follows the run through other systems.
    pub traceparent: Option<String>,
}

/// One element of `PAN_CTX_RUN_TRIGGERS`.
#[derive(Serialize)]
struct TriggerEntry {
    id: String,
    source: Source,
    mode: Mode,
    payload: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_date: Option<marquetry_model::Timestamp>,
}

/// Where a run in a sandbox sees the files that the platform gives it.
pub const FILES: &str = "/run/marquetry";

/// The bytes of all variables of a run, for the usual limit of 8 MiB on the stack, of which the kernel
/// gives a quarter; the rest of the two megabytes is the toolchain's and the command's. A node with
/// less would end larger runs as its own fault, which no setting of a tenant can mend: the documents ask
/// for the usual one.
const MOST_BYTES: usize = 1792 << 10;
/// The bytes of one text `NAME=value` with its end (`MAX_ARG_STRLEN`).
const MOST_TEXT: usize = 128 << 10;
/// As much of a name as a sentence repeats.
const SHOWN_NAME: usize = 100;

/// The name of the file with the tenant's metadata.
pub const METADATA_FILE: &str = "metadata.json";

/// The tenant's metadata, as its file holds it.
pub fn metadata_json(facts: &Facts<'_>) -> String {
    serde_json::to_string(facts.metadata).expect("metadata has string keys")
}

/// The name of the file with a trigger's raw body.
pub fn payload_file(trigger: &Trigger) -> Option<String> {
    let carries = trigger.payload.is_some() || trigger.payload_blob.is_some();
    carries.then(|| trigger.id.to_string())
}

/// The whole array of triggers, as its file holds it.
pub fn triggers_json(facts: &Facts<'_>) -> String {
    entries_json(facts, true, true)
}

/// `PAN_CTX_*` and `PAN_CFG_*`, in a stable order.
pub fn variables<'a>(facts: &Facts<'a>) -> Vec<(String, String)> {
    let mut all = context(facts);
    let printed = |run: Option<&'a Run>| run.and_then(|run| run.std_out.as_deref());
    last_run(&mut all, "LAST_RUN", facts.last, printed(facts.last));
    let run = facts.last_successful;
    let output = facts.output.unwrap_or_else(|| printed(run));
    last_run(&mut all, "LAST_SUCCESSFUL_RUN", run, output);
    misspelt(&mut all);
    let form = Settings::new(
        facts.release.config_schema.as_ref(),
        facts.release.metadata_schema.as_ref(),
        &facts.tenant.dynamic_configs,
        facts.metadata,
    );
    all.extend(form.environment(facts.configs).variables);
    all
}

/// Why no process can be started with these variables: the kernel bounds all of them together by a
/// quarter of the stack, which is 2 MiB where nobody has changed it.
pub fn too_large(variables: &[(String, String)]) -> Option<String> {
    // `=`, the end of the text, and the pointer to it: the kernel counts all three.
    let size = |(name, value): &(String, String)| name.len() + value.len() + 2 + size_of::<usize>();
    let too_long = |variable: &&(String, String)| size(variable) - size_of::<usize>() > MOST_TEXT;
    if let Some((name, value)) = variables.iter().find(too_long) {
        let bytes = name.len() + value.len();
        let name: String = name.chars().take(SHOWN_NAME).collect();
        return Some(format!(
            "its variable {name} has {bytes} bytes with its name, and the system takes {MOST_TEXT}"
        ));
    }
    let bytes: usize = variables.iter().map(size).sum();
    if bytes <= MOST_BYTES {
        return None;
    }
    let mut largest: Vec<_> = variables.iter().collect();
    largest.sort_by_key(|variable| std::cmp::Reverse(size(variable)));
    let named = largest.iter().take(5);
    let named: Vec<String> = named
        .map(|(name, value)| {
            let short: String = name.chars().take(SHOWN_NAME).collect();
            format!("{short} ({} KiB)", value.len() >> 10)
        })
        .collect();
    Some(format!(
        "its variables have {bytes} bytes, and a process can be given {MOST_BYTES}; the largest are {}",
        named.join(", ")
    ))
}

/// The values among the variables that nobody shall see, and the texts within them.
pub fn secrets(facts: &Facts<'_>, variables: &[(String, String)]) -> Vec<String> {
    let names = secret_settings(facts);
    let hidden = secret_variables(&names);
    let mut values = Vec::new();
    for name in &names {
        texts(facts.configs.get(name), &mut values);
    }
    let given = variables.iter().filter(|(name, _)| hidden.contains(name));
    values.extend(given.map(|(_, value)| value.as_str()));
    with_lines(values)
}

/// Puts a mask in place of what nobody shall see.
pub(crate) fn mask(facts: &Facts<'_>, variables: &mut [(String, String)]) {
    let hidden = secret_variables(&secret_settings(facts));
    for (name, value) in variables {
        if hidden.contains(name) {
            MASK.clone_into(value);
        }
    }
}

fn secret_variables(names: &BTreeSet<String>) -> BTreeSet<String> {
    names
        .iter()
        .map(|name| config_variable_name(name))
        .collect()
}

/// The settings that are secret by the release that runs, or were by the one they were saved with.
fn secret_settings(facts: &Facts<'_>) -> BTreeSet<String> {
    let mut names = secret_names(facts.release.config_schema.as_ref());
    names.extend(facts.tenant.secret_configs.iter().cloned());
    names
}

fn texts<'a>(value: Option<&'a Value>, into: &mut Vec<&'a str>) {
    match value {
        Some(Value::String(text)) => into.push(text),
        Some(Value::Array(items)) => items.iter().for_each(|item| texts(Some(item), into)),
        Some(Value::Object(fields)) => fields.values().for_each(|item| texts(Some(item), into)),
        Some(Value::Null | Value::Bool(_) | Value::Number(_)) | None => {}
    }
}

fn context(facts: &Facts<'_>) -> Vec<(String, String)> {
    let file = |name: &str| facts.files.join(name).to_string_lossy().into_owned();
    let some = |name: &'static str, value: String| (name, Some(value));
    let pairs = [
        some("PAN_CTX_INTEGRATION_ID", facts.integration.id.to_string()),
        some("PAN_CTX_INTEGRATION_NAME", facts.integration.name.clone()),
        some("PAN_CTX_TENANT_ID", facts.tenant.id.to_string()),
        some("PAN_CTX_TENANT_NAME", facts.tenant.name.clone()),
        some("PAN_CTX_ENV", facts.environment.to_owned()),
        ("PAN_CTX_RUN_ID", facts.run.map(|id| id.to_string())),
        some("PAN_CTX_RUN_MODE", facts.mode.to_string()),
        some("PAN_CTX_RUN_TRIGGERS", triggers_variable(facts)),
        some("PAN_CTX_RUN_TRIGGERS_FILE", file("triggers.json")),
        some("PAN_CTX_TENANT_METADATA_FILE", file(METADATA_FILE)),
        ("TRACEPARENT", facts.traceparent.clone()),
    ];
    let given = pairs.into_iter();
    given
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect()
}

fn last_run(
    all: &mut Vec<(String, String)>,
    prefix: &str,
    run: Option<&Run>,
    output: Option<&str>,
) {
    let mut add = |name: &str, value: String| all.push((format!("PAN_CTX_{prefix}_{name}"), value));
    if let Some(run) = run {
        if let Some(at) = run.started_at {
            add("START_TIME", at.to_environment());
        }
        if let Some(at) = run.completed_at {
            add("COMPLETION_TIME", at.to_environment());
        }
        add("PHASE", run.phase.to_string());
    }
    // Only JSON is passed on.
    if let Some(text) = output.filter(|text| is_json(text)) {
        add("STD_OUT", text.to_owned());
    }
}

/// Two pages of the original's documentation spell these names otherwise; code follows either.
fn misspelt(all: &mut Vec<(String, String)>) {
    let pairs = [
        (
            "PAN_CTX_LAST_SUCCESSFUL_RUN_STD_OUT",
            "PAN_CTX_LAST_SUCESSFUL_RUN_STDOUT",
        ),
        ("PAN_CTX_LAST_RUN_STD_OUT", "PAN_CTX_LAST_RUN_STDOUT"),
    ];
    for (right, wrong) in pairs {
        let found = all
            .iter()
            .find(|(name, _)| name == right)
            .map(|(_, value)| value.clone());
        all.extend(found.map(|value| (wrong.to_owned(), value)));
    }
}

fn triggers_variable(facts: &Facts<'_>) -> String {
    let shorter = [(true, true), (false, true), (false, false)];
    let texts = shorter.map(|(payload, date)| move || entries_json(facts, payload, date));
    for text in &texts[..2] {
        let text = text();
        if text.len() <= MOST_TRIGGERS {
            return text;
        }
    }
    texts[2]()
}

fn entries_json(facts: &Facts<'_>, payload: bool, date: bool) -> String {
    let entries: Vec<TriggerEntry> = facts
        .triggers
        .iter()
        .map(|trigger| TriggerEntry {
            id: trigger.id.to_string(),
            source: trigger.source,
            mode: trigger.mode,
            payload: if payload {
                entry_payload(facts, trigger)
            } else {
                json!({})
            },
            created_date: date.then_some(trigger.created_at),
        })
        .collect();
    serde_json::to_string(&entries).expect("entries have string keys")
}

fn entry_payload(facts: &Facts<'_>, trigger: &Trigger) -> Value {
    let Some(name) = payload_file(trigger) else {
        return json!({});
    };
    let headers: Map<String, Value> = trigger
        .headers
        .as_deref()
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    json!({"file": facts.files.join(name).to_string_lossy(), "headers": headers})
}

/// A new trace, in the W3C form.
pub fn traceparent() -> String {
    let trace = crate::random::hex(&crate::random::bytes::<16>());
    let span = crate::random::hex(&crate::random::bytes::<8>());
    format!("00-{trace}-{span}-01")
}

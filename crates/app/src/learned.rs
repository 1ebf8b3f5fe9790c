//! What a run says about its tenant with the last line of its output: metadata, and the options
//! of the settings form.

use marquetry_manifest::json::{Kept, NotKept, read};
use marquetry_manifest::{Fault, Step, metadata_faults, metadata_options};
use marquetry_model::{Mode, Outcome, Phase, Release, Result, Tenant, TenantId, Timestamp};
use marquetry_store::{Tx, tenant_metadata, tenants};
use serde_json::{Map, Value};

use crate::errors::store_error;
use crate::settings::metadata_of;

/// The metadata of a tenant, and its options, have at most so many bytes of JSON each.
pub(crate) const MOST: usize = 1 << 20;
/// How many faults a run's message names.
const NAMED: usize = 3;

/// What a run found out. Empty when it is not to be kept.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Learned {
    /// Merged into the tenant's metadata.
    metadata: Map<String, Value>,
    /// Lists of options for definitions, from an init run.
    options: Map<String, Value>,
    /// The form that the options are for.
    form: Option<Value>,
}

impl Learned {
    pub(crate) fn is_empty(&self) -> bool {
        self.metadata.is_empty() && self.options.is_empty()
    }
}

/// Judges the output of a run that went well: what does not fit the release's metadata schema
/// makes it a failure, of which nothing is kept. The lines are what else its log must say.
pub fn judge(release: &Release, mode: Mode, outcome: &mut Outcome) -> (Learned, Vec<String>) {
    let nothing = (Learned::default(), Vec::new());
    if outcome.phase != Phase::Succeeded {
        return nothing;
    }
    // No output at all is no change.
    let Some(line) = &outcome.std_out else {
        return nothing;
    };
    let printed = read(line);
    let schema = release.metadata_schema.as_ref();
    if let Some(message) = schema.and_then(|schema| unfit(schema, &printed)) {
        outcome.phase = Phase::FailedMetadata;
        outcome.message = Some(message);
        return nothing;
    }
    let mut learned = Learned::default();
    let mut lines = Vec::new();
    if mode == Mode::Init {
        (learned.options, lines) = options_of(&printed);
    }
    if schema.is_some()
        && let Ok(Kept {
            value: Value::Object(fields),
            ..
        }) = printed
    {
        learned.metadata = fields;
    }
    if !learned.is_empty() {
        learned.form.clone_from(&release.config_schema);
    }
    (learned, lines)
}

/// Why an output cannot be merged into the metadata, if it cannot. An object without anything in
/// it changes nothing, so nothing is asked of it.
fn unfit(schema: &Value, printed: &std::result::Result<Kept, NotKept>) -> Option<String> {
    let message = match printed {
        Ok(Kept { value, faults }) if value.is_object() => {
            if value.as_object().is_some_and(Map::is_empty) {
                return None;
            }
            return refused(faults).or_else(|| refused(&metadata_faults(Some(schema), value)));
        }
        Err(NotKept::TooDeep) => format!("the last line of standard output {}", NotKept::TooDeep),
        _ if schema.get("schema").is_none() => return None,
        _ => "the last line of standard output is not a JSON object, as the metadata schema asks \
              for"
        .to_owned(),
    };
    Some(message)
}

/// The lists of options in the output of an init run, and what to say about those that would not
/// be kept as they are.
fn options_of(printed: &std::result::Result<Kept, NotKept>) -> (Map<String, Value>, Vec<String>) {
    let mut options = Map::new();
    let mut lines = Vec::new();
    match printed {
        Ok(Kept { value, faults }) => {
            let lists = value.as_object().into_iter().flatten();
            for (name, list) in lists.filter(|(_, value)| value.is_array()) {
                let is_here = |fault: &&Fault| matches!(fault.path.first(), Some(Step::Key(key)) if key == name);
                match faults.iter().find(is_here) {
                    None => drop(options.insert(name.clone(), list.clone())),
                    Some(fault) => lines.push(format!("options are not taken: {fault}")),
                }
            }
        }
        Err(NotKept::TooDeep) => lines.push(format!(
            "options are not taken: the last line of standard output {}",
            NotKept::TooDeep
        )),
        Err(NotKept::NotJson) => {}
    }
    (options, lines)
}

fn refused(faults: &[Fault]) -> Option<String> {
    if faults.is_empty() {
        return None;
    }
    let named: Vec<String> = faults.iter().take(NAMED).map(ToString::to_string).collect();
    let further = faults.len().saturating_sub(NAMED);
    let further = match further {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    Some(format!(
        "standard output does not fit the metadata schema: {}{further}",
        named.join("; ")
    ))
}

/// What of it would be stored.
pub(crate) struct Merged {
    metadata: Option<Map<String, Value>>,
    options: Option<Map<String, Value>>,
}

/// Merges what a run learned into what is known, under the lock of its tenant. What would grow
/// beyond measure makes the run a failure.
pub(crate) async fn merge(
    tx: &mut Tx,
    id: TenantId,
    learned: &Learned,
    outcome: &mut Outcome,
) -> Result<Option<Merged>> {
    if learned.is_empty() || outcome.phase != Phase::Succeeded {
        return Ok(None);
    }
    let tenant = tenants::lock(tx, id).await.map_err(store_error)?;
    let mut metadata = metadata_of(tx, id).await?;
    if shallow(&mut metadata, &learned.metadata) && size(&metadata) > MOST {
        outcome.phase = Phase::FailedMetadata;
        outcome.message = Some(too_large(size(&metadata)));
        return Ok(None);
    }
    let form = learned.form.as_ref();
    let options = options(
        &tenant,
        &learned.options,
        metadata_options(form, &metadata),
        form,
    );
    Ok(Some(Merged {
        metadata: (!learned.metadata.is_empty()).then_some(metadata),
        options,
    }))
}

/// Stores it.
pub(crate) async fn keep(tx: &mut Tx, id: TenantId, merged: &Merged, now: Timestamp) -> Result<()> {
    if let Some(metadata) = &merged.metadata {
        tenant_metadata::update(tx, id, metadata, now)
            .await
            .map_err(store_error)?;
    }
    if let Some(options) = &merged.options {
        tenants::update_dynamic_configs(tx, id, options, now)
            .await
            .map_err(store_error)?;
    }
    Ok(())
}

/// The options of a tenant after new ones came; none when they are as before. A list that is not
/// among the new ones keeps its former options. When all together grow beyond measure, lists that
/// the form does not use are forgotten, and then all former ones.
pub(crate) fn options(
    tenant: &Tenant,
    printed: &Map<String, Value>,
    of_metadata: Map<String, Value>,
    form: Option<&Value>,
) -> Option<Map<String, Value>> {
    let mut fresh = of_metadata;
    shallow(&mut fresh, printed);
    let mut all = tenant.dynamic_configs.clone();
    if !shallow(&mut all, &fresh) {
        return None;
    }
    if size(&all) > MOST {
        let defined = form.and_then(|form| form.get("schema")?.get("definitions")?.as_object());
        all.retain(|name, _| {
            fresh.contains_key(name) || defined.is_some_and(|defined| defined.contains_key(name))
        });
    }
    Some(if size(&all) > MOST { fresh } else { all })
}

/// Replaces keys by new ones; answers whether anything is other than before.
pub(crate) fn shallow(all: &mut Map<String, Value>, new: &Map<String, Value>) -> bool {
    let mut has_changed = false;
    for (key, value) in new {
        if all.get(key) != Some(value) {
            has_changed = true;
            all.insert(key.clone(), value.clone());
        }
    }
    has_changed
}

/// Bytes as JSON.
pub(crate) fn size(data: &Map<String, Value>) -> usize {
    serde_json::to_string(data).map_or(usize::MAX, |text| text.len())
}

/// What to say about metadata that grows beyond measure.
pub(crate) fn too_large(size: usize) -> String {
    format!("the tenant's metadata would have {size} bytes as JSON; it may have {MOST}")
}

#[cfg(test)]
mod tests {
    use marquetry_model::{BuildId, IntegrationId, ReleaseId, RunUsage};
    use serde_json::json;

    use super::*;

    fn release(metadata_schema: Option<Value>) -> Release {
        Release {
            id: ReleaseId::new(1),
            integration_id: IntegrationId::new(1),
            build_id: BuildId::new(1),
            name: "shop-v1".to_owned(),
            tag: "v1".to_owned(),
            branch: None,
            commit_hash: None,
            manifest_path: "PANDIUM.yaml".to_owned(),
            config_version: "1.0".to_owned(),
            base: "node:20".to_owned(),
            run_command: "node .".to_owned(),
            config_schema: None,
            metadata_schema,
            narrowing: None,
            artifact: String::new(),
            counts_as_latest: true,
            created_at: Timestamp::from_millis(0),
            artifact_removed_at: None,
        }
    }

    fn judged(schema: Option<Value>, mode: Mode, line: Option<&str>) -> (Phase, Learned) {
        let mut outcome = Outcome {
            phase: Phase::Succeeded,
            message: None,
            exit_code: Some(0),
            std_out: line.map(str::to_owned),
            usage: RunUsage::default(),
        };
        let (learned, lines) = judge(&release(schema), mode, &mut outcome);
        assert_eq!(lines, Vec::<String>::new(), "{line:?}");
        (outcome.phase, learned)
    }

    #[test]
    fn output_is_judged_by_the_metadata_schema() {
        let schema = || {
            let a = json!({"type": "string"});
            Some(json!({"schema": {"properties": {"a": a}, "required": ["a"]}}))
        };
        let deep = format!(
            "{{\"a\": \"x\", \"b\": {}{}}}",
            "[".repeat(200),
            "]".repeat(200)
        );
        for (line, phase, kept) in [
            (
                Some(r#"{"a": "x", "b": 1}"#),
                Phase::Succeeded,
                json!({"a": "x", "b": 1}),
            ),
            (Some("{}"), Phase::Succeeded, json!({})),
            (None, Phase::Succeeded, json!({})),
            (
                Some(r#"{"a": "\ud83d"}"#),
                Phase::Succeeded,
                json!({"a": "\u{fffd}"}),
            ),
            (Some(r#"{"a": 1}"#), Phase::FailedMetadata, json!({})),
            (Some(r#"{"b": 1}"#), Phase::FailedMetadata, json!({})),
            (
                Some(r#"{"a": "x", "b": 18446744073709551616}"#),
                Phase::FailedMetadata,
                json!({}),
            ),
            (Some(&deep), Phase::FailedMetadata, json!({})),
            (Some("[]"), Phase::FailedMetadata, json!({})),
            (Some("done"), Phase::FailedMetadata, json!({})),
        ] {
            let (found, learned) = judged(schema(), Mode::Normal, line);
            assert_eq!(found, phase, "{line:?}");
            assert_eq!(Value::Object(learned.metadata), kept, "{line:?}");
            assert!(learned.options.is_empty());
        }
        let (phase, learned) = judged(None, Mode::Normal, Some("done"));
        assert_eq!((phase, learned), (Phase::Succeeded, Learned::default()));
    }

    #[test]
    fn options_that_would_change_are_not_taken() {
        let judged = |line: &str| {
            let mut outcome = Outcome {
                phase: Phase::Succeeded,
                message: None,
                exit_code: Some(0),
                std_out: Some(line.to_owned()),
                usage: RunUsage::default(),
            };
            let judged = judge(&release(None), Mode::Init, &mut outcome);
            assert_eq!(outcome.phase, Phase::Succeeded);
            judged
        };
        let line = r#"{"users": [1, {"const": 18446744073709551616}], "sizes": [2],
            "cursor": 18446744073709551616}"#;
        let (learned, lines) = judged(line);
        assert_eq!(Value::Object(learned.options), json!({"sizes": [2]}));
        assert_eq!(
            lines,
            [
                "options are not taken: users[1].const: Input should be a whole number of at most 64 \
              bits; write a larger one as text"
            ]
        );
        let (learned, lines) = judged(&format!("{}{}", "[".repeat(200), "]".repeat(200)));
        assert!(learned.is_empty());
        assert_eq!(
            lines,
            [
                "options are not taken: the last line of standard output has lists and objects \
              nested more than 127 deep"
            ]
        );
    }

    #[test]
    fn only_init_runs_print_options() {
        let line = Some(r#"{"users": [1], "cursor": 7}"#);
        let (_, learned) = judged(None, Mode::Init, line);
        assert_eq!(Value::Object(learned.options), json!({"users": [1]}));
        assert!(learned.metadata.is_empty(), "there is no schema");
        assert!(judged(None, Mode::Normal, line).1.is_empty());
    }
}

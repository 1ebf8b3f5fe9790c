//! A change of settings.

use std::collections::BTreeSet;

use marquetry_manifest::{Fault, MASK, Step, TOO_COMPLEX};
use marquetry_model::{FieldError, Integration, Result, Tenant};
use marquetry_store::Tx;
use serde_json::{Map, Value};

use super::{check, refusal};
use crate::ctx::Ctx;

/// What a request says about settings, and what was there before.
#[derive(Debug)]
pub(crate) struct Change {
    /// The settings that it names; none when it does not speak of settings at all.
    pub(crate) named: Option<BTreeSet<String>>,
    /// The settings before it.
    pub(crate) before: Map<String, Value>,
}

/// Completes the settings of a tenant to which a change was applied, and says what is wrong with
/// them: against the form of the release that it would run now, where there is one. Settings
/// that the change does not speak of are not looked at.
pub(crate) async fn settle(
    ctx: &Ctx,
    tx: &mut Tx,
    integration: &Integration,
    tenant: &mut Tenant,
    change: &Change,
) -> Result<Vec<FieldError>> {
    let form = ctx.app.forms.of_tenant(tx, integration, tenant).await?;
    let mut secrets = std::mem::take(&mut tenant.secret_configs);
    if let Some(form) = &form {
        secrets.extend(form.secrets.iter().cloned());
    }
    unmask(&mut tenant.configs, &change.before, &secrets);
    secrets.retain(|name| tenant.configs.contains_key(name));
    tenant.secret_configs = secrets;
    let (Some(form), Some(named)) = (form, &change.named) else {
        return Ok(Vec::new());
    };
    let mut faults = check(tx, &form, tenant, &tenant.configs).await?;
    faults.retain(|fault| concerns(fault, named));
    if faults.iter().any(is_given_up) {
        let before = check(tx, &form, tenant, &change.before).await?;
        excuse(&mut faults, &before);
    }
    let faults = faults.into_iter();
    Ok(faults
        .map(|fault| refusal(Some("configs"), fault))
        .collect())
}

/// Whether a change of some settings answers for a fault of all: it is about one of them, about
/// one that is missing, or about all together. A value that stopped fitting by itself does not
/// stand in the way of changing others.
pub(crate) fn concerns(fault: &Fault, changed: &BTreeSet<String>) -> bool {
    match fault.path.as_slice() {
        [Step::Key(_)] if fault.kind == "missing" => true,
        [Step::Key(name), ..] => changed.contains(name),
        _ => true,
    }
}

/// Whether a check of all values together was given up.
pub(crate) fn is_given_up(fault: &Fault) -> bool {
    fault.path.is_empty() && fault.kind == TOO_COMPLEX
}

/// A schema that was too complex before a change is not the change's fault.
pub(crate) fn excuse(faults: &mut Vec<Fault>, before: &[Fault]) {
    if before.iter().any(is_given_up) {
        faults.retain(|fault| !is_given_up(fault));
    }
}

/// The value in place of a secret means the one that is there: puts it back, or leaves the
/// setting out where there is none.
fn unmask(
    wanted: &mut Map<String, Value>,
    stored: &Map<String, Value>,
    secrets: &BTreeSet<String>,
) {
    for name in secrets {
        if wanted.get(name).and_then(Value::as_str) != Some(MASK) {
            continue;
        }
        match stored.get(name) {
            Some(value) => drop(wanted.insert(name.clone(), value.clone())),
            None => drop(wanted.shift_remove(name)),
        }
    }
}

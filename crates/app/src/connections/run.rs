//! What a run is given of its connections.

use std::time::Duration;

use marquetry_connector::{Definition, Values, is_secret, secret_variables};
use marquetry_model::{ConnectionOf, ConnectionStatus, Error, Integration, TenantId};

use super::opened::open;
use super::refresh::{Unfit, fresh};
use super::times::MARGIN;
use crate::ctx::Ctx;
use crate::jobs::RunJob;
use crate::secret_texts::with_lines;

/// The variables of connections, what must not stand in a log, and what its first lines say.
#[derive(Default)]
pub struct RunSecrets {
    /// `PAN_SEC_*`, in a stable order.
    pub variables: Vec<(String, String)>,
    /// What is masked.
    pub hidden: Vec<String>,
    /// The connectors that are not connected.
    pub missing: Vec<String>,
}

/// Why a run is not started.
#[derive(Debug, thiserror::Error)]
pub enum RunSecretsError {
    /// Its credentials could not be refreshed: the run ends as `Failed (Refresh)`.
    #[error("{0}")]
    Refresh(String),
    /// The platform's own fault.
    #[error(transparent)]
    Platform(#[from] Error),
}

/// The credentials of all connections of a run, each good for as long as it may take.
///
/// # Errors
///
/// One that is there cannot be made good. One that was never connected is only missing: code may do without.
pub async fn run_secrets(
    ctx: &Ctx,
    job: &RunJob,
    limit: Duration,
) -> Result<RunSecrets, RunSecretsError> {
    secrets_of(ctx, &job.integration, job.tenant.id, limit).await
}

/// The same of what there is no run of yet.
pub(crate) async fn secrets_of(
    ctx: &Ctx,
    integration: &Integration,
    tenant: TenantId,
    limit: Duration,
) -> Result<RunSecrets, RunSecretsError> {
    let mut all = RunSecrets::default();
    for connector in &integration.connectors {
        let of = ConnectionOf {
            integration_id: integration.id,
            tenant_id: (!connector.is_global).then_some(tenant),
            connector: connector.name.clone(),
        };
        match fresh(ctx, &of, limit + MARGIN).await {
            Ok(opened) => {
                let definition = &opened.definition;
                let values = opened.values.as_values();
                all.hidden.extend(hidden(definition, values));
                all.variables.extend(secret_variables(definition, values));
            }
            Err(Unfit::NotConnected(name)) => all.missing.push(name),
            Err(Unfit::Platform(error)) => return Err(error.into()),
            Err(unfit @ (Unfit::NeedsReconnect { .. } | Unfit::Failed { .. })) => {
                let remedy = match unfit {
                    Unfit::NeedsReconnect { .. } => "; disconnect it and connect it again",
                    Unfit::Failed { .. } | Unfit::NotConnected(_) | Unfit::Platform(_) => "",
                };
                return Err(RunSecretsError::Refresh(format!("{unfit}{remedy}")));
            }
        }
    }
    // Two connectors may give one name, as `a-b` and `a_b`: the first one's value counts.
    all.variables.sort_by(|a, b| a.0.cmp(&b.0));
    all.variables
        .dedup_by(|later, earlier| later.0 == earlier.0);
    Ok(all)
}

/// The names of the variables that the connections of a tenant would give now, without a look at a provider.
pub(crate) async fn names_of(
    ctx: &Ctx,
    integration: &Integration,
    tenant: TenantId,
) -> Result<Vec<String>, Error> {
    let mut names = Vec::new();
    for connector in &integration.connectors {
        let of = ConnectionOf {
            integration_id: integration.id,
            tenant_id: (!connector.is_global).then_some(tenant),
            connector: connector.name.clone(),
        };
        match open(ctx, &of).await {
            Ok(opened) if opened.connection.status == ConnectionStatus::Connected => {
                let given = secret_variables(&opened.definition, opened.values.as_values());
                names.extend(given.into_iter().map(|(name, _)| name));
            }
            Ok(_) | Err(Error::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    names.sort();
    names.dedup();
    Ok(names)
}

/// The secret values, and those that the definition makes of them: a filter may leave nothing of a secret's
/// own text, as `upper` does.
fn hidden(definition: &Definition, values: &Values) -> Vec<String> {
    let own = values
        .iter()
        .filter(|(name, _)| is_secret(definition, name));
    let own = own.map(|(_, value)| value.clone());
    let made = definition.secrets.iter();
    let made = made.filter(|(name, _)| is_secret(definition, name));
    let made = made.filter_map(|(_, template)| template.fill(values).ok());
    let texts: Vec<String> = own.chain(made).collect();
    with_lines(texts.iter().map(String::as_str))
}

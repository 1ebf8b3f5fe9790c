//! Credentials as somebody gives them: judged by the definition, turned into tokens where the system has them,
//! tried at the system, and kept only then.

use std::sync::Arc;

use marquetry_connector::{Auth, Definition, Discovery, Field, Tokens};
use marquetry_model::{
    Connection, ConnectionOf, ConnectionStatus, Error, IntegrationId, Result, Scope, TenantId,
};
use marquetry_store::connections::{self, Written};
use marquetry_store::{Tx, WriteTx, integrations, tenants};

use serde_json::Value;

use super::authorize::{authorized, identity};
use super::check::{Verdict, check};
use super::opened::{KEY, all_values, place};
use super::refresh::tell;
use super::secret_values::SecretValues;
use super::status::{ConnectorState, state_of};
use super::times::{CHECK_EVERY, Got, take_over};
use super::tokens::{Asked, ask};
use crate::connectors::provisions::{Input, connector_of, merged};
use crate::connectors::{self, provisions};
use crate::ctx::Ctx;
use crate::errors::store_error;
use crate::hints::Topic;
use crate::vault::data_key;

/// How often a write is tried over one that came between.
const TRIES: usize = 5;

/// Where a connection is looked for: at a tenant, or at an integration that shares one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// A tenant's own.
    Tenant(TenantId),
    /// The one of all tenants.
    Integration(IntegrationId),
}

/// Whose connection an address names.
///
/// # Errors
///
/// There is no such owner, it is archived, it has no such connector, or that is of the other kind.
pub(crate) async fn locate(tx: &mut Tx, owner: Owner, connector: &str) -> Result<ConnectionOf> {
    let (integration_id, tenant_id) = match owner {
        Owner::Tenant(id) => {
            let tenant = tenants::get(tx, id).await.map_err(store_error)?;
            if tenant.archived_at.is_some() {
                return Err(Error::not_found(TenantId::KIND, id));
            }
            (tenant.integration_id, Some(id))
        }
        Owner::Integration(id) => (id, None),
    };
    let integration = integrations::get(tx, integration_id)
        .await
        .map_err(store_error)?;
    if integration.archived_at.is_some() {
        return Err(Error::not_found(IntegrationId::KIND, integration_id));
    }
    let found = connector_of(&integration, connector)?;
    if found.is_global != tenant_id.is_none() {
        let message = if found.is_global {
            format!(
                "connector {connector} is shared by all tenants; use /v2/integrations/{integration_id}/connectors/{connector}"
            )
        } else {
            format!(
                "connector {connector} is each tenant's own; use /v2/tenants/{{tenant_id}}/connectors/{connector}"
            )
        };
        let mut fault = marquetry_model::FieldError::body("connector_name", message);
        fault.loc = vec![
            marquetry_model::Loc::Name("path".into()),
            marquetry_model::Loc::Name("connector_name".into()),
        ];
        return Err(Error::Invalid(vec![fault]));
    }
    Ok(ConnectionOf {
        integration_id,
        tenant_id,
        connector: connector.to_owned(),
    })
}

/// What is known before somebody connects.
pub(crate) struct Ground {
    pub(crate) of: ConnectionOf,
    pub(crate) definition: Arc<Definition>,
    pub(crate) provisioned: SecretValues,
    /// What was entered before.
    pub(crate) former: SecretValues,
}

/// Reads it, if it is there still: the connector may have been taken away since a consent was begun.
pub(crate) async fn ground_still(ctx: &Ctx, of: ConnectionOf) -> Result<Ground> {
    let owner = of
        .tenant_id
        .map_or(Owner::Integration(of.integration_id), Owner::Tenant);
    let mut tx = ctx.read().await?;
    let of = locate(&mut tx, owner, &of.connector).await?;
    drop(tx);
    ground(ctx, of).await
}

/// Reads it.
pub(crate) async fn ground(ctx: &Ctx, of: ConnectionOf) -> Result<Ground> {
    let mut tx = ctx.read().await?;
    let definition = connectors::get(ctx, &mut tx, &of.connector)
        .await?
        .definition;
    let provision = provisions::sealed(&mut tx, of.integration_id, &of.connector).await?;
    let found = connections::find(&mut tx, &of).await.map_err(store_error)?;
    drop(tx);
    let former = match found.and_then(|it| Some((it.id, it.sealed?))) {
        Some((id, sealed)) => SecretValues::open(&data_key(ctx, KEY).await?, place(id), &sealed)?,
        None => SecretValues::default(),
    };
    let provisioned = provisions::open(ctx, provision).await?;
    Ok(Ground {
        of,
        definition,
        provisioned,
        former,
    })
}

/// Writes credentials; with `checked`, only when the system takes them.
///
/// # Errors
///
/// Each value that is wrong, or what the system said; nothing is changed then.
pub async fn credentials_put(
    ctx: &Ctx,
    owner: Owner,
    connector: &str,
    input: Input,
    checked: bool,
) -> Result<ConnectorState> {
    ctx.require(Scope::Credentials)?;
    let mut tx = ctx.read().await?;
    let of = locate(&mut tx, owner, connector).await?;
    drop(tx);
    let ground = ground(ctx, of).await?;
    let entered = entered(&ground, input)?;
    let trial = if checked { Trial::Strict } else { Trial::None };
    let kept = connect(ctx, ground, entered, trial).await?;
    Ok(state_of(&kept))
}

/// What somebody entered, judged.
pub(crate) fn entered(ground: &Ground, input: Input) -> Result<SecretValues> {
    let mut fields = ground.definition.fields.clone();
    // Tokens that were got elsewhere, as by the system that this one takes the place of.
    if ground.definition.auth.needs_consent() {
        fields.extend(imported());
    }
    merged(&ground.definition, &fields, input, &ground.former)
}

fn imported() -> impl Iterator<Item = Field> {
    let names = [
        ("access_token", true),
        ("refresh_token", false),
        ("expires_in", false),
        ("scope", false),
    ];
    names.into_iter().map(|(name, required)| Field {
        name: name.to_owned(),
        label: name.to_owned(),
        kind: marquetry_connector::FieldKind::Text,
        secret: true,
        required,
        help: None,
        placeholder: None,
        pattern: None,
        default: None,
        options: Vec::new(),
    })
}

/// Makes a connection of what was entered.
pub(crate) async fn connect(
    ctx: &Ctx,
    ground: Ground,
    entered: SecretValues,
    trial: Trial,
) -> Result<Connection> {
    let values = all_values(&ground.definition, &ground.provisioned, &entered);
    missing_provision(&ground, &values)?;
    let now = ctx.now();
    let definition = &ground.definition;
    if let Auth::MutualTls(rule) = &definition.auth {
        // To read them nobody needs to be asked.
        identity(rule, values.as_values()).map_err(|why| refused(&why.to_string()))?;
    }
    let got = if definition.auth.needs_consent() {
        let lifetime_s = entered.get("expires_in").and_then(|it| it.parse().ok());
        let tokens = Tokens {
            values: marquetry_connector::Values::new(),
            lifetime_s,
        };
        take_over(definition, entered, tokens, now)
    } else if definition.auth.has_tokens() {
        match ask(
            &ctx.app.http,
            definition,
            values.as_values(),
            Asked::Kept,
            now,
        )
        .await
        {
            Ok(tokens) => take_over(definition, entered, tokens, now),
            Err(_) if trial == Trial::None => without_token(entered, now),
            Err(fault) => return Err(refused(&format!("no token was given for them: {fault}"))),
        }
    } else {
        Got {
            own: entered,
            issued_at: now,
            expires_at: None,
            refresh_at: None,
        }
    };
    finish(ctx, ground, got, trial).await
}

/// It is asked for again by who tends connections, and the reason noted there.
fn without_token(own: SecretValues, now: marquetry_model::Timestamp) -> Got {
    Got {
        own,
        issued_at: now,
        expires_at: Some(now),
        refresh_at: Some(now),
    }
}

/// How credentials are tried before they are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trial {
    /// The system must take them, unless the caller says otherwise.
    Strict,
    /// It must take them: a person at a form has no other way.
    Form,
    /// It must not refuse them: a consent that was given is not asked for twice.
    Lenient,
    /// Not at all.
    None,
}

/// The last steps of every way to connect: what the system tells of itself, the check, and keeping it.
pub(crate) async fn finish(
    ctx: &Ctx,
    ground: Ground,
    mut got: Got,
    trial: Trial,
) -> Result<Connection> {
    let definition = &ground.definition;
    if let Some(oauth2) = definition.auth.oauth2() {
        for discovery in &oauth2.discover {
            let values = all_values(definition, &ground.provisioned, &got.own);
            let found = discover(ctx, definition, &values, discovery).await?;
            let life = found.iter().find(|(name, _)| name == "expires_in");
            let lifetime_s = life.and_then(|(_, value)| value.parse().ok());
            if lifetime_s.is_some() {
                // A token for a token: the second one's life counts.
                let values = found.into_iter().collect();
                let tokens = Tokens { values, lifetime_s };
                got = take_over(definition, got.own.clone(), tokens, ctx.now());
            } else {
                for (name, value) in found {
                    got.own.insert(&name, value);
                }
            }
        }
    }
    let values = all_values(definition, &ground.provisioned, &got.own);
    let mut was_checked = false;
    if trial != Trial::None {
        match check(&ctx.app.http, definition, values.as_values(), ctx.now()).await {
            Verdict::Works => was_checked = definition.check.is_some(),
            Verdict::Refused(why) | Verdict::Doubtful(why) => {
                return Err(refused(&format!(
                    "the check of the credentials failed: {why}"
                )));
            }
            Verdict::Unknown(_) if trial == Trial::Lenient => {}
            Verdict::Unknown(why) => {
                let or = if trial == Trial::Strict {
                    ", or send ?check=false to keep them unchecked"
                } else {
                    ""
                };
                return Err(refused(&format!(
                    "the credentials could not be checked: {why}; try again{or}"
                )));
            }
        }
    }
    keep(ctx, ground, &got, was_checked).await
}

fn refused(message: &str) -> Error {
    Error::invalid("values", message)
}

/// What an administrator has to provide before anybody can connect.
pub(crate) fn missing_provision(ground: &Ground, values: &SecretValues) -> Result<()> {
    let fields = ground.definition.provisioning.iter();
    let missing = fields.filter(|it| it.required && values.get(&it.name).is_none_or(str::is_empty));
    let missing: Vec<&str> = missing.map(|it| it.name.as_str()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let ConnectionOf {
        integration_id,
        connector,
        ..
    } = &ground.of;
    let names = missing.join(", ");
    Err(Error::conflict(
        "not_provisioned",
        format!(
            "connector {connector} has no {names} yet; PUT /v2/integrations/{integration_id}/connectors/{connector}/provisioning sets them"
        ),
    ))
}

async fn discover(
    ctx: &Ctx,
    definition: &Definition,
    values: &SecretValues,
    discovery: &Discovery,
) -> Result<Vec<(String, String)>> {
    let json = fetch(ctx, definition, values, &discovery.request).await?;
    let found = discovery.values.iter().filter_map(|(name, place)| {
        let value = scalar(json.pointer(place)?)?;
        Some((name.clone(), value))
    });
    Ok(found.collect())
}

/// A scalar of an answer, as a value.
pub(crate) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if text.len() <= 4096 => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            None
        }
    }
}

/// Asks a system something about the account that was connected.
pub(crate) async fn fetch(
    ctx: &Ctx,
    definition: &Definition,
    values: &SecretValues,
    request: &marquetry_connector::Request,
) -> Result<Value> {
    let made = authorized(definition, values.as_values(), request, ctx.now());
    let made = made.map_err(|why| refused(&why.to_string()))?;
    let answer = ctx.app.http.send(made).await;
    let answer = answer.map_err(|why| refused(&why.to_string()))?;
    if !answer.status.is_success() {
        return Err(refused(&format!(
            "{} answered {}",
            definition.title,
            answer.status.as_u16()
        )));
    }
    serde_json::from_slice(&answer.body).map_err(|_| {
        refused(&format!(
            "{} answered something that is no JSON",
            definition.title
        ))
    })
}

/// Keeps credentials in place of whatever was there. The connection keeps its identity.
async fn keep(ctx: &Ctx, ground: Ground, got: &Got, was_checked: bool) -> Result<Connection> {
    let key = data_key(ctx, KEY).await?;
    let check_at = ground
        .definition
        .check
        .is_some()
        .then(|| got.issued_at.plus(CHECK_EVERY));
    let has_tokens = matches!(ground.definition.auth, Auth::Oauth2(_) | Auth::JwtBearer(_));
    for _ in 0..TRIES {
        let mut tx = ctx.write().await?;
        still_there(&mut tx, &ground.of).await?;
        let now = ctx.now();
        let row = connections::ensure(&mut tx, &ground.of, now).await;
        let row = row.map_err(store_error)?;
        let sealed = got.own.seal(&key, place(row.id))?;
        let written = Written {
            status: ConnectionStatus::Connected,
            reason: None,
            sealed: Some(&sealed),
            issued_at: has_tokens.then_some(got.issued_at),
            expires_at: got.expires_at,
            refresh_at: got.refresh_at,
            check_at,
            checked_at: was_checked.then_some(now),
            anew: true,
        };
        let kept = connections::update(&mut tx, &row, &written, now).await;
        if kept.map_err(store_error)? {
            let row = connections::get(&mut tx, row.id)
                .await
                .map_err(store_error)?;
            tx.commit().await.map_err(store_error)?;
            ctx.app.hints.give(Topic::Connections);
            tell(ctx, &row.of);
            return Ok(row);
        }
    }
    Err(Error::conflict(
        "busy",
        "the connection is being changed by others; try again",
    ))
}

/// Refuses to write for somebody who was archived meanwhile; keeps him from being so before the end.
pub(crate) async fn still_there(tx: &mut WriteTx, of: &ConnectionOf) -> Result<()> {
    if let Some(id) = of.tenant_id {
        let tenant = tenants::lock(tx, id).await.map_err(store_error)?;
        if tenant.archived_at.is_some() {
            return Err(Error::not_found(TenantId::KIND, id));
        }
        return Ok(());
    }
    let integration = integrations::lock_shared(tx, of.integration_id).await;
    if integration.map_err(store_error)?.archived_at.is_some() {
        return Err(Error::not_found(IntegrationId::KIND, of.integration_id));
    }
    Ok(())
}

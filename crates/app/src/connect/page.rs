//! What somebody with a link sees and does: a form, or the provider's consent.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use marquetry_connector::{Definition, Field, OAuth2};
use marquetry_model::{ConnectLink, Error, Result};
use marquetry_store::integrations;
use url::Url;

use super::attempt::{Kept, begin};
use super::device;
use super::links::{consume, find};
use super::{Done, Next, hash, new_secret};
use crate::connections::credentials::{Ground, Trial, connect, ground_still, missing_provision};
use crate::connections::{SecretValues, all_values, filled, scope};
use crate::connectors::provisions::{Input, merged};
use crate::ctx::Ctx;
use crate::errors::store_error;

/// A link that was opened.
#[derive(Debug, Clone)]
pub struct LinkView {
    /// What it is connected for: the integration, as people know it.
    pub account: String,
    /// The connector's name.
    pub connector: String,
    /// The system's name.
    pub title: String,
    /// What to tell who connects.
    pub help: Option<String>,
    /// What is to be entered first; empty: the provider's page comes at once.
    pub fields: Vec<FieldView>,
    /// Whether a consent follows.
    pub consent: bool,
}

/// A field, with what was entered before where that is no secret.
#[derive(Debug, Clone)]
pub struct FieldView {
    /// The field.
    pub field: Field,
    /// Its value.
    pub value: String,
}

/// Opens a link.
///
/// # Errors
///
/// It was revoked, used up or has ended, or whose it is was archived.
pub async fn link_open(ctx: &Ctx, token: &str) -> Result<LinkView> {
    let link = find(ctx, token).await?;
    let ground = standing(ctx, &link).await?;
    let fields = ground.definition.fields.iter().map(|field| FieldView {
        field: field.clone(),
        value: if field.secret {
            String::new()
        } else {
            let former = ground.former.get(&field.name).map(str::to_owned);
            former.or_else(|| field.default.clone()).unwrap_or_default()
        },
    });
    let fields = fields.collect();
    let mut tx = ctx.read().await?;
    let integration = integrations::get(&mut tx, link.of.integration_id).await;
    let account = integration.map_err(store_error)?.long_name;
    drop(tx);
    let definition = ground.definition;
    Ok(LinkView {
        account,
        consent: definition.auth.needs_consent(),
        connector: definition.name.clone(),
        title: definition.title.clone(),
        help: definition.help.clone(),
        fields,
    })
}

async fn standing(ctx: &Ctx, link: &ConnectLink) -> Result<Ground> {
    ground_still(ctx, link.of.clone()).await
}

/// Takes what was entered: makes the connection, or answers where the consent is given.
///
/// # Errors
///
/// Each value that is wrong, or what the system said; the link goes on working.
pub async fn link_submit(
    ctx: &Ctx,
    token: &str,
    input: Input,
    browser: &str,
    redirect_uri: &str,
) -> Result<Next> {
    let link = find(ctx, token).await?;
    let ground = standing(ctx, &link).await?;
    let entered = merged(
        &ground.definition,
        &ground.definition.fields,
        input,
        &SecretValues::default(),
    )?;
    let values = all_values(&ground.definition, &ground.provisioned, &entered);
    missing_provision(&ground, &values)?;
    let once = link.once.then(|| hash(token));
    if !ground.definition.auth.needs_consent() {
        let done = Done {
            title: ground.definition.title.clone(),
            connector: ground.definition.name.clone(),
        };
        connect(ctx, ground, entered, Trial::Form).await?;
        if let Some(link) = once {
            consume(ctx, &link).await?;
        }
        return Ok(Next::Done(done));
    }
    let mut kept = Kept {
        values: entered,
        redirect_uri: redirect_uri.to_owned(),
        link: once,
        ..Kept::default()
    };
    let Some(rules) = ground.definition.auth.oauth2() else {
        return Err(Error::internal("a consent without OAuth 2"));
    };
    if rules.device_url.is_some() && rules.authorize_url.is_none() {
        return device::begin_device(ctx, &ground, rules, &values, kept, browser).await;
    }
    let verifier = rules.pkce.then(new_secret);
    kept.verifier.clone_from(&verifier);
    let state = begin(ctx, &ground.of, browser, &kept).await?;
    let url = consent_url(&ground.definition, rules, &values, &kept, &state)?;
    Ok(Next::Provider(url))
}

/// The address of the provider's page.
fn consent_url(
    definition: &Definition,
    rules: &OAuth2,
    values: &SecretValues,
    kept: &Kept,
    state: &str,
) -> Result<String> {
    let values = values.as_values();
    let wrong = |why: String| {
        Error::conflict(
            "definition",
            format!("connector {} cannot be connected: {why}", definition.name),
        )
    };
    let address = rules
        .authorize_url
        .as_ref()
        .ok_or_else(|| wrong("it has no authorize_url".to_owned()))?;
    let address = address
        .fill_url(values)
        .map_err(|why| wrong(why.to_string()))?;
    let mut url =
        Url::parse(&address).map_err(|_| wrong("its authorize_url is no URL".to_owned()))?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err(wrong(
            "its authorize_url must begin with https://".to_owned(),
        ));
    }
    let scope = scope(rules, values);
    let mut query = url.query_pairs_mut();
    query
        .append_pair("response_type", "code")
        .append_pair(
            "client_id",
            values.get("client_id").map_or("", String::as_str),
        )
        .append_pair("redirect_uri", &kept.redirect_uri)
        .append_pair("state", state);
    if !scope.is_empty() {
        query.append_pair(&rules.scope_parameter, &scope);
    }
    if let Some(verifier) = &kept.verifier {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, verifier.as_bytes());
        query
            .append_pair("code_challenge", &URL_SAFE_NO_PAD.encode(digest.as_ref()))
            .append_pair("code_challenge_method", "S256");
    }
    let further = filled(definition, &rules.authorize_params, values);
    for (name, value) in further.map_err(|why| wrong(why.to_string()))? {
        query.append_pair(&name, &value);
    }
    drop(query);
    Ok(url.into())
}

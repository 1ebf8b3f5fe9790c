//! The way back from a provider.

use std::collections::BTreeMap;

use marquetry_connector::{Choice as ChoiceRule, OAuth2, Tokens, Values};
use marquetry_model::{ConnectionOf, Error, Result};
use serde_json::Value;

use super::attempt::{self, Kept, begin};
use super::links::consume;
use super::{Choice, Done, Next};
use crate::connections::credentials::{Ground, Trial, fetch, finish, ground_still, scalar};
use crate::connections::{Asked, SecretValues, all_values, ask, take_over};
use crate::ctx::Ctx;
use crate::to_the_end::to_the_end;

/// The most that can be chosen from.
const MOST_CHOICES: usize = 200;

/// Takes what a provider sent with the browser.
///
/// # Errors
///
/// The state was used or never given, the consent was denied, or the provider gives no token for it.
pub async fn callback_take(
    ctx: &Ctx,
    params: &BTreeMap<String, String>,
    browser: &str,
) -> Result<Next> {
    let (ctx, params, browser) = (ctx.clone(), params.clone(), browser.to_owned());
    to_the_end(async move { consented(&ctx, &params, &browser).await }).await?
}

async fn consented(ctx: &Ctx, params: &BTreeMap<String, String>, browser: &str) -> Result<Next> {
    let param = |name: &str| {
        params
            .get(name)
            .map(String::as_str)
            .filter(|it| !it.is_empty())
    };
    let state = param("state").ok_or_else(|| {
        Error::conflict(
            "no_state",
            "the provider sent no state, so it is not known what this answers; open the link again",
        )
    })?;
    let (of, kept) = attempt::take(ctx, state, browser).await?;
    let ground = ground_still(ctx, of).await?;
    let title = ground.definition.title.clone();
    if let Some(error) = param("error") {
        let more = param("error_description")
            .map(|it| format!(": {it}"))
            .unwrap_or_default();
        let text: String = format!("{error}{more}")
            .chars()
            .filter(|c| !c.is_control())
            .take(300)
            .collect();
        return Err(Error::conflict(
            "denied",
            format!("{title} did not give its consent ({text})"),
        ));
    }
    let code = param(code_parameter(&ground)).ok_or_else(|| {
        Error::conflict(
            "no_code",
            format!("{title} sent neither a code nor an error; open the link again"),
        )
    })?;
    let Some(rules) = ground.definition.auth.oauth2().cloned() else {
        return Err(Error::conflict(
            "definition",
            format!(
                "connector {} is no longer one of OAuth 2",
                ground.of.connector
            ),
        ));
    };
    let mut own = kept.values.clone();
    for (name, parameter) in &rules.callback {
        if let Some(value) = param(parameter) {
            own.insert(name, value.chars().take(4096).collect());
        }
    }
    let values = all_values(&ground.definition, &ground.provisioned, &own);
    let asked = Asked::Code {
        code,
        verifier: kept.verifier.as_deref(),
        redirect_uri: &kept.redirect_uri,
    };
    let tokens = ask(
        &ctx.app.http,
        &ground.definition,
        values.as_values(),
        asked,
        ctx.now(),
    )
    .await;
    let tokens = tokens.map_err(|fault| {
        Error::conflict(
            "no_token",
            format!("{title} gave no token for the consent: {fault}"),
        )
    })?;
    tokens_taken(ctx, ground, &rules, own, tokens, &kept, browser).await
}

/// What the provider calls its code.
fn code_parameter(ground: &Ground) -> &str {
    let rules = ground.definition.auth.oauth2();
    rules.map_or("code", |it| it.code_parameter.as_str())
}

/// What follows when tokens are there, whichever way they came.
pub(super) async fn tokens_taken(
    ctx: &Ctx,
    ground: Ground,
    rules: &OAuth2,
    own: SecretValues,
    tokens: Tokens,
    kept: &Kept,
    browser: &str,
) -> Result<Next> {
    let Some(rule) = &rules.choice else {
        return complete(ctx, ground, own, tokens, kept.link.as_deref()).await;
    };
    let lifetime_s = tokens.lifetime_s;
    let known = own.with(&SecretValues::new(tokens.values));
    let (titles, choices) = choices(ctx, &ground, rule, &known).await?;
    if let [only] = choices.as_slice() {
        let known = known.with(&SecretValues::new(only.clone()));
        return complete(
            ctx,
            ground,
            known,
            without_values(lifetime_s),
            kept.link.as_deref(),
        )
        .await;
    }
    let next = Kept {
        values: known,
        link: kept.link.clone(),
        choices,
        lifetime_s,
        ..Kept::default()
    };
    let token = begin(ctx, &ground.of, browser, &next).await?;
    Ok(Next::Choose(Choice {
        title: ground.definition.title.clone(),
        question: rule.label.clone(),
        token,
        options: titles.into_iter().enumerate().collect(),
    }))
}

fn without_values(lifetime_s: Option<i64>) -> Tokens {
    Tokens {
        values: Values::new(),
        lifetime_s,
    }
}

/// Takes what somebody chose.
pub async fn choice_take(ctx: &Ctx, token: &str, chosen: usize, browser: &str) -> Result<Next> {
    let (_, looked) = attempt::peek(ctx, token, browser).await?;
    if chosen >= looked.choices.len() {
        return Err(Error::invalid("choice", "choose one of the list"));
    }
    let (of, kept): (ConnectionOf, Kept) = attempt::take(ctx, token, browser).await?;
    let ground = ground_still(ctx, of).await?;
    let values = kept.choices.get(chosen).cloned().unwrap_or_default();
    let known = kept.values.clone().with(&SecretValues::new(values));
    complete(
        ctx,
        ground,
        known,
        without_values(kept.lifetime_s),
        kept.link.as_deref(),
    )
    .await
}

async fn choices(
    ctx: &Ctx,
    ground: &Ground,
    rule: &ChoiceRule,
    known: &SecretValues,
) -> Result<(Vec<String>, Vec<BTreeMap<String, String>>)> {
    let values = all_values(&ground.definition, &ground.provisioned, known);
    let json = fetch(ctx, &ground.definition, &values, &rule.request).await?;
    let items = json.pointer(&rule.items).and_then(Value::as_array);
    let items = items.map(Vec::as_slice).unwrap_or_default();
    if items.is_empty() {
        return Err(Error::conflict(
            "nothing_to_choose",
            format!(
                "{} has nothing to choose for {:?}; consent with an account that has",
                ground.definition.title, rule.label
            ),
        ));
    }
    let read = |item: &Value| {
        let title = item
            .pointer(&rule.title)
            .and_then(scalar)
            .unwrap_or_else(|| "(without a name)".to_owned());
        let values = rule
            .values
            .iter()
            .filter_map(|(name, at)| Some((name.clone(), scalar(item.pointer(at)?)?)));
        (title, values.collect())
    };
    Ok(items.iter().take(MOST_CHOICES).map(read).unzip())
}

async fn complete(
    ctx: &Ctx,
    ground: Ground,
    own: SecretValues,
    tokens: Tokens,
    link: Option<&str>,
) -> Result<Next> {
    let done = Done {
        title: ground.definition.title.clone(),
        connector: ground.definition.name.clone(),
    };
    let got = take_over(&ground.definition, own, tokens, ctx.now());
    finish(ctx, ground, got, Trial::Lenient).await?;
    if let Some(link) = link {
        consume(ctx, link).await?;
    }
    Ok(Next::Done(done))
}

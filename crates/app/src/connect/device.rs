//! Consent on another device (RFC 8628): a code is shown here and entered there.

use marquetry_connector::{OAuth2, TokenError};
use marquetry_model::{Error, Result};
use serde_json::{Map, Value};

use super::attempt::{self, Device, Kept, begin};
use super::callback::tokens_taken;
use super::{DeviceCode, Next};
use crate::connections::credentials::{Ground, ground_still, scalar};
use crate::connections::{Asked, SecretValues, all_values, ask, device, without_secrets};
use crate::ctx::Ctx;
use crate::to_the_end::to_the_end;

/// Asks the provider for a code.
pub(super) async fn begin_device(
    ctx: &Ctx,
    ground: &Ground,
    rules: &OAuth2,
    values: &SecretValues,
    mut kept: Kept,
    browser: &str,
) -> Result<Next> {
    let title = &ground.definition.title;
    let wrong = |why: String| Error::conflict("device", format!("{title} gave no code: {why}"));
    let answer = device(&ctx.app.http, rules, values.as_values()).await;
    let answer = answer.map_err(|fault| {
        let said = fault.to_string();
        wrong(without_secrets(
            &ground.definition,
            values.as_values(),
            &said,
        ))
    })?;
    let device = read(&answer).ok_or_else(|| wrong("its answer has no device_code".to_owned()))?;
    kept.device = Some(device.clone());
    let token = begin(ctx, &ground.of, browser, &kept).await?;
    Ok(shown(title.clone(), &device, token))
}

fn read(answer: &Map<String, Value>) -> Option<Device> {
    let text = |name: &str| answer.get(name).and_then(scalar);
    let url = text("verification_uri_complete").or_else(|| text("verification_uri"));
    // Google's own word.
    let url = url.or_else(|| text("verification_url"))?;
    let interval = text("interval").and_then(|it| it.parse().ok()).unwrap_or(5);
    Some(Device {
        code: text("device_code")?,
        user_code: text("user_code")?,
        verification_url: url,
        interval_s: i64::clamp(interval, 1, SLOWEST_S),
    })
}

fn shown(title: String, device: &Device, token: String) -> Next {
    Next::Device(DeviceCode {
        title,
        user_code: device.user_code.clone(),
        verification_url: device.verification_url.clone(),
        token,
        interval_s: device.interval_s,
    })
}

/// How much more seldom a provider is asked that says it is asked too often (RFC 8628, 3.5), in seconds.
const SLOWER_S: i64 = 5;
/// The longest time between two questions, in seconds.
const SLOWEST_S: i64 = 60;

/// Looks whether the code was entered.
pub async fn device_poll(ctx: &Ctx, token: &str, browser: &str) -> Result<Next> {
    let (ctx, token, browser) = (ctx.clone(), token.to_owned(), browser.to_owned());
    to_the_end(async move { polled(&ctx, &token, &browser).await }).await?
}

async fn polled(ctx: &Ctx, token: &str, browser: &str) -> Result<Next> {
    let (of, mut kept) = attempt::peek(ctx, token, browser).await?;
    let Some(mut waiting) = kept.device.clone() else {
        return Err(Error::conflict(
            "unknown_state",
            "this page has ended; open the link again",
        ));
    };
    let ground = ground_still(ctx, of).await?;
    let title = ground.definition.title.clone();
    let Some(rules) = ground.definition.auth.oauth2().cloned() else {
        return Err(Error::conflict(
            "definition",
            "the connector is no longer one of OAuth 2",
        ));
    };
    let own = kept.values.clone();
    let values = all_values(&ground.definition, &ground.provisioned, &own);
    let asked = ask(
        &ctx.app.http,
        &ground.definition,
        values.as_values(),
        Asked::Device(&waiting.code),
        ctx.now(),
    )
    .await;
    let tokens = match asked {
        Ok(tokens) => tokens,
        Err(fault) if fault.error == TokenError::SlowDown => {
            // From here on: some count each question that comes too early.
            waiting.interval_s = (waiting.interval_s + SLOWER_S).min(SLOWEST_S);
            kept.device = Some(waiting.clone());
            attempt::keep(ctx, token, &kept).await?;
            return Ok(shown(title, &waiting, token.to_owned()));
        }
        Err(fault) if matches!(fault.error, TokenError::Pending | TokenError::Later) => {
            return Ok(shown(title, &waiting, token.to_owned()));
        }
        Err(fault) => {
            return Err(Error::conflict(
                "denied",
                format!("{title} did not give its consent ({fault})"),
            ));
        }
    };
    attempt::take(ctx, token, browser).await?;
    tokens_taken(ctx, ground, &rules, own, tokens, &kept, browser).await
}

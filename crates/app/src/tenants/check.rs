//! What a tenant's fields may hold.

use marquetry_manifest::LONGEST_NAME;
use marquetry_model::{FieldError, Loc, Tenant, check_schedule, check_slug, is_time_zone};
use serde_json::{Map, Value};

use super::TenantPatch;
use crate::ctx::Ctx;

/// The settings of one tenant together, in bytes of JSON: every answer about it shows them.
const CONFIGS: usize = 1 << 20;

/// The fields that have rules of their own, whatever the others hold; none: not mentioned.
pub(super) struct Fields<'a> {
    name: Option<&'a str>,
    user_name: Option<&'a str>,
    user_schedule: Option<&'a str>,
    timezone: Option<&'a str>,
    configs: Option<&'a Map<String, Value>>,
}

impl<'a> Fields<'a> {
    pub(super) fn of(tenant: &'a Tenant) -> Self {
        Self {
            name: Some(&tenant.name),
            user_name: tenant.user_name.as_deref(),
            user_schedule: tenant.user_schedule.as_deref(),
            timezone: tenant.timezone.as_deref(),
            configs: Some(&tenant.configs),
        }
    }

    pub(super) fn mentioned(patch: &'a TenantPatch) -> Self {
        Self {
            name: patch.name.as_deref(),
            user_name: patch.user_name.given().map(String::as_str),
            user_schedule: patch.user_schedule.given().map(String::as_str),
            timezone: patch.timezone.given().map(String::as_str),
            configs: patch.configs.as_ref(),
        }
    }

    /// What is wrong with each by itself. Of the settings only what differs from those that were there
    /// `before`: they may be older than a limit, and must not stand in the way of another change.
    pub(super) fn faults(&self, ctx: &Ctx, before: &Map<String, Value>) -> Vec<FieldError> {
        let mut faults = Vec::new();
        let mut fault = |field, message: String| faults.push(FieldError::body(field, message));
        if let Some(Err(why)) = self.name.map(check_slug) {
            fault("name", why.to_string());
        }
        if self.user_name.is_some_and(|name| name.len() > 500) {
            fault("user_name", "must have at most 500 bytes".into());
        }
        if let Some(Err(why)) = self.user_schedule.map(check_schedule) {
            fault("user_schedule", why);
        }
        if self.timezone.is_some_and(|zone| !is_time_zone(zone)) {
            let message = "must be an IANA time zone, as Europe/Berlin";
            fault("timezone", message.into());
        }
        for (key, value) in self.configs.into_iter().flatten() {
            // Null takes a setting away.
            if !value.is_null() && before.get(key) != Some(value) {
                of_setting(ctx, key, value, &mut faults);
            }
        }
        faults
    }
}

/// What is wrong with a tenant: with its fields, and with several of them together.
pub(crate) fn check(ctx: &Ctx, tenant: &Tenant, before: &Map<String, Value>) -> Vec<FieldError> {
    let mut faults = Fields::of(tenant).faults(ctx, before);
    faults.extend(together(tenant, before));
    faults
}

/// What is wrong with several fields together.
pub(super) fn together(tenant: &Tenant, before: &Map<String, Value>) -> Vec<FieldError> {
    let mut faults = Vec::new();
    if tenant.integration_release_id.is_some() && tenant.integration_release_channel.is_some() {
        let message = "give integration_release_id or integration_release_channel, not both";
        faults.push(FieldError::body("integration_release_channel", message));
    }
    if let Some(message) = too_large(&tenant.configs, before) {
        faults.push(FieldError::body("configs", message));
    }
    faults
}

fn of_setting(ctx: &Ctx, key: &str, value: &Value, faults: &mut Vec<FieldError>) {
    let most = ctx.app.settings.limits.config_value_bytes;
    let at = |key: &str, message: String| {
        let place = [Loc::Name(key.to_owned().into())];
        FieldError::body("configs", message).with_kind(place, "value_error", Map::new())
    };
    let size = value
        .as_str()
        .map_or_else(|| value.to_string().len(), str::len);
    if key.len() > LONGEST_NAME {
        let shown: String = key.chars().take(50).collect();
        let message = format!(
            "the name {shown}… has {} bytes; a name may have {LONGEST_NAME}",
            key.len()
        );
        faults.push(FieldError::body("configs", message));
    }
    if size > most {
        let message = format!("has {size} bytes; a value may have {most}");
        faults.push(at(key, message));
    }
    if key.contains('\0') || value.as_str().is_some_and(|text| text.contains('\0')) {
        faults.push(at(&key.replace('\0', ""), "holds a NUL character".into()));
    }
}

/// What is wrong with the size of all settings together; nothing where they do not grow.
fn too_large(configs: &Map<String, Value>, before: &Map<String, Value>) -> Option<String> {
    let size_of = |configs| serde_json::to_string(configs).map_or(usize::MAX, |text| text.len());
    let size = size_of(configs);
    (size > CONFIGS && size > size_of(before)).then(|| {
        format!("have {size} bytes as JSON; all settings of a tenant together may have {CONFIGS}")
    })
}

//! The names under which code finds what a connection gives (`spec/hub.md` 9.3).

use std::collections::{BTreeMap, BTreeSet};

use crate::auth::Auth;
use crate::definition::Definition;
use crate::template::{Template, Values};

/// Values that stay with the platform, whatever a definition says and however an answer writes them: names
/// without `_`.
const NEVER: [&str; 2] = ["refreshtoken", "idtoken"];
/// What an answer with a token usually has.
const USUAL: [&str; 3] = ["access_token", "token_type", "scope"];
/// The same where it has an end.
const END: [&str; 2] = ["expires_in", "expires_at"];

/// The variable of a value: `PAN_SEC_` and both names in upper case, with `_` for whatever else stands there.
fn name(connector: &str, value: &str) -> String {
    format!("PAN_SEC_{}_{}", shout(connector), shout(value))
}

/// The older form, which keeps the hyphens of a connector's name; none where it has none.
fn hyphen_name(connector: &str, value: &str) -> Option<String> {
    let kept = connector.to_uppercase();
    let good = kept
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    (good && kept.contains('-')).then(|| format!("PAN_SEC_{kept}_{}", shout(value)))
}

/// Upper case, each run of other characters as one `_`.
fn shout(text: &str) -> String {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    words.join("_").to_uppercase()
}

fn is_given(definition: &Definition, name: &str) -> bool {
    !is_kept(name) && !definition.hidden.iter().any(|it| it == name)
}

/// Whether a value is one of those that code is never given.
pub(crate) fn is_kept(name: &str) -> bool {
    NEVER.contains(&name.to_lowercase().replace('_', "").as_str())
}

/// Whether code is given what a template makes.
fn is_template_given(definition: &Definition, name: &str, template: &Template) -> bool {
    let names = template.names().unwrap_or_default();
    is_given(definition, name) && !names.iter().any(|name| is_kept(name))
}

/// Whether nobody may see a value, by the word of its field, or by its name where it is none of a field.
#[must_use]
pub fn is_secret(definition: &Definition, name: &str) -> bool {
    match definition.secrets.get(name) {
        // A template is over the values alone, not over other templates: two could name each other.
        Some(template) if !has_field(definition, name) => {
            let names = template.names().unwrap_or_default();
            names.iter().any(|it| is_secret_value(definition, it))
        }
        _ => is_secret_value(definition, name),
    }
}

fn has_field(definition: &Definition, name: &str) -> bool {
    let mut fields = definition.provisioning.iter().chain(&definition.fields);
    fields.any(|field| field.name == name)
}

fn is_secret_value(definition: &Definition, name: &str) -> bool {
    let mut fields = definition.provisioning.iter().chain(&definition.fields);
    if let Some(field) = fields.find(|field| field.name == name) {
        return field.secret;
    }
    let telling = ["token", "secret", "password", "key", "assertion"];
    // `refresh_token_expires_in` tells of a token and is none.
    let told_of = ["token_type", "expires_in", "expires_at"];
    telling.iter().any(|word| name.contains(word))
        && !told_of.iter().any(|word| name.ends_with(word))
}

/// The variables of a connection, with their values, in a stable order.
#[must_use]
pub fn secret_variables(definition: &Definition, values: &Values) -> Vec<(String, String)> {
    let mut given: Values = values
        .iter()
        .filter(|(name, value)| is_given(definition, name) && !value.is_empty())
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    for (name, template) in &definition.secrets {
        if is_template_given(definition, name, template)
            && let Ok(value) = template.fill(values)
        {
            given.insert(name.clone(), value);
        }
    }
    // By name, for two values may give the same one, as `a_b` and `a__b`.
    let mut all = BTreeMap::new();
    for (value_name, value) in given {
        // A NUL ends a variable; nothing after it would arrive.
        let value = value.replace('\0', "");
        if let Some(hyphen) = hyphen_name(&definition.name, &value_name) {
            all.insert(hyphen, value.clone());
        }
        all.insert(name(&definition.name, &value_name), value);
    }
    all.into_iter().collect()
}

/// The names of the variables that a connection can be expected to give.
#[must_use]
pub fn variable_names(definition: &Definition) -> Vec<String> {
    let mut values: BTreeSet<&str> = BTreeSet::new();
    let fields = definition.provisioning.iter().chain(&definition.fields);
    values.extend(fields.map(|field| field.name.as_str()));
    let secrets = definition.secrets.iter();
    let made = secrets.filter(|(name, template)| is_template_given(definition, name, template));
    values.extend(made.map(|(name, _)| name.as_str()));
    if definition.auth.has_tokens() {
        values.extend(USUAL);
    }
    if definition.auth.tells_end() {
        values.extend(END);
    }
    if let Some(oauth2) = definition.auth.oauth2() {
        values.extend(oauth2.token.values.keys().map(String::as_str));
        values.extend(oauth2.callback.keys().map(String::as_str));
        let discovered = oauth2.discover.iter().flat_map(|it| it.values.keys());
        values.extend(discovered.map(String::as_str));
        let chosen = oauth2.choice.iter().flat_map(|it| it.values.keys());
        values.extend(chosen.map(String::as_str));
    }
    if let Auth::JwtBearer(jwt) = &definition.auth {
        values.extend(jwt.token.values.keys().map(String::as_str));
    }
    let values = values.into_iter();
    let given = values.filter(|value| is_given(definition, value));
    let names: BTreeSet<String> = given.map(|value| name(&definition.name, value)).collect();
    names.into_iter().collect()
}

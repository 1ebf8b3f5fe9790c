//! Values that people could enter, made of what a definition says of its fields.

use std::collections::BTreeMap;

use marquetry_connector::{Field, FieldKind, Values, check_values};
use serde_json::json;

use crate::keys;

/// How much is entered.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Filled {
    /// Everything; of options the last. What has a default is
    /// left to it.
    Whole,
    /// What is required and has no default.
    Required,
}

/// What is entered.
pub(crate) fn entered(fields: &[Field], filled: Filled) -> Result<Values, String> {
    let mut values = Values::new();
    for field in fields {
        let default = field.default.as_deref().unwrap_or_default();
        let by_itself = !default.is_empty() && field.options.is_empty();
        let wanted = match filled {
            Filled::Whole => !by_itself,
            Filled::Required => field.required && field.default.is_none(),
        };
        if wanted {
            values.insert(field.name.clone(), value(field)?);
        }
    }
    match check_values(fields, &values, true).as_slice() {
        [] => Ok(values),
        [fault, ..] => Err(format!("field {}: {}", fault.name, fault.message)),
    }
}

fn value(field: &Field) -> Result<String, String> {
    let fields = std::slice::from_ref(field);
    let good = |value: &String| {
        let values = BTreeMap::from([(field.name.clone(), value.clone())]);
        !value.is_empty() && check_values(fields, &values, true).is_empty()
    };
    let found = candidates(field).into_iter().find(good);
    found.ok_or_else(|| format!("no example of field {} meets its own rules", field.name))
}

fn help(field: &Field) -> &str {
    field.help.as_deref().unwrap_or_default()
}

const CERTIFICATE: &str = include_str!("../../../outbound/tests/certificates/client.pem");
const CERTIFICATE_KEY: &str = include_str!("../../../outbound/tests/certificates/client-key.pem");

fn candidates(field: &Field) -> Vec<String> {
    let name = field.name.replace('_', "-");
    let last = field.options.last().map(|it| it.value.clone());
    let mut all: Vec<String> = last.into_iter().collect();
    let example = field.placeholder.as_deref().unwrap_or_default();
    let plain = match field.kind {
        FieldKind::Select => String::new(),
        FieldKind::Json => service_account(),
        // The two halves of one client.
        FieldKind::Multiline if field.name == "certificate" => CERTIFICATE.to_owned(),
        FieldKind::Multiline if help(field).contains("certificate") => CERTIFICATE_KEY.to_owned(),
        FieldKind::Multiline if field.name.contains("key") => keys::private_key().to_owned(),
        FieldKind::Multiline | FieldKind::Text if field.name == "scopes" => {
            "read.one write.two".to_owned()
        }
        // Whatever people may have in a password is to arrive.
        FieldKind::Text | FieldKind::Multiline if field.secret && field.pattern.is_none() => {
            format!("S3c+/r=e&t%41{name}")
        }
        FieldKind::Text | FieldKind::Multiline => format!("{name}-value"),
        FieldKind::Url => format!("https://{name}.example.com"),
        FieldKind::Host => format!("{name}.example.com"),
        FieldKind::Number => "12345".to_owned(),
    };
    if field.kind == FieldKind::Url || field.pattern.is_some() {
        all.push(example.replace('…', "abc123"));
        all.push(example.replace('x', "0"));
    }
    all.push(plain);
    all.extend(field.default.clone());
    all
}

fn service_account() -> String {
    let file = json!({
        "type": "service_account",
        "client_email": "robot@project.iam.gserviceaccount.com",
        "private_key_id": "key-1",
        "private_key": keys::private_key(),
    });
    file.to_string()
}

//! Templates over the values of a connection: `Bearer {{access_token}}`.
//!
//! A place is a name, the place inside of a value that is JSON (`{{service_account_json.client_email}}`), and
//! filters: `{{account_id|upper|underscore}}`. In a URL each value is encoded for where it stands, but a
//! value that begins the text is a whole URL or origin.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The values of a connection, by name.
pub type Values = BTreeMap<String, String>;

/// A text with places for values.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Template(String);

/// Why a template cannot be filled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// There is no value of that name.
    #[error("the connection has no value {0}")]
    Missing(String),
    /// The text itself is wrong.
    #[error("{0}")]
    Form(String),
}

/// The filters.
const FILTERS: [&str; 4] = ["upper", "lower", "underscore", "hyphen"];

/// A part of a template.
#[derive(Debug, PartialEq, Eq)]
enum Part<'a> {
    Text(&'a str),
    Place {
        name: &'a str,
        inside: Vec<&'a str>,
        filters: Vec<&'a str>,
    },
}

impl Template {
    /// One that is known to be right.
    #[must_use]
    pub fn literal(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The text as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The names that it needs.
    ///
    /// # Errors
    /// [`TemplateError::Form`] where a place is not closed or has an unknown filter.
    pub fn names(&self) -> Result<Vec<String>, TemplateError> {
        let parts = parts(&self.0)?.into_iter();
        Ok(parts
            .filter_map(|part| match part {
                Part::Text(_) => None,
                Part::Place { name, .. } => Some(name.to_owned()),
            })
            .collect())
    }

    /// The text with its values.
    ///
    /// # Errors
    /// [`TemplateError`].
    pub fn fill(&self, values: &Values) -> Result<String, TemplateError> {
        self.fill_with(values, |value, _| value)
    }

    /// The text with its values, each encoded so that it stays in its part of a URL; a value at the very
    /// start is taken as it is.
    ///
    /// # Errors
    /// [`TemplateError`].
    pub fn fill_url(&self, values: &Values) -> Result<String, TemplateError> {
        self.fill_with(values, |value, before| {
            if before.is_empty() {
                return value.trim_end_matches('/').to_owned();
            }
            let authority = before
                .split_once("://")
                .is_some_and(|(_, rest)| !rest.contains(['/', '?', '#']));
            if authority {
                // Who puts a slash or an at sign here would choose the host.
                value.chars().filter(|c| in_host(*c)).collect()
            } else {
                url::form_urlencoded::byte_serialize(value.as_bytes())
                    .collect::<String>()
                    .replace('+', "%20")
            }
        })
    }

    fn fill_with(
        &self,
        values: &Values,
        encode: impl Fn(String, &str) -> String,
    ) -> Result<String, TemplateError> {
        let mut text = String::new();
        for part in parts(&self.0)? {
            match part {
                Part::Text(it) => text.push_str(it),
                Part::Place {
                    name,
                    inside,
                    filters,
                } => {
                    let value = value(values, name, &inside)?;
                    let value = filters
                        .iter()
                        .fold(value, |value, filter| apply(filter, value));
                    let value = encode(value, &text);
                    text.push_str(&value);
                }
            }
        }
        Ok(text)
    }
}

fn in_host(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_')
}

fn value(values: &Values, name: &str, inside: &[&str]) -> Result<String, TemplateError> {
    let missing = || {
        TemplateError::Missing(
            std::iter::once(name)
                .chain(inside.iter().copied())
                .collect::<Vec<_>>()
                .join("."),
        )
    };
    let value = values.get(name).ok_or_else(missing)?;
    if inside.is_empty() {
        return Ok(value.clone());
    }
    let json: Value = serde_json::from_str(value).map_err(|_| missing())?;
    let found = json.pointer(&format!("/{}", inside.join("/")));
    found.and_then(as_text).ok_or_else(missing)
}

/// A scalar as text.
pub(crate) fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn apply(filter: &str, value: String) -> String {
    match filter {
        "upper" => value.to_uppercase(),
        "lower" => value.to_lowercase(),
        "underscore" => value.replace('-', "_"),
        "hyphen" => value.replace('_', "-"),
        _ => value,
    }
}

fn parts(text: &str) -> Result<Vec<Part<'_>>, TemplateError> {
    let mut all = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((inner, after)) = after.split_once("}}") else {
            return Err(TemplateError::Form(
                "a `{{` is not closed by `}}`".to_owned(),
            ));
        };
        if !before.is_empty() {
            all.push(Part::Text(before));
        }
        all.push(place(inner.trim())?);
        rest = after;
    }
    if !rest.is_empty() {
        all.push(Part::Text(rest));
    }
    Ok(all)
}

fn place(text: &str) -> Result<Part<'_>, TemplateError> {
    let mut pieces = text.split('|').map(str::trim);
    let path = pieces.next().unwrap_or_default();
    let filters: Vec<&str> = pieces.collect();
    if let Some(wrong) = filters.iter().find(|it| !FILTERS.contains(it)) {
        let known = FILTERS.join(", ");
        return Err(TemplateError::Form(format!(
            "there is no filter {wrong:?}; there are {known}"
        )));
    }
    let mut path = path.split('.');
    let name = path.next().unwrap_or_default();
    if !is_name(name) {
        return Err(TemplateError::Form(format!(
            "{text:?} is no name of a value"
        )));
    }
    Ok(Part::Place {
        name,
        inside: path.collect(),
        filters,
    })
}

/// The name of a value: a lower-case letter, then those, digits and `_`.
pub(crate) fn is_name(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values() -> Values {
        let pairs = [
            ("key", "a b&c"),
            ("shop", "evil.test/x@y?z"),
            ("base", "https://shop.test/"),
            ("account", "1234-sb1"),
            ("json", r#"{"mail": "x@y.test", "n": 7, "list": []}"#),
        ];
        pairs.map(|(a, b)| (a.to_owned(), b.to_owned())).into()
    }

    #[test]
    fn places_are_filled() {
        let fill = |text: &str| Template::literal(text).fill(&values());
        assert_eq!(fill("Bearer {{key}}").unwrap(), "Bearer a b&c");
        assert_eq!(fill("{{ json.mail }}/{{json.n}}").unwrap(), "x@y.test/7");
        assert_eq!(fill("{{account|upper|underscore}}").unwrap(), "1234_SB1");
        for text in ["{{nothing}}", "{{json.list}}", "{{key.x}}"] {
            assert!(
                matches!(fill(text), Err(TemplateError::Missing(_))),
                "{text}"
            );
        }
        for text in ["{{key", "{{Key}}", "{{key|shout}}", "{{}}"] {
            assert!(matches!(fill(text), Err(TemplateError::Form(_))), "{text}");
        }
    }

    #[test]
    fn a_value_cannot_leave_its_part_of_a_url() {
        let fill = |text: &str| Template::literal(text).fill_url(&values()).unwrap();
        assert_eq!(fill("https://{{shop}}/admin"), "https://evil.testxyz/admin");
        assert_eq!(
            fill("https://{{account}}.x.test/{{key}}?k={{key}}"),
            "https://1234-sb1.x.test/a%20b%26c?k=a%20b%26c"
        );
        assert_eq!(fill("{{base}}/rest"), "https://shop.test/rest");
    }
}

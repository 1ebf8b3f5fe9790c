//! Templates over the values of a connection: `Bearer {{access_token}}`.
//!
//! A place is a name, the place inside of a value that is JSON (`{{service_account_json.client_email}}`), and
//! filters: `{{account_id|upper|underscore}}`. In a URL each value is kept in its part.

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
    /// There is a value, but it cannot stand where it would go in a URL.
    #[error("the value of {name} {why}")]
    Unfit {
        /// The value's name.
        name: String,
        /// Why.
        why: &'static str,
    },
}

/// The filters.
const FILTERS: [&str; 4] = ["upper", "lower", "underscore", "hyphen"];

/// A part of a template.
#[derive(Debug)]
pub(crate) enum Part<'a> {
    Text(&'a str),
    Place(Place<'a>),
}

/// Where a value goes.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    pub(crate) name: &'a str,
    inside: Vec<&'a str>,
    filters: Vec<&'a str>,
}

impl Place<'_> {
    /// The value that goes here.
    pub(crate) fn value(&self, values: &Values) -> Result<String, TemplateError> {
        let value = value(values, self.name, &self.inside)?;
        let filters = self.filters.iter();
        Ok(filters.fold(value, |value, filter| apply(filter, value)))
    }
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
                Part::Place(place) => Some(place.name.to_owned()),
            })
            .collect())
    }

    /// The text with its values.
    ///
    /// # Errors
    /// [`TemplateError`].
    pub fn fill(&self, values: &Values) -> Result<String, TemplateError> {
        let mut text = String::new();
        for part in parts(&self.0)? {
            match part {
                Part::Text(it) => text.push_str(it),
                Part::Place(place) => text.push_str(&place.value(values)?),
            }
        }
        Ok(text)
    }
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

pub(crate) fn parts(text: &str) -> Result<Vec<Part<'_>>, TemplateError> {
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
        all.push(Part::Place(place(inner.trim())?));
        rest = after;
    }
    if !rest.is_empty() {
        all.push(Part::Text(rest));
    }
    Ok(all)
}

fn place(text: &str) -> Result<Place<'_>, TemplateError> {
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
    Ok(Place {
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
}

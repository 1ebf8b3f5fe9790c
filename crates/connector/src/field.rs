//! Fields that people fill in: administrators once, tenants each.

use std::collections::BTreeMap;

use fancy_regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

use crate::template_url::{is_absolute, is_host};

/// The longest value of a field, in bytes: one string of an environment must hold it.
pub(crate) const MOST_BYTES: usize = 96 << 10;

/// What a field holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldKind {
    /// A line.
    #[default]
    Text,
    /// Several lines, as a key in PEM.
    Multiline,
    /// `https://` and more.
    Url,
    /// The name of a host, or one label of it.
    Host,
    /// Digits.
    Number,
    /// JSON, as the key file of a service account.
    Json,
    /// One of `options`.
    Select,
}

/// One value to choose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldOption {
    /// The value.
    pub value: String,
    /// What people read.
    pub label: String,
}

/// A field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// Its name, as in templates and, in upper case, in variables.
    pub name: String,
    /// What people read.
    #[serde(default)]
    pub label: String,
    /// What it holds.
    #[serde(default, rename = "type")]
    pub kind: FieldKind,
    /// Whether nobody may read it again.
    #[serde(default)]
    pub secret: bool,
    /// Whether it must be filled.
    #[serde(default)]
    pub required: bool,
    /// Where people find the value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// An example.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placeholder: Option<String>,
    /// A regular expression that the whole value must match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// What it is where nobody fills it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// What can be chosen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<FieldOption>,
}

/// What is wrong with the value of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldFault {
    /// The field.
    pub name: String,
    /// Why, and what to do.
    pub message: String,
}

/// What the fields are where nobody fills them.
#[must_use]
pub fn defaults(fields: &[Field]) -> BTreeMap<String, String> {
    let with = fields.iter();
    with.filter_map(|field| Some((field.name.clone(), field.default.clone()?)))
        .collect()
}

/// Judges values that are entered; with `whole`, all that are required must be there.
#[must_use]
pub fn check_values(
    fields: &[Field],
    values: &BTreeMap<String, String>,
    whole: bool,
) -> Vec<FieldFault> {
    let fault = |name: &str, message: String| FieldFault {
        name: name.to_owned(),
        message,
    };
    let mut faults = Vec::new();
    for name in values.keys() {
        if !fields.iter().any(|field| field.name == *name) {
            let known: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
            let known = if known.is_empty() {
                "it has none".to_owned()
            } else {
                format!("it has {}", known.join(", "))
            };
            let short: String = name.chars().take(60).collect();
            faults.push(fault(
                &short,
                format!("is no field of this connector; {known}"),
            ));
        }
    }
    for field in fields {
        match values.get(&field.name).filter(|value| !value.is_empty()) {
            Some(value) => {
                faults.extend(field.judge(value).map(|why| fault(&field.name, why)));
            }
            None if whole && field.required && field.default.is_none() => {
                faults.push(fault(&field.name, "is required".to_owned()));
            }
            None => {}
        }
    }
    faults
}

impl Field {
    /// Why a value is none of this field.
    fn judge(&self, value: &str) -> Option<String> {
        if value.len() > MOST_BYTES {
            return Some(format!("has over {} KiB", MOST_BYTES >> 10));
        }
        let breaks = matches!(self.kind, FieldKind::Multiline | FieldKind::Json);
        let wrong = |c: char| c.is_control() && !(breaks && "\r\n\t".contains(c));
        if value.contains(wrong) {
            return Some("has control characters or line breaks; paste the value alone".to_owned());
        }
        let fault = match self.kind {
            FieldKind::Text | FieldKind::Multiline => None,
            FieldKind::Url => url_fault(value),
            FieldKind::Host => host_fault(value),
            FieldKind::Number => (!value.bytes().all(|b| b.is_ascii_digit()))
                .then(|| "must be a number of digits alone".to_owned()),
            FieldKind::Json => serde_json::from_str::<serde::de::IgnoredAny>(value)
                .is_err()
                .then(|| "must be JSON, as the file from the provider has it".to_owned()),
            FieldKind::Select => self.option_fault(value),
        };
        fault.or_else(|| self.pattern_fault(value))
    }

    fn option_fault(&self, value: &str) -> Option<String> {
        let known = self.options.iter().any(|option| option.value == value);
        let all: Vec<&str> = self.options.iter().map(|o| o.value.as_str()).collect();
        (!known).then(|| format!("must be one of {}", all.join(", ")))
    }

    fn pattern_fault(&self, value: &str) -> Option<String> {
        let pattern = self.pattern.as_ref()?;
        let whole = whole(pattern).ok()?;
        // A pattern that takes too long to judge by is not met.
        if whole.is_match(value).unwrap_or(false) {
            return None;
        }
        let example = self.placeholder.as_ref();
        Some(match example {
            Some(example) => format!("does not look right; an example is {example}"),
            None => format!("does not match {pattern}"),
        })
    }
}

/// A pattern that the whole of a value must match.
pub(crate) fn whole(pattern: &str) -> Result<Regex, fancy_regex::Error> {
    // By itself too: `a)|(?:b` is good between the brackets only, and would match a part.
    build(pattern)?;
    build(&format!("^(?:{pattern})$"))
}

/// Patterns come over the API, so what they may cost is bounded.
fn build(pattern: &str) -> Result<Regex, fancy_regex::Error> {
    RegexBuilder::new(pattern)
        .backtrack_limit(100_000)
        .delegate_size_limit(1 << 20)
        .build()
}

fn url_fault(value: &str) -> Option<String> {
    // Parsers of URLs take more for one, as `https:x.test`, than a template does.
    if !is_absolute(value) {
        return Some("must begin with https://".to_owned());
    }
    let Ok(url) = url::Url::parse(value) else {
        return Some("must be a URL, as https://example.com".to_owned());
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Some("must have no user or password in it".to_owned());
    }
    None
}

fn host_fault(value: &str) -> Option<String> {
    (!is_host(value)).then(|| "must be a host's name alone, without https:// and path".to_owned())
}

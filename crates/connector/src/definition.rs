//! The parts of a definition.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::auth::Auth;
use crate::field::Field;
use crate::template::Template;
use crate::webhook::Webhook;

/// How a system is connected, as its file has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// The connector's name, as in an integration's `connectors`: lower-case letters, digits, `-`, `.`
    /// and `_`. The variables of runs are named after it.
    pub name: String,
    /// The system's name, as people know it.
    pub title: String,
    /// What the system is, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The provider's public pages that the facts here come from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    /// What it is for, as `crm`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<String>,
    /// How it knows who calls.
    pub auth: Auth,
    /// What the company that offers the integration gives once, as an app's id and secret.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub provisioning: Vec<Field>,
    /// What each tenant enters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Field>,
    /// Where relative addresses of calls begin; a template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<Template>,
    /// The hosts that may be sent a credential: `api.example.com`, `*.example.com`, an address, each with a
    /// port or without; or a template that gives a host or a URL. The host of `base_url` is always one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<Template>,
    /// A harmless request that shows whether a connection works.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<Check>,
    /// What the system can tell by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<Webhook>,
    /// Further values for code, by name: templates over all others.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, Template>,
    /// Values that code is not given. A refresh token is never.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hidden: Vec<String>,
    /// What to tell an administrator about making an app at the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub setup: Option<String>,
    /// What to tell who connects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// A request to a system; all its texts are templates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The method.
    #[serde(default = "get")]
    pub method: String,
    /// An absolute URL, or one relative to `base_url`.
    pub url: Template,
    /// Further headers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, Template>,
    /// The body, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Template>,
}

/// A request, and the answer that means well.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// The method.
    #[serde(default = "get")]
    pub method: String,
    /// An absolute URL, or one relative to `base_url`.
    pub url: Template,
    /// Further headers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, Template>,
    /// The body, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Template>,
    /// What a good answer has.
    #[serde(default, skip_serializing_if = "Expect::is_empty")]
    pub expect: Expect,
}

impl Check {
    /// The request of it.
    #[must_use]
    pub fn request(&self) -> Request {
        Request {
            method: self.method.clone(),
            url: self.url.clone(),
            headers: self.headers.clone(),
            body: self.body.clone(),
        }
    }
}

/// What a good answer has.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// The statuses; without any, those from 200 to 299.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub status: Vec<u16>,
    /// Values at places (JSON Pointers) of a JSON answer.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub json: BTreeMap<String, Value>,
}

impl Expect {
    fn is_empty(&self) -> bool {
        self.status.is_empty() && self.json.is_empty()
    }

    /// Whether an answer is a good one.
    #[must_use]
    pub fn is_met(&self, status: u16, body: &[u8]) -> bool {
        let good = if self.status.is_empty() {
            (200..300).contains(&status)
        } else {
            self.status.contains(&status)
        };
        if !good || self.json.is_empty() {
            return good;
        }
        let Ok(json) = serde_json::from_slice::<Value>(body) else {
            return false;
        };
        let mut wanted = self.json.iter();
        wanted.all(|(place, value)| json.pointer(place) == Some(value))
    }
}

pub(crate) fn get() -> String {
    "GET".to_owned()
}

//! The rules of a definition that its form alone does not have.

use std::collections::{BTreeMap, BTreeSet};

use crate::auth::{Auth, Grant, Inject, InjectAt, OAuth2, TokenAnswer};
use crate::definition::{Definition, Request};
use crate::field::{Field, FieldKind, whole};
use crate::hosts::is_entry;
use crate::read::DefinitionFault;
use crate::template::{Template, TemplateError, is_name};
use crate::template_url::{after_scheme, authority};
use crate::variables::is_kept;
use crate::webhook::Webhook;

/// Values that the platform knows without a field.
const ALWAYS: [&str; 3] = ["webhook_url", "event", "events"];

/// The most fields of a list.
const MOST_FIELDS: usize = 64;
/// The longest pattern, in bytes.
const MOST_PATTERN: usize = 500;

/// Everything that is wrong.
pub(crate) fn faults(definition: &Definition) -> Vec<DefinitionFault> {
    let mut judge = Judge {
        known: known(definition),
        faults: Vec::new(),
    };
    judge.names(definition);
    judge.fields("provisioning", &definition.provisioning);
    judge.fields("fields", &definition.fields);
    judge.auth(&definition.auth);
    judge.url(&["base_url"], definition.base_url.as_ref());
    for (n, host) in definition.hosts.iter().enumerate() {
        judge.template(&["hosts", &n.to_string()], host);
        judge.host(n, host);
    }
    if let Some(check) = &definition.check {
        judge.request(&["check"], &check.request());
    }
    judge.secrets(&definition.secrets);
    if let Some(webhook) = &definition.webhook {
        judge.webhook(webhook);
    }
    judge.faults
}

/// The names that templates may use. An answer with tokens may have others, which are then named by
/// `auth.token.values`.
fn known(definition: &Definition) -> BTreeSet<String> {
    let fields = definition.provisioning.iter().chain(&definition.fields);
    let mut known: BTreeSet<String> = fields.map(|field| field.name.clone()).collect();
    known.extend(ALWAYS.map(str::to_owned));
    if definition.auth.has_tokens() {
        let usual = [
            "access_token",
            "refresh_token",
            "token_type",
            "scope",
            "id_token",
        ];
        known.extend(usual.map(str::to_owned));
    }
    match &definition.auth {
        Auth::Oauth2(oauth2) => {
            known.extend(oauth2.token.values.keys().cloned());
            known.extend(oauth2.callback.keys().cloned());
            known.extend(
                oauth2
                    .discover
                    .iter()
                    .flat_map(|it| it.values.keys().cloned()),
            );
            known.extend(
                oauth2
                    .choice
                    .iter()
                    .flat_map(|it| it.values.keys().cloned()),
            );
        }
        Auth::JwtBearer(jwt) => known.extend(jwt.token.values.keys().cloned()),
        Auth::Oauth1(_)
        | Auth::ApiKey(_)
        | Auth::Basic(_)
        | Auth::AwsSigv4(_)
        | Auth::MutualTls(_)
        | Auth::Custom(_)
        | Auth::Fields(_) => {}
    }
    known
}

struct Judge {
    known: BTreeSet<String>,
    faults: Vec<DefinitionFault>,
}

impl Judge {
    fn fault(&mut self, place: &[&str], message: impl Into<String>) {
        self.faults.push(DefinitionFault::new(place, message));
    }

    fn names(&mut self, definition: &Definition) {
        let name = &definition.name;
        let good = (1..=63).contains(&name.len())
            && name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            && name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-._".contains(&b));
        if !good {
            self.fault(
                &["name"],
                "must be 1 to 63 lower-case letters, digits, `-`, `.` and `_`, a letter or digit first",
            );
        }
        if definition.title.trim().is_empty() || definition.title.len() > 200 {
            self.fault(&["title"], "must be 1 to 200 bytes");
        }
    }

    fn secrets(&mut self, secrets: &BTreeMap<String, Template>) {
        self.map(&["secrets"], secrets);
        for (name, template) in secrets {
            let place = ["secrets", name.as_str()];
            self.name_of_value(&place, name);
            let used = template.names().unwrap_or_default();
            if is_kept(name) || used.iter().any(|it| is_kept(it)) {
                self.fault(&place, "would give code a refresh token or an id token");
            }
        }
    }

    fn webhook(&mut self, webhook: &Webhook) {
        if let Some(secret) = &webhook.signature.secret {
            self.template(&["webhook", "signature", "secret"], secret);
        }
        if let Some(encoding) = &webhook.signature.encoding
            && !["hex", "base64"].contains(&encoding.as_str())
        {
            let place = ["webhook", "signature", "encoding"];
            self.fault(&place, "must be hex or base64");
        }
        if let Some(subscription) = &webhook.subscription {
            self.values(&["webhook", "subscription", "values"], &subscription.values);
            self.known.extend(subscription.values.keys().cloned());
            self.request(&["webhook", "subscription", "create"], &subscription.create);
            if let Some(remove) = &subscription.remove {
                self.request(&["webhook", "subscription", "remove"], remove);
            }
        }
    }

    /// Values by name, each with its place in an answer.
    fn values(&mut self, place: &[&str], values: &BTreeMap<String, String>) {
        for (name, at) in values {
            let here = [place, &[name.as_str()]].concat();
            self.name_of_value(&here, name);
            self.pointer(&here, at);
            let step = at.rsplit('/').next().unwrap_or_default();
            if is_kept(step) && !is_kept(name) {
                let message = "would give code a refresh token or an id token under another name";
                self.fault(&here, message);
            }
        }
    }

    fn name_of_value(&mut self, place: &[&str], name: &str) {
        if !is_name(name) {
            let message = "must be named by lower-case letters, digits and `_`, a letter first";
            self.fault(place, message);
        }
    }

    fn pointer(&mut self, place: &[&str], at: &str) {
        if !(at.is_empty() || at.starts_with('/')) {
            self.fault(place, "must be a JSON Pointer, as /team/id");
        }
    }

    fn token(&mut self, token: &TokenAnswer) {
        self.values(&["auth", "token", "values"], &token.values);
        if let Some(rule) = &token.error {
            self.pointer(&["auth", "token", "error", "at"], &rule.at);
            if let Some(message) = &rule.message {
                self.pointer(&["auth", "token", "error", "message"], message);
            }
        }
    }

    fn fields(&mut self, list: &str, fields: &[Field]) {
        if fields.len() > MOST_FIELDS {
            self.fault(&[list], format!("has over {MOST_FIELDS} fields"));
            return;
        }
        let mut seen = BTreeSet::new();
        for (n, field) in fields.iter().enumerate() {
            let n = n.to_string();
            if !is_name(&field.name) {
                let message = "must be lower-case letters, digits and `_`, a letter first";
                self.fault(&[list, &n, "name"], message);
            }
            if !seen.insert(&field.name) {
                self.fault(&[list, &n, "name"], "stands there twice");
            }
            if field.kind == FieldKind::Select && field.options.is_empty() {
                self.fault(&[list, &n, "options"], "must list what can be selected");
            }
            if let Some(pattern) = &field.pattern
                && (pattern.len() > MOST_PATTERN || whole(pattern).is_err())
            {
                let message = format!(
                    "is no regular expression of at most {MOST_PATTERN} bytes that is quick to judge by"
                );
                self.fault(&[list, &n, "pattern"], message);
            }
        }
    }

    fn auth(&mut self, auth: &Auth) {
        let at = |name: &'static str| ["auth", name];
        self.inject(&auth.inject());
        match auth {
            Auth::Oauth2(oauth2) => self.oauth2(oauth2),
            Auth::Oauth1(it) => {
                self.template(&at("consumer_key"), &it.consumer_key);
                self.template(&at("consumer_secret"), &it.consumer_secret);
                for (name, template) in [
                    ("token", &it.token),
                    ("token_secret", &it.token_secret),
                    ("realm", &it.realm),
                ] {
                    if let Some(template) = template {
                        self.template(&at(name), template);
                    }
                }
            }
            Auth::JwtBearer(it) => {
                self.template(&at("key"), &it.key);
                self.map(&at("header"), &it.header);
                self.map(&at("claims"), &it.claims);
                self.map(&at("token_params"), &it.token_params);
                self.url(&at("token_url"), it.token_url.as_ref());
                self.token(&it.token);
            }
            Auth::AwsSigv4(it) => {
                self.template(&at("access_key_id"), &it.access_key_id);
                self.template(&at("secret_access_key"), &it.secret_access_key);
                self.template(&at("region"), &it.region);
                for (name, template) in [
                    ("session_token", &it.session_token),
                    ("service", &it.service),
                ] {
                    if let Some(template) = template {
                        self.template(&at(name), template);
                    }
                }
            }
            Auth::MutualTls(it) => {
                self.template(&at("certificate"), &it.certificate);
                self.template(&at("private_key"), &it.private_key);
            }
            Auth::ApiKey(_) | Auth::Basic(_) | Auth::Custom(_) | Auth::Fields(_) => {}
        }
    }

    fn oauth2(&mut self, oauth2: &OAuth2) {
        let at = |name: &'static str| ["auth", name];
        self.url(&at("token_url"), Some(&oauth2.token_url));
        self.url(&at("refresh_url"), oauth2.refresh_url.as_ref());
        self.url(&at("authorize_url"), oauth2.authorize_url.as_ref());
        self.url(&at("device_url"), oauth2.device_url.as_ref());
        self.map(&at("authorize_params"), &oauth2.authorize_params);
        self.map(&at("token_params"), &oauth2.token_params);
        self.map(&at("refresh_params"), &oauth2.refresh_params);
        self.headers(&at("token_headers"), &oauth2.token_headers);
        self.token(&oauth2.token);
        for name in oauth2.callback.keys() {
            self.name_of_value(&["auth", "callback", name], name);
        }
        let missing = match oauth2.grant {
            Grant::AuthorizationCode if oauth2.authorize_url.is_none() => Some("authorize_url"),
            Grant::DeviceCode if oauth2.device_url.is_none() => Some("device_url"),
            Grant::AuthorizationCode
            | Grant::DeviceCode
            | Grant::ClientCredentials
            | Grant::Password => None,
        };
        if let Some(name) = missing {
            self.fault(&["auth", name], "is needed by this grant");
        }
        if let Some(revoke) = &oauth2.revoke {
            self.url(&["auth", "revoke", "url"], Some(&revoke.url));
            self.map(&["auth", "revoke", "params"], &revoke.params);
            self.headers(&["auth", "revoke", "headers"], &revoke.headers);
            self.method(&["auth", "revoke", "method"], &revoke.method);
        }
        for (n, discovery) in oauth2.discover.iter().enumerate() {
            let n = n.to_string();
            self.request(&["auth", "discover", &n, "request"], &discovery.request);
            self.values(&["auth", "discover", &n, "values"], &discovery.values);
        }
        if let Some(choice) = &oauth2.choice {
            self.request(&["auth", "choice", "request"], &choice.request);
            self.pointer(&["auth", "choice", "items"], &choice.items);
            self.pointer(&["auth", "choice", "title"], &choice.title);
            self.values(&["auth", "choice", "values"], &choice.values);
        }
    }

    fn inject(&mut self, all: &[Inject]) {
        for (n, inject) in all.iter().enumerate() {
            let n = n.to_string();
            self.template(&["auth", "inject", &n, "value"], &inject.value);
            let good = match inject.at {
                InjectAt::Basic => inject.value.as_str().contains(':'),
                InjectAt::Header => is_token(&inject.name),
                InjectAt::Query | InjectAt::Body => !inject.name.is_empty(),
            };
            if !good {
                let (name, message) = match inject.at {
                    InjectAt::Basic => ("value", "must be `user:password`"),
                    InjectAt::Header => ("name", "must be the name of a header"),
                    InjectAt::Query | InjectAt::Body => ("name", "must not be empty"),
                };
                self.fault(&["auth", "inject", &n, name], message);
            }
        }
    }

    fn request(&mut self, place: &[&str], request: &Request) {
        let at = |name: &'static str| -> Vec<&str> { [place, &[name]].concat() };
        self.method(&at("method"), &request.method);
        self.template(&at("url"), &request.url);
        self.address(&at("url"), request.url.as_str());
        self.headers(&at("headers"), &request.headers);
        if let Some(body) = &request.body {
            self.template(&at("body"), body);
        }
    }

    fn method(&mut self, place: &[&str], method: &str) {
        if !is_token(method) || method.len() > 20 {
            self.fault(place, "must be a method, as GET");
        }
    }

    fn headers(&mut self, place: &[&str], all: &BTreeMap<String, Template>) {
        self.map(place, all);
        for name in all.keys().filter(|name| !is_token(name)) {
            self.fault(place, format!("{name:?} is no name of a header"));
        }
    }

    fn map(&mut self, place: &[&str], all: &BTreeMap<String, Template>) {
        for (name, template) in all {
            self.template(&[place, &[name.as_str()]].concat(), template);
        }
    }

    /// A template that gives a URL: its scheme is written out, or comes with a value.
    fn url(&mut self, place: &[&str], template: Option<&Template>) {
        let Some(template) = template else { return };
        self.template(place, template);
        let text = template.as_str();
        let after_value = text
            .strip_prefix("{{")
            .map(|it| it.split_once("}}").map_or("", |(_, after)| after));
        let good = match after_value {
            Some(after) => after.is_empty() || after.starts_with(['/', '?']),
            None => text.starts_with("https://") || text.starts_with("http://"),
        };
        if !good {
            let message = "must begin with https://, or with a value that does and `/` after it";
            self.fault(place, message);
        }
        self.address(place, text);
    }

    /// What no address of a template may have.
    fn address(&mut self, place: &[&str], text: &str) {
        if text.contains(char::is_control) {
            self.fault(place, "has control characters or line breaks");
        }
        let skipped = after_scheme(text).is_some_and(|it| it.starts_with(['/', '\\']));
        let none = authority(text).is_some_and(|(it, _)| it.is_empty() || it.contains('@'));
        if skipped || none {
            self.fault(place, "must have a host, and no user or password before it");
        }
    }

    fn host(&mut self, n: usize, template: &Template) {
        let text = template.as_str();
        let good = if text.contains("{{") {
            text.contains("://") || !text.contains('/')
        } else {
            is_entry(text)
        };
        if !good {
            let message = "must be a host alone: a name, `*.` and a name, or an address";
            self.fault(&["hosts", &n.to_string()], message);
        }
    }

    fn template(&mut self, place: &[&str], template: &Template) {
        match template.names() {
            Ok(names) => {
                for name in names {
                    if !self.known.contains(&name) {
                        let message = format!(
                            "uses {{{{{name}}}}}, which is neither a field nor a value of the token's answer"
                        );
                        self.fault(place, message);
                    }
                }
            }
            Err(TemplateError::Form(why)) => self.fault(place, why),
            Err(TemplateError::Missing(_) | TemplateError::Unfit { .. }) => {}
        }
    }
}

/// A token of RFC 9110, as a method or the name of a header.
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

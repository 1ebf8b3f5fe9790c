//! A request as a definition says it, to be compared with the one that arrived.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use marquetry_connector::{Auth, Definition, InjectAt, Request, Template, host_entries, may_go};
use marquetry_testkit::Received;
use serde_json::{Map, Value};
use url::Url;

use crate::adapted::Held;

/// What shall arrive.
pub(crate) struct Expected {
    /// What it is for.
    pub(crate) what: &'static str,
    pub(crate) method: String,
    /// At the stand-in: the host, and the path there.
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    /// By names in small letters.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Body,
    /// Whether `Authorization` is judged elsewhere.
    pub(crate) signed: bool,
}

/// What stands in the body.
pub(crate) enum Body {
    Text(String),
    Json(Value),
    Form(BTreeMap<String, String>),
}

impl Expected {
    /// One to an address, without anything else.
    pub(crate) fn to(what: &'static str, method: &str, url: &Url) -> Self {
        Self {
            what,
            method: method.to_owned(),
            path: place(url),
            query: pairs(url),
            headers: BTreeMap::new(),
            body: Body::Text(String::new()),
            signed: false,
        }
    }

    /// What the stand-in knows it by.
    pub(crate) fn key(&self) -> (String, String) {
        (self.method.clone(), trimmed(&self.path))
    }

    /// Why what arrived is something else.
    pub(crate) fn compare(&self, received: &Received) -> Result<(), String> {
        let what = self.what;
        let differs = |part: &str, wanted: &dyn std::fmt::Debug, found: &dyn std::fmt::Debug| {
            Err(format!("{what}: {part} is {found:?}, not {wanted:?}"))
        };
        if received.method != self.method {
            return differs("the method", &self.method, &received.method);
        }
        if trimmed(&received.path) != trimmed(&self.path) {
            return differs("the address", &self.path, &received.path);
        }
        let mut found = received.query_pairs();
        found.sort();
        let mut wanted = self.query.clone();
        wanted.sort();
        if found != wanted {
            return differs("the query", &wanted, &found);
        }
        for (name, wanted) in &self.headers {
            let found = received.headers.iter().filter(|it| it.0 == *name);
            let found: Vec<&str> = found.map(|it| it.1.as_str()).collect();
            if found != [wanted.as_str()] {
                return differs(name, wanted, &found);
            }
        }
        self.compare_body(received)
    }

    fn compare_body(&self, received: &Received) -> Result<(), String> {
        let what = self.what;
        let kind = received.header("content-type").unwrap_or_default();
        let found = received.text();
        let (good, kind_wanted) = match &self.body {
            Body::Text(text) => (found == *text, ""),
            Body::Json(json) => (received.json() == *json, "application/json"),
            Body::Form(form) => {
                let mut pairs = received.form();
                pairs.sort();
                let wanted: Vec<_> = form.clone().into_iter().collect();
                (pairs == wanted, "application/x-www-form-urlencoded")
            }
        };
        if !kind.starts_with(kind_wanted) {
            return Err(format!("{what}: the body's type is {kind:?}"));
        }
        let wanted = match &self.body {
            Body::Text(text) => text.clone(),
            Body::Json(json) => json.to_string(),
            Body::Form(form) => format!("{form:?}"),
        };
        good.then_some(())
            .ok_or_else(|| format!("{what}: the body is {found}, not {wanted}"))
    }

    /// That no secret is where it is not expected.
    pub(crate) fn is_all(&self, received: &Received, secrets: &[String]) -> Result<(), String> {
        // The query and the body are compared whole.
        let allowed = |name: &str| {
            let of_signature = name == "authorization" || name.starts_with("x-amz-");
            self.headers.contains_key(name) || (self.signed && of_signature)
        };
        for (name, value) in &received.headers {
            let tells = secrets.iter().any(|secret| value.contains(secret));
            if !allowed(name) && (tells || name == "authorization") {
                return Err(format!("{}: header {name} is {value:?}", self.what));
            }
        }
        Ok(())
    }
}

/// A call by the rules of a definition, with what is known.
pub(crate) fn call(
    what: &'static str,
    definition: &Definition,
    request: &Request,
    held: &Held,
) -> Result<Expected, String> {
    let url = address(definition, &request.url, held)?;
    if !may_go(&host_entries(definition, &held.original), &url) {
        return Err(format!("{what}: {url} is at none of its hosts"));
    }
    let mut all = Expected::to(what, &request.method, &url);
    for (name, value) in &request.headers {
        let value = filled(value, held);
        all.headers
            .extend(value.map(|value| (name.to_lowercase(), value)));
    }
    let mut text = request
        .body
        .as_ref()
        .and_then(|it| filled(it, held))
        .unwrap_or_default();
    for inject in definition.auth.inject() {
        let Some(value) = filled(&inject.value, held) else {
            continue;
        };
        let name = inject.name.clone();
        match inject.at {
            InjectAt::Header => drop(all.headers.entry(name.to_lowercase()).or_insert(value)),
            InjectAt::Basic => {
                all.headers
                    .insert("authorization".to_owned(), basic(&value));
            }
            InjectAt::Query => {
                all.query.retain(|it| it.0 != name);
                all.query.push((name, value));
            }
            InjectAt::Body => {
                let read = serde_json::from_str::<Map<String, Value>>(&text);
                let mut fields = read.unwrap_or_default();
                fields.insert(name, value.into());
                text = Value::Object(fields).to_string();
            }
        }
    }
    all.body = match serde_json::from_str(&text) {
        Ok(json) => Body::Json(json),
        Err(_) => Body::Text(text),
    };
    all.signed = matches!(definition.auth, Auth::Oauth1(_) | Auth::AwsSigv4(_));
    Ok(all)
}

/// The address of a call, as it would be.
fn address(definition: &Definition, target: &Template, held: &Held) -> Result<Url, String> {
    let fill = |template: &Template| {
        template
            .fill_url(&held.original)
            .map_err(|why| format!("{}: {why}", template.as_str()))
    };
    let text = fill(target)?;
    if text.contains("://") {
        return parsed(&text);
    }
    let base = definition.base_url.as_ref().ok_or("there is no base_url")?;
    parsed(&format!(
        "{}/{}",
        fill(base)?.trim_end_matches('/'),
        text.trim_start_matches('/')
    ))
}

/// The address of a template that stands for itself.
pub(crate) fn endpoint(template: &Template, held: &Held) -> Result<Url, String> {
    let text = template.fill_url(&held.original);
    parsed(&text.map_err(|why| format!("{}: {why}", template.as_str()))?)
}

fn parsed(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|why| format!("{text}: {why}"))?;
    (url.scheme() == "https")
        .then_some(url)
        .ok_or_else(|| format!("{text} is not https"))
}

/// What stands there with what is known; none where something is missing.
pub(crate) fn filled(template: &Template, held: &Held) -> Option<String> {
    template.fill(&held.adapted).ok()
}

/// Templates by name, with what is known.
pub(crate) fn all_filled(
    templates: &BTreeMap<String, Template>,
    held: &Held,
) -> BTreeMap<String, String> {
    let all = templates.iter();
    all.filter_map(|(name, it)| Some((name.clone(), filled(it, held)?)))
        .collect()
}

/// `Authorization` of a user and a password.
pub(crate) fn basic(pair: &str) -> String {
    format!("Basic {}", STANDARD.encode(pair))
}

/// Where the stand-in has an address.
fn place(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let port = url.port().map(|it| format!(":{it}")).unwrap_or_default();
    format!("/{host}{port}{}", url.path())
}

/// A path by which requests are told apart: hosts are the same in any case.
pub(crate) fn trimmed(path: &str) -> String {
    let path = path.trim_end_matches('/');
    let (host, rest) = path[1..].split_once('/').unwrap_or((&path[1..], ""));
    format!("/{}/{rest}", host.to_lowercase())
}

fn pairs(url: &Url) -> Vec<(String, String)> {
    url.query_pairs().into_owned().collect()
}

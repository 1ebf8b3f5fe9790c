//! A shipped definition and its copy whose addresses lie at the stand-in, each below the name of its own host.

use std::collections::BTreeMap;

use marquetry_connector::{
    Auth, Check, Definition, Expect, Field, FieldKind, OAuth2, Template, Values, built_in,
};

/// A definition, as it is shipped and as it is tried.
pub(crate) struct Shipped {
    /// As its file has it; with a check where it has none and could have one, so that it is seen where its
    /// credential goes.
    pub(crate) original: Definition,
    /// The same at the stand-in.
    pub(crate) adapted: Definition,
}

impl Shipped {
    pub(crate) fn new(name: &str, stand_in: &str) -> Self {
        let mut original = Definition::clone(&built_in(name).unwrap());
        // A client certificate is not seen over plain HTTP.
        let silent = matches!(original.auth, Auth::Fields(_) | Auth::MutualTls(_));
        if original.check.is_none() && has_base(&original) && !silent {
            original.check = Some(Check {
                method: "GET".to_owned(),
                url: Template::literal("of/the/test?page=1"),
                headers: BTreeMap::new(),
                body: None,
                expect: Expect::default(),
            });
        }
        let adapted = adapted(&original, stand_in);
        Self { original, adapted }
    }
}

/// Whether there is a base URL whatever is left out.
fn has_base(definition: &Definition) -> bool {
    let names = definition.base_url.as_ref().map(|it| it.names().unwrap());
    let mut fields = definition.provisioning.iter().chain(&definition.fields);
    let is_optional = |name: &String| {
        let field = fields.find(|field| field.name == *name);
        field.is_some_and(|field| !field.required && field.default.is_none())
    };
    names.is_some_and(|names| !names.iter().any(is_optional))
}

fn adapted(original: &Definition, to: &str) -> Definition {
    let mut all = original.clone();
    for template in templates(&mut all) {
        *template = Template::literal(&moved(template.as_str(), to));
    }
    all.hosts = vec![Template::literal(to.trim_start_matches("http://"))];
    for field in all.provisioning.iter_mut().chain(&mut all.fields) {
        move_field(field, to);
    }
    all
}

/// The templates that give an address.
fn templates(of: &mut Definition) -> Vec<&mut Template> {
    let mut all: Vec<&mut Template> = of.base_url.iter_mut().collect();
    all.extend(of.check.iter_mut().map(|it| &mut it.url));
    match &mut of.auth {
        Auth::Oauth2(it) => all.extend(of_oauth2(it)),
        Auth::JwtBearer(it) => all.extend(it.token_url.iter_mut()),
        Auth::Oauth1(_)
        | Auth::ApiKey(_)
        | Auth::Basic(_)
        | Auth::AwsSigv4(_)
        | Auth::MutualTls(_)
        | Auth::Custom(_)
        | Auth::Fields(_) => {}
    }
    all
}

fn of_oauth2(it: &mut OAuth2) -> Vec<&mut Template> {
    let mut all = vec![&mut it.token_url];
    all.extend(&mut it.authorize_url);
    all.extend(&mut it.refresh_url);
    all.extend(&mut it.device_url);
    all.extend(it.revoke.iter_mut().map(|it| &mut it.url));
    all.extend(it.discover.iter_mut().map(|it| &mut it.request.url));
    all.extend(it.choice.iter_mut().map(|it| &mut it.request.url));
    all
}

fn move_field(field: &mut Field, to: &str) {
    let is_address = |text: &str| text.starts_with("https://");
    for text in field
        .default
        .iter_mut()
        .chain(field.options.iter_mut().map(|it| &mut it.value))
    {
        *text = moved(text, to);
    }
    // The value is judged by the shipped pattern instead.
    let is_url = field.kind == FieldKind::Url || field.pattern.as_deref().is_some_and(is_address);
    if is_url {
        field.pattern = None;
    }
}

/// An address at the stand-in; whatever else as it is.
pub(crate) fn moved(text: &str, to: &str) -> String {
    match text.strip_prefix("https://") {
        Some(rest) => format!("{to}/{rest}"),
        None => text.to_owned(),
    }
}

/// The names of values that addresses begin with: they are URLs themselves.
pub(crate) fn address_names(definition: &Definition) -> Vec<String> {
    let mut copy = definition.clone();
    let texts = templates(&mut copy).into_iter();
    let begin = texts.filter(|it| it.as_str().starts_with("{{"));
    begin
        .filter_map(|it| it.names().unwrap().first().cloned())
        .collect()
}

/// What is known of a connection, as it would be and as it is at the stand-in.
#[derive(Default, Clone)]
pub(crate) struct Held {
    pub(crate) original: Values,
    pub(crate) adapted: Values,
}

impl Held {
    pub(crate) fn insert(&mut self, name: &str, value: &str, to: &str) {
        self.original.insert(name.to_owned(), value.to_owned());
        self.adapted.insert(name.to_owned(), moved(value, to));
    }
}

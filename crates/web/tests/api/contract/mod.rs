//! Our own document beside the contract, line by line.
//!
//! `original.txt` restates what existing clients rely on, `extensions.txt` what we add. Every
//! operation of the document stands in one of the two, and everything in the two is in the
//! document, with the same parameters, fields, types, nulls and defaults.

mod expression;
mod read_document;
mod read_table;

use std::collections::BTreeMap;

use expression::fits;
use serde_json::Value;

/// What a document or a table says.
#[derive(Debug, Default)]
pub(crate) struct Surface {
    /// By `METHOD path`.
    pub(crate) operations: BTreeMap<String, Operation>,
    pub(crate) types: BTreeMap<String, Type>,
}

#[derive(Debug, Default)]
pub(crate) struct Operation {
    pub(crate) name: String,
    /// By `query limit`.
    pub(crate) parameters: BTreeMap<String, Field>,
    pub(crate) body: Option<Field>,
    /// By status.
    pub(crate) answers: BTreeMap<String, String>,
    /// Whether it is marked as ours.
    pub(crate) extension: bool,
}

/// A parameter, a field or a body.
#[derive(Debug, Clone, Default)]
pub(crate) struct Field {
    pub(crate) kind: String,
    pub(crate) required: bool,
    pub(crate) default: Option<Value>,
}

#[derive(Debug, Clone)]
pub(crate) enum Type {
    Words(Vec<String>),
    Object(BTreeMap<String, Field>),
}

/// Operations of the contract that this version does not serve, on purpose. The list only shrinks.
const ABSENT: [&str; 3] = ["callConnectorRest", "callConnectorSoap", "callConnectorXml"];
/// Types that only those operations have.
const TYPES_OF_THOSE: [&str; 5] = [
    "ProxyExternalError",
    "ProxyInternalError",
    "ProxyResponse",
    "ProxyRestRequestBody",
    "ProxyXmlRequestBody",
];
/// Routes of our own that are planned and not served yet; one that is served is in
/// `extensions.txt`. The list only shrinks.
const PLANNED: [&str; 10] = [
    "POST /v2/tenants/{tenant_id}/connectors/{name}/stream",
    "GET /v2/tenants/{tenant_id}/connectors/{name}/webhook",
    "POST /hooks/{tenant_id}/{connector}/{token}",
    "POST /hooks/integrations/{integration_id}/{connector}/{token}",
    "GET /v2/users",
    "GET /v2/notifications",
    "GET /v2/settings",
    "GET /gallery",
    "GET /mcp",
    "GET /metrics",
];

fn document() -> Surface {
    let document = serde_json::to_value(marquetry_web::openapi()).unwrap();
    read_document::read(&document)
}

fn original() -> Surface {
    let mut surface = Surface::default();
    read_table::read(include_str!("original.txt"), &mut surface);
    surface
}

/// The original with what we add to it.
fn all() -> Surface {
    let mut surface = original();
    read_table::read(include_str!("extensions.txt"), &mut surface);
    surface
}

fn is_absent(operation: &Operation) -> bool {
    let name = operation.name.as_str();
    ABSENT.contains(&name)
}

#[test]
fn every_operation_is_served_as_the_contract_says() {
    let (wanted, found) = (all(), document());
    let mut differences = Vec::new();
    for (route, wanted_one) in &wanted.operations {
        let found_one = found.operations.get(route);
        match found_one {
            None if is_absent(wanted_one) => {}
            None => differences.push(format!("{route} is missing")),
            Some(_) if is_absent(wanted_one) => {
                differences.push(format!(
                    "{route} is served: take it from the list of absent ones"
                ));
            }
            Some(found_one) => {
                let mut sides = Sides {
                    wanted: &wanted,
                    found: &found,
                    differences: &mut differences,
                };
                sides.operation(route, wanted_one, found_one);
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn every_type_has_the_fields_that_the_contract_says() {
    let (wanted, found) = (all(), document());
    let mut differences = Vec::new();
    for (name, wanted_one) in &wanted.types {
        match found.types.get(name) {
            None if TYPES_OF_THOSE.contains(&name.as_str()) => {}
            // A list of words may stand where it is used.
            None if matches!(wanted_one, Type::Words(_)) => {}
            None => differences.push(format!("{name} is missing")),
            Some(_) if TYPES_OF_THOSE.contains(&name.as_str()) => {
                differences.push(format!("{name} is there: take it from the list"));
            }
            Some(found_one) => {
                let mut sides = Sides {
                    wanted: &wanted,
                    found: &found,
                    differences: &mut differences,
                };
                sides.types(name, wanted_one, found_one);
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn the_tables_hold_all_that_is_served() {
    let (wanted, found, original) = (all(), document(), original());
    let mut differences = Vec::new();
    for (route, operation) in &found.operations {
        if !wanted.operations.contains_key(route) {
            differences.push(format!("{route} stands in no table"));
        }
        // What the contract infers without a source is ours too.
        let inferred = route == "GET /v2/tenants/{tenant_id}";
        let ours = !original.operations.contains_key(route) || inferred;
        if operation.extension != ours {
            differences.push(format!("{route}: the tag `extension` is wrong"));
        }
        if PLANNED.contains(&route.as_str()) {
            differences.push(format!("{route} is served: take it from the planned ones"));
        }
    }
    for (name, one) in &found.types {
        match (wanted.types.get(name), one) {
            (Some(Type::Object(known)), Type::Object(fields)) => {
                let unknown = fields.keys().filter(|field| !known.contains_key(*field));
                differences
                    .extend(unknown.map(|field| format!("{name}.{field} stands in no table")));
            }
            (None, Type::Object(_)) => differences.push(format!("{name} stands in no table")),
            (Some(_) | None, _) => {}
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

fn shown(default: Option<&Value>) -> String {
    default.map_or("none".to_owned(), Value::to_string)
}

/// What is compared, and what came of it.
struct Sides<'a> {
    wanted: &'a Surface,
    found: &'a Surface,
    differences: &'a mut Vec<String>,
}

impl Sides<'_> {
    fn say(&mut self, place: &str, what: &str) {
        self.differences.push(format!("{place}: {what}"));
    }

    fn fits(&self, wanted: &str, found: &str) -> bool {
        fits((wanted, &self.wanted.types), (found, &self.found.types))
    }

    fn operation(&mut self, route: &str, wanted: &Operation, found: &Operation) {
        if wanted.name != found.name {
            self.say(
                route,
                &format!("is called {}, not {}", found.name, wanted.name),
            );
        }
        for (name, parameter) in &wanted.parameters {
            let place = format!("{route} {name}");
            match found.parameters.get(name) {
                None => self.say(&place, "is missing"),
                Some(found) => self.input(&place, parameter, found),
            }
        }
        for (name, parameter) in &found.parameters {
            if !wanted.parameters.contains_key(name) {
                self.say(&format!("{route} {name}"), "stands in no table");
            }
            if parameter.required && !wanted.parameters.get(name).is_some_and(|one| one.required) {
                self.say(&format!("{route} {name}"), "must not be required");
            }
        }
        match (&wanted.body, &found.body) {
            (None, None) => {}
            (Some(body), Some(found)) => self.input(&format!("{route} body"), body, found),
            (wanted, found) => self.say(route, &format!("body: {found:?}, not {wanted:?}")),
        }
        for (status, kind) in &wanted.answers {
            let place = format!("{route} {status}");
            match found.answers.get(status) {
                None => self.say(&place, "is missing"),
                Some(found) if !self.fits(kind, found) => {
                    self.say(&place, &format!("answers {found}, not {kind}"));
                }
                Some(_) => {}
            }
        }
    }

    /// What a caller may send must be exactly what the contract lets them.
    fn input(&mut self, place: &str, wanted: &Field, found: &Field) {
        self.kind(place, wanted, found);
        if wanted.required != found.required {
            self.say(place, &format!("required is {}", found.required));
        }
    }

    /// What is answered may promise more than the contract does.
    fn output(&mut self, place: &str, wanted: &Field, found: &Field) {
        self.kind(place, wanted, found);
        if wanted.required && !found.required {
            self.say(place, "is not required");
        }
    }

    fn kind(&mut self, place: &str, wanted: &Field, found: &Field) {
        if !self.fits(&wanted.kind, &found.kind) {
            self.say(place, &format!("is {}, not {}", found.kind, wanted.kind));
        }
        if wanted.default != found.default {
            let (wanted, found) = (
                shown(wanted.default.as_ref()),
                shown(found.default.as_ref()),
            );
            self.say(place, &format!("default is {found}, not {wanted}"));
        }
    }

    fn types(&mut self, name: &str, wanted: &Type, found: &Type) {
        match (wanted, found) {
            (Type::Words(wanted), Type::Words(found)) if wanted == found => {}
            (Type::Object(wanted), Type::Object(found)) => {
                let is_input = self.is_input(name);
                for (field, wanted) in wanted {
                    let place = format!("{name}.{field}");
                    match found.get(field) {
                        None => self.say(&place, "is missing"),
                        Some(found) if is_input => self.input(&place, wanted, found),
                        Some(found) => self.output(&place, wanted, found),
                    }
                }
            }
            (Type::Words(wanted), Type::Words(found)) => {
                let (wanted, found) = (wanted.join(", "), found.join(", "));
                self.say(name, &format!("is <{found}>, not <{wanted}>"));
            }
            (wanted, found) => self.say(name, &format!("is {found:?}, not {wanted:?}")),
        }
    }

    fn is_input(&self, name: &str) -> bool {
        let mut bodies = self
            .wanted
            .operations
            .values()
            .filter_map(|one| one.body.as_ref());
        bodies.any(|body| body.kind == name)
    }
}

#[test]
fn the_comparison_sees_what_differs() {
    let mut wanted = Surface::default();
    read_table::read(
        "GET /a getA\n  query n: integer! = 1\n  body In!\n  200 [Out]\n\n\
         type In\n  a: string\n\ntype Out\n  a: string|null\n  b: integer!\n  w: W\n\ntype W: x, y\n",
        &mut wanted,
    );
    let mut found = Surface::default();
    read_table::read(
        "GET /a getB\n  query n: string = 2\n  query m: string!\n  body In\n  201 Out\n\n\
         type In\n  a: string!\n\ntype Out\n  a: string\n  b: integer\n  w: W\n\ntype W: x\n",
        &mut found,
    );
    let mut differences = Vec::new();
    let mut sides = Sides {
        wanted: &wanted,
        found: &found,
        differences: &mut differences,
    };
    sides.operation(
        "GET /a",
        &wanted.operations["GET /a"],
        &found.operations["GET /a"],
    );
    for (name, one) in &wanted.types {
        sides.types(name, one, &found.types[name]);
    }
    insta::assert_snapshot!(differences.join("\n"), @r"
    GET /a: is called getB, not getA
    GET /a query n: is string, not integer
    GET /a query n: default is 2, not 1
    GET /a query n: required is false
    GET /a query m: stands in no table
    GET /a query m: must not be required
    GET /a body: required is false
    GET /a 200: is missing
    In.a: required is true
    Out.a: is string, not string|null
    Out.b: is not required
    Out.w: is W, not W
    W: is <x>, not <x, y>
    ");
}

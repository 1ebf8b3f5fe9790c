//! One property of `configs.schema`.

use super::configs::{Schema, present};
use super::wrong_shape;
use crate::problem::{Report, below, shown};
use crate::reference::Reference;
use crate::suggest;
use crate::yaml::{Entry, Node, to_json};

/// The types that a property may have.
pub(crate) const TYPES: &[&str] = &["boolean", "integer", "number", "string", "array", "object"];

/// The bytes of a default: a text of the environment cannot have 128 KiB, and the bound of a tenant's
/// own values holds here, too.
const LONGEST_DEFAULT: usize = 96 * 1024;

/// The bytes of a setting's name: it is part of the variable's text.
pub const LONGEST_NAME: usize = 1024;

/// Keys that decide the values of a property without `type`.
const INSTEAD_OF_TYPE: &[&str] = &["$ref", "ref", "enum", "oneOf", "anyOf", "allOf", "const"];

pub(super) fn check(entry: &Entry, schema: &Schema<'_>, report: &mut Report) {
    let node = &entry.value;
    if node.entries().is_none() {
        return;
    }
    let path = below("configs.schema.properties", &entry.key);
    if entry.key.len() > LONGEST_NAME {
        let message = format!(
            "its name has {} bytes; the name of a setting may have {LONGEST_NAME}",
            entry.key.len()
        );
        report.problem(entry.key_place, "configs.schema.properties", message);
    }
    check_type(entry, &path, report);
    check_options(node, &path, report);
    check_default(node, &path, report);
    if let Some(reference) = present(node, "ref") {
        let message = "ignored; write `$ref` to refer to a definition";
        report.warning(reference.key_place, &below(&path, "ref"), message);
    }
    if let Some(reference) = present(node, "$ref") {
        check_reference(reference, node, &below(&path, "$ref"), schema, report);
    }
}

/// A default is a variable of every run whose tenant has no other value.
pub(super) fn check_default(node: &Node, path: &str, report: &mut Report) {
    let Some(entry) = present(node, "default") else {
        return;
    };
    let path = below(path, "default");
    // What has no JSON form is reported where the whole is made JSON.
    let value = to_json(&entry.value, &path, &mut Report::new(""));
    let bytes = value
        .as_str()
        .map_or_else(|| value.to_string().len(), str::len);
    if bytes > LONGEST_DEFAULT {
        let message = format!("has {bytes} bytes; a variable of a run may have {LONGEST_DEFAULT}");
        report.problem(entry.key_place, &path, message);
    }
}

fn check_type(entry: &Entry, path: &str, report: &mut Report) {
    let node = &entry.value;
    let Some(kind) = present(node, "type") else {
        if !INSTEAD_OF_TYPE.iter().any(|key| node.get(key).is_some()) {
            let message = format!("has no `type`; write one of {}", TYPES.join(", "));
            report.warning(entry.key_place, path, message);
        }
        return;
    };
    let path = below(path, "type");
    // JSON Schema also allows a list of types.
    let Some(word) = kind.value.text() else {
        if kind.value.items().is_none() {
            wrong_shape(kind, &path, "the name of a type, such as `string`", report);
        }
        return;
    };
    if !TYPES.contains(&word) {
        let message = format!(
            "unknown type `{}`{}; known are {}",
            shown(word),
            suggest::hint(word, TYPES),
            TYPES.join(", ")
        );
        report.warning(kind.value.place, &path, message);
    }
}

/// The lists of options a selector may have.
fn check_options(node: &Node, path: &str, report: &mut Report) {
    for key in ["enum", "oneOf"] {
        if let Some(options) = present(node, key)
            && options.value.items().is_none()
        {
            wrong_shape(options, &below(path, key), "a list of options", report);
        }
    }
}

fn check_reference(
    entry: &Entry,
    property: &Node,
    path: &str,
    schema: &Schema<'_>,
    report: &mut Report,
) {
    let Some(text) = entry.value.text() else {
        let expected = "the place of a definition, such as `'#/definitions/name'` in quotes";
        wrong_shape(entry, path, expected, report);
        return;
    };
    let at = entry.value.place;
    let (kind, name, targets) = match Reference::read(text) {
        Reference::Definition(name) => ("definition", name, &schema.definitions),
        Reference::Metadata(name) => ("metadata property", name, &schema.metadata),
        Reference::Other => {
            let message = "has no meaning here; write `#/definitions/…` or `#/metadata/…`";
            report.warning(at, path, message);
            return;
        }
    };
    let Some(target) = targets.get(&name) else {
        let hint = targets.hint(&name);
        let message = format!(
            "there is no {kind} `{}`{hint}; the selector stays empty",
            shown(&name)
        );
        report.warning(at, path, message);
        return;
    };
    if !text.starts_with("#/") {
        let message = "read as if it began with `#/`; write it so";
        report.warning(at, path, message);
    }
    warn_of_other_type(property, target, kind, report, path);
}

/// The original's tutorial has a text property that refers to a definition of numbers: it works,
/// because the property's own type wins.
fn warn_of_other_type(
    property: &Node,
    target: &Entry,
    kind: &str,
    report: &mut Report,
    path: &str,
) {
    let word = |node: &Node| Some(present(node, "type")?.value.text()?.to_owned());
    // The options of a metadata property are a list, so its own type is no type of a choice.
    if kind != "definition" {
        return;
    }
    if let (Some(own), Some(other)) = (word(property), word(&target.value))
        && own != other
    {
        let message = format!(
            "the definition is of type `{}`, the property of type `{}`; the property's own type holds",
            shown(&other),
            shown(&own)
        );
        report.warning(target.key_place, path, message);
    }
}

//! `configs.uischema`: the tree of form elements.

use super::configs::{Schema, present};
use super::wrong_shape;
use crate::problem::{Place, Report, below, item, shown};
use crate::suggest;
use crate::yaml::{Entry, Node};

/// The form elements that are shown.
pub(crate) const TYPES: &[&str] = &[
    "Control",
    "MultiSelectControl",
    "Label",
    "Divider",
    "Section",
    "VerticalLayout",
    "HorizontalLayout",
    "Group",
];

/// The form elements that show one setting, which their `scope` names.
pub(crate) const SCOPED: &[&str] = &["Control", "MultiSelectControl"];

const PROPERTIES: &str = "#/properties/";

pub(super) fn check(form: &Entry, schema: &Schema<'_>, report: &mut Report) {
    const PATH: &str = "configs.uischema";
    if form.value.entries().is_none() {
        let expected = "a form element such as `{type: VerticalLayout, elements: […]}`";
        wrong_shape(form, PATH, expected, report);
        return;
    }
    element(&form.value, form.key_place, PATH, schema, report);
}

/// Recursive: the composer bounds the height of a tree.
fn element(node: &Node, at: Place, path: &str, schema: &Schema<'_>, report: &mut Report) {
    match present(node, "type") {
        None => {
            let message = format!(
                "has no `type`, so it shows nothing; write one of {}",
                TYPES.join(", ")
            );
            report.warning(at, path, message);
        }
        Some(kind) => element_type(kind, node, path, schema, report),
    }
    let Some(entry) = present(node, "elements") else {
        return;
    };
    let path = below(path, "elements");
    let Some(items) = entry.value.items() else {
        wrong_shape(entry, &path, "a list of form elements", report);
        return;
    };
    for (index, one) in items.iter().enumerate() {
        let path = item(&path, index);
        if one.entries().is_some() {
            element(one, one.place, &path, schema, report);
        } else {
            let message = format!(
                "expected a form element with a `type`, found {}",
                one.described()
            );
            report.problem(one.place, &path, message);
        }
    }
}

fn element_type(kind: &Entry, node: &Node, path: &str, schema: &Schema<'_>, report: &mut Report) {
    let Some(word) = kind.value.text() else {
        wrong_shape(
            kind,
            &below(path, "type"),
            "the name of an element type",
            report,
        );
        return;
    };
    if !TYPES.contains(&word) {
        let message = format!(
            "unknown element type `{}`{}; known are {}",
            shown(word),
            suggest::hint(word, TYPES),
            TYPES.join(", ")
        );
        report.warning(kind.value.place, &below(path, "type"), message);
    }
    if SCOPED.contains(&word) {
        check_scope(node, path, schema, report);
    }
}

fn check_scope(node: &Node, path: &str, schema: &Schema<'_>, report: &mut Report) {
    let Some(scope) = present(node, "scope") else {
        let message = "has no `scope`, so it shows nothing; write `scope: '#/properties/name'`";
        report.warning(node.place, path, message);
        return;
    };
    let path = below(path, "scope");
    let Some(text) = scope.value.text() else {
        wrong_shape(scope, &path, "text such as `'#/properties/name'`", report);
        return;
    };
    let message = match text.strip_prefix(PROPERTIES) {
        None => "points to no property; write `'#/properties/name'`".to_owned(),
        Some(name) if schema.properties.get(name).is_some() => return,
        Some(name) => format!(
            "there is no property `{}`{} in `configs.schema`",
            shown(name),
            schema.properties.hint(name)
        ),
    };
    report.warning(scope.value.place, &path, message);
}

//! As much of HTML as the pages use, and no more: a page that this cannot read is wrong.

use std::collections::BTreeMap;

const VOID: &[&str] = &["meta", "link", "input"];

/// An element as its start tag says.
#[derive(Debug, Clone)]
pub(super) struct Element {
    pub(super) name: String,
    pub(super) attributes: BTreeMap<String, String>,
}

impl Element {
    /// The attribute's text, as it is written.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }
}

/// All elements; fails where tags do not nest, or a character stands open that must not.
pub(super) fn elements(html: &str) -> Vec<Element> {
    let rest = html.strip_prefix("<!doctype html>").expect("a doctype");
    let mut found = Vec::new();
    let mut open: Vec<String> = Vec::new();
    for piece in rest.split('<').skip(1) {
        let (tag, text) = piece.split_once('>').expect("a tag ends");
        assert!(!text.contains('>'), "a stray > in {text}");
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "what ends");
            continue;
        }
        let element = element(tag);
        if !VOID.contains(&element.name.as_str()) {
            open.push(element.name.clone());
        }
        found.push(element);
    }
    assert!(open.is_empty(), "{open:?} stay open");
    found
}

fn element(tag: &str) -> Element {
    let (name, mut rest) = tag.split_once(char::is_whitespace).unwrap_or((tag, ""));
    let mut attributes = BTreeMap::new();
    while !rest.trim_start().is_empty() {
        rest = rest.trim_start();
        let end = rest.find(|letter: char| letter == '=' || letter.is_whitespace());
        let (attribute, after) = rest.split_at(end.unwrap_or(rest.len()));
        let value = match after.strip_prefix("=\"") {
            Some(quoted) => {
                let (value, after) = quoted.split_once('"').expect("a quote ends");
                rest = after;
                value
            }
            None => {
                rest = after;
                ""
            }
        };
        let twice = attributes.insert(attribute.to_owned(), value.to_owned());
        assert!(twice.is_none(), "{attribute} stands twice in {tag}");
    }
    Element {
        name: name.to_owned(),
        attributes,
    }
}

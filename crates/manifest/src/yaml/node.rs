//! The tree.

use std::rc::Rc;

use super::scalar::{Meaning, Scalar};
use crate::problem::Place;

/// What one node costs beside its text when an alias copies it, in bytes.
const NODE_WEIGHT: usize = 16;

/// A node and what is below it. Aliases share nodes, so the tree is never larger than its text.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) value: NodeValue,
    /// Size in bytes with every alias expanded.
    pub(super) weight: usize,
    /// Levels of this node and what is below it, with every alias expanded.
    pub(super) height: usize,
}

#[derive(Debug)]
pub(crate) enum NodeValue {
    Scalar(Scalar),
    Sequence(Vec<Rc<Node>>),
    Mapping(Vec<Entry>),
}

/// A key of a mapping with its value; keys of one mapping are distinct.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: Rc<str>,
    pub(crate) key_place: Place,
    pub(crate) value: Rc<Node>,
}

impl Node {
    pub(super) fn new(place: Place, value: NodeValue) -> Self {
        let (weight, height) = match &value {
            NodeValue::Scalar(scalar) => (scalar.text.len(), 0),
            NodeValue::Sequence(items) => {
                measured(items.iter().map(|item| (item.weight, item.height)))
            }
            NodeValue::Mapping(entries) => measured(entries.iter().map(|entry| {
                let value = &entry.value;
                (value.weight.saturating_add(entry.key.len()), value.height)
            })),
        };
        Self {
            place,
            value,
            weight: weight.saturating_add(NODE_WEIGHT),
            height: height + 1,
        }
    }

    /// The entries, when this is a mapping.
    pub(crate) fn entries(&self) -> Option<&[Entry]> {
        match &self.value {
            NodeValue::Mapping(entries) => Some(entries),
            NodeValue::Scalar(_) | NodeValue::Sequence(_) => None,
        }
    }

    /// The items, when this is a sequence.
    pub(crate) fn items(&self) -> Option<&[Rc<Node>]> {
        match &self.value {
            NodeValue::Sequence(items) => Some(items),
            NodeValue::Scalar(_) | NodeValue::Mapping(_) => None,
        }
    }

    /// The entry of `key`, when this is a mapping that has it.
    pub(crate) fn get(&self, key: &str) -> Option<&Entry> {
        self.entries()?.iter().find(|entry| &*entry.key == key)
    }

    /// What the scalar means, when this is one.
    pub(crate) fn meaning(&self) -> Option<Meaning> {
        match &self.value {
            NodeValue::Scalar(scalar) => Some(scalar.meaning()),
            NodeValue::Sequence(_) | NodeValue::Mapping(_) => None,
        }
    }

    /// The text of a scalar that means text.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            NodeValue::Scalar(scalar) if scalar.meaning() == Meaning::Text => Some(&scalar.text),
            NodeValue::Scalar(_) | NodeValue::Sequence(_) | NodeValue::Mapping(_) => None,
        }
    }

    /// The text of a scalar as written, whatever it means, except for null.
    pub(crate) fn written(&self) -> Option<&str> {
        match &self.value {
            NodeValue::Scalar(scalar) if scalar.meaning() != Meaning::Null => Some(&scalar.text),
            NodeValue::Scalar(_) | NodeValue::Sequence(_) | NodeValue::Mapping(_) => None,
        }
    }

    /// Nothing at all, `~` or `null`.
    pub(crate) fn is_null(&self) -> bool {
        self.meaning() == Some(Meaning::Null)
    }

    /// What it is, for a message.
    pub(crate) fn described(&self) -> &'static str {
        match &self.value {
            NodeValue::Sequence(_) => "a list",
            NodeValue::Mapping(_) => "an object",
            NodeValue::Scalar(scalar) => match scalar.meaning() {
                Meaning::Null => "nothing",
                Meaning::Bool(_) => "a boolean",
                Meaning::Integer | Meaning::Float => "a number",
                Meaning::Text => "text",
            },
        }
    }
}

fn measured(below: impl Iterator<Item = (usize, usize)>) -> (usize, usize) {
    below.fold((0_usize, 0), |(weight, height), (more, deep)| {
        (weight.saturating_add(more), height.max(deep))
    })
}

//! JSON Schema, as far as manifests use it, over values from anywhere.
//!
//! The schema comes from whoever can push to a repository and the value from whoever has a key
//! or writes to standard output, so the work is counted: a check that costs too much ends with
//! one fault that says so. Nothing is fetched; a reference that leads nowhere says nothing.
//! Keywords with a shape that has no meaning (`minimum: a`) are passed over, as are unknown ones.

mod among;
mod arrays;
mod combine;
mod equal;
mod fault;
mod format;
mod objects;
mod pattern;
mod reference;
mod scalars;

use std::collections::HashMap;

use serde_json::{Map, Value};

pub(crate) use equal::{canonical, equal, is_in};
pub(crate) use fault::Faults;
pub use fault::{Fault, Step, TOO_COMPLEX};
pub(crate) use reference::Standard;

use among::Lists;
use pattern::Patterns;
pub(crate) use pattern::unusable as unusable_patterns;

/// Steps of one check, or of one part of it. A step costs well below a microsecond; regular
/// expressions cost more of them.
const FUEL: u64 = 1_000_000;
/// Steps of all parts of a check together, in the most of one.
const PARTS: u64 = 2;
/// How deep checks stand within each other; the stack of a thread holds several times as many.
const DEPTH: usize = 200;

/// What a property's options say about its value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Choice<'s> {
    /// It has none: its other keywords decide.
    None,
    /// It will have some that are not known yet: only its own type is looked at.
    Open,
    /// The value is one of these, or a list of them.
    Among {
        /// The options: values, or objects with `const` and `title`.
        options: Options<'s>,
        /// Whether the value is a list of options.
        many: bool,
    },
}

/// A list of options as it was written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Options<'s> {
    pub(crate) list: &'s [Value],
    /// An `enum`: each entry is a value, also an object with `const`.
    pub(crate) literal: bool,
}

impl<'s> Options<'s> {
    /// The values that may be chosen.
    pub(crate) fn values(self) -> impl Iterator<Item = &'s Value> {
        self.list.iter().filter_map(move |option| match option {
            Value::Object(fields) if !self.literal => fields.get("const"),
            Value::Array(_) if !self.literal => None,
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_)
            | Value::Object(_) => Some(option),
        })
    }
}

/// What tells one use of schemas from another.
pub(crate) trait Dialect<'s> {
    /// Whether `min` and `max` mean `minimum` and `maximum`, and formats are checked.
    const SETTINGS: bool;

    /// Where a `$ref` leads.
    fn resolve(&self, reference: &str) -> Option<&'s Value>;

    /// Whether the value is chosen from options.
    fn choice(&self, schema: &'s Map<String, Value>) -> Choice<'s>;
}

/// One check, with what it has left.
pub(crate) struct Checker<'s, D> {
    dialect: D,
    fuel: u64,
    /// What further parts may use.
    spare: u64,
    is_exhausted: bool,
    depth: usize,
    patterns: Patterns<'s>,
    lists: Lists,
    /// Choices by the address of their schema.
    choices: HashMap<usize, Choice<'s>>,
}

impl<'s, D: Dialect<'s>> Checker<'s, D> {
    pub(crate) fn new(dialect: D) -> Self {
        Self {
            dialect,
            fuel: FUEL,
            spare: FUEL * (PARTS - 1),
            is_exhausted: false,
            depth: 0,
            patterns: Patterns::default(),
            lists: Lists::default(),
            choices: HashMap::new(),
        }
    }

    /// Begins another part of the check. It may cost as much as any other, so that one that is
    /// given up does not take the rest along, as long as all together stay within bounds.
    pub(crate) fn begin_part(&mut self) {
        let left = self.fuel + self.spare;
        self.fuel = left.min(FUEL);
        self.spare = left - self.fuel;
        self.is_exhausted = false;
    }

    /// Takes steps from what is left; false when there is not enough, and then nothing is looked
    /// at any more.
    pub(crate) fn spend(&mut self, steps: u64) -> bool {
        match self.fuel.checked_sub(steps) {
            Some(left) if !self.is_exhausted => {
                self.fuel = left;
                true
            }
            _ => {
                self.give_up();
                false
            }
        }
    }

    /// What is left is for other parts: a circle of references is seen by its depth, long before.
    fn give_up(&mut self) {
        self.is_exhausted = true;
    }

    /// Whether the check, or this part of it, was given up: what it found means nothing.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.is_exhausted
    }

    /// Notes everything about `value` that does not fit.
    pub(crate) fn check(&mut self, schema: &'s Value, value: &Value, faults: &mut Faults) {
        self.check_part(schema, value, true, faults);
    }

    /// The same; without `with_type` the schema's own `type` is not looked at.
    fn check_part(
        &mut self,
        schema: &'s Value,
        value: &Value,
        with_type: bool,
        faults: &mut Faults,
    ) {
        if self.depth == DEPTH {
            self.give_up();
        }
        if !self.spend(1) {
            return;
        }
        self.depth += 1;
        match schema {
            Value::Object(schema) => self.check_object(schema, value, with_type, faults),
            Value::Bool(false) => faults.add("value_error", "there may be no value here"),
            Value::Null
            | Value::Bool(true)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => {}
        }
        self.depth -= 1;
    }

    fn check_object(
        &mut self,
        schema: &'s Map<String, Value>,
        value: &Value,
        with_type: bool,
        faults: &mut Faults,
    ) {
        let own_type = schema.get("type").filter(|_| with_type);
        match self.choice(schema) {
            Choice::Among { options, many } => {
                return self.check_choice(schema, options, many, value, faults);
            }
            Choice::Open => {
                scalars::check_type(own_type, value, faults);
                return;
            }
            Choice::None => {}
        }
        if !scalars::check_type(own_type, value, faults) {
            return;
        }
        self.check_references(schema, value, faults);
        self.check_values(schema, value, faults);
        match value {
            Value::Number(number) => scalars::check_number::<D>(schema, number, faults),
            Value::String(text) => self.check_text(schema, text, faults),
            Value::Array(items) => self.check_array(schema, items, faults),
            Value::Object(fields) => self.check_fields(schema, fields, faults),
            Value::Null | Value::Bool(_) => {}
        }
        self.check_combined(schema, value, faults);
    }

    /// Looked for once: a list of options may be long, and a list of values too.
    fn choice(&mut self, schema: &'s Map<String, Value>) -> Choice<'s> {
        let address = std::ptr::from_ref(schema).addr();
        let known = self.choices.entry(address);
        *known.or_insert_with(|| self.dialect.choice(schema))
    }

    /// The keywords beside `$ref` hold too; of two types the property's own is the one that
    /// counts, as the original's tutorial has it.
    fn check_references(
        &mut self,
        schema: &'s Map<String, Value>,
        value: &Value,
        faults: &mut Faults,
    ) {
        for key in ["$ref", "$dynamicRef", "$recursiveRef"] {
            let Some(reference) = schema.get(key).and_then(Value::as_str) else {
                continue;
            };
            // Looking for an anchor may walk through the schema.
            if !self.spend(10) {
                return;
            }
            if let Some(target) = self.dialect.resolve(reference) {
                let with_type = !(D::SETTINGS && schema.contains_key("type"));
                self.check_part(target, value, with_type, faults);
            }
        }
    }

    fn check_values(&mut self, schema: &'s Map<String, Value>, value: &Value, faults: &mut Faults) {
        if let Some(Value::Array(list)) = schema.get("enum") {
            let options = Options {
                list,
                literal: true,
            };
            self.check_among(options, value, faults);
        }
        if let Some(wanted) = schema.get("const")
            && !equal(wanted, value)
        {
            faults.add_expected(std::iter::once(wanted), 1);
        }
    }

    fn check_choice(
        &mut self,
        schema: &'s Map<String, Value>,
        options: Options<'s>,
        many: bool,
        value: &Value,
        faults: &mut Faults,
    ) {
        if !many {
            return self.check_among(options, value, faults);
        }
        let Value::Array(items) = value else {
            faults.add("list_type", "Input should be a valid list");
            return;
        };
        for (index, item) in items.iter().enumerate() {
            faults.enter(Step::Index(index));
            self.check_among(options, item, faults);
            faults.leave();
        }
        self.check_size_of_array(schema, items, faults);
    }
}

#[cfg(test)]
mod tests;

//! Lists.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::equal::canonical;
use super::scalars::limit;
use super::{Checker, Dialect, Faults, Step};

impl<'s, D: Dialect<'s>> Checker<'s, D> {
    pub(super) fn check_array(
        &mut self,
        schema: &'s Map<String, Value>,
        items: &[Value],
        faults: &mut Faults,
    ) {
        self.check_size_of_array(schema, items, faults);
        self.check_items(schema, items, faults);
        if let Some(wanted) = schema.get("contains") {
            self.check_contains(schema, wanted, items, faults);
        }
    }

    pub(super) fn check_size_of_array(
        &mut self,
        schema: &'s Map<String, Value>,
        items: &[Value],
        faults: &mut Faults,
    ) {
        let length = items.len();
        if let (Some(bound), Some(least)) = (schema.get("minItems"), limit(schema, "minItems"))
            && length < least
        {
            let sentence =
                format!("List should have at least {{}} items after validation, not {length}");
            faults.add_bound("too_short", "min_length", bound, &sentence);
        }
        if let (Some(bound), Some(most)) = (schema.get("maxItems"), limit(schema, "maxItems"))
            && length > most
        {
            let sentence =
                format!("List should have at most {{}} items after validation, not {length}");
            faults.add_bound("too_long", "max_length", bound, &sentence);
        }
        if schema.get("uniqueItems") == Some(&Value::Bool(true)) && self.spend(length as u64) {
            let mut seen = HashSet::new();
            if !items.iter().all(|item| seen.insert(canonical(item))) {
                faults.add("value_error", "an item is there more than once");
            }
        }
    }

    /// `prefixItems` and then `items`; older drafts write a list under `items`, and what follows
    /// under `additionalItems`.
    fn check_items(
        &mut self,
        schema: &'s Map<String, Value>,
        items: &[Value],
        faults: &mut Faults,
    ) {
        let (first, rest) = match (schema.get("prefixItems"), schema.get("items")) {
            (Some(Value::Array(first)), rest) => (first.as_slice(), rest),
            (_, Some(Value::Array(first))) => (first.as_slice(), schema.get("additionalItems")),
            (_, rest) => (&[][..], rest),
        };
        for (index, item) in items.iter().enumerate() {
            let Some(wanted) = first.get(index).or(rest) else {
                return;
            };
            faults.enter(Step::Index(index));
            self.check(wanted, item, faults);
            faults.leave();
        }
    }

    fn check_contains(
        &mut self,
        schema: &'s Map<String, Value>,
        wanted: &'s Value,
        items: &[Value],
        faults: &mut Faults,
    ) {
        let least = limit(schema, "minContains").unwrap_or(1);
        let most = limit(schema, "maxContains").unwrap_or(usize::MAX);
        let count = items.iter().filter(|item| self.fits(wanted, item)).count();
        if count < least || count > most {
            faults.add_with("value_error", || {
                let message = format!("{count} items are as one of them must be");
                (message, Map::new())
            });
        }
    }
}

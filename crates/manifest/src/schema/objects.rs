//! Objects.

use serde_json::{Map, Value};

use super::scalars::limit;
use super::{Checker, Dialect, Faults};

impl<'s, D: Dialect<'s>> Checker<'s, D> {
    pub(super) fn check_fields(
        &mut self,
        schema: &'s Map<String, Value>,
        fields: &Map<String, Value>,
        faults: &mut Faults,
    ) {
        check_required(schema, fields, faults);
        self.check_properties(schema, fields, faults);
        self.check_rest_of_object(schema, fields, faults);
    }

    /// What is neither `required` nor said about single fields.
    pub(crate) fn check_rest_of_object(
        &mut self,
        schema: &'s Map<String, Value>,
        fields: &Map<String, Value>,
        faults: &mut Faults,
    ) {
        let count = fields.len();
        if let (Some(bound), Some(least)) =
            (schema.get("minProperties"), limit(schema, "minProperties"))
            && count < least
        {
            let sentence =
                format!("Dictionary should have at least {{}} items after validation, not {count}");
            faults.add_bound("too_short", "min_length", bound, &sentence);
        }
        if let (Some(bound), Some(most)) =
            (schema.get("maxProperties"), limit(schema, "maxProperties"))
            && count > most
        {
            let sentence =
                format!("Dictionary should have at most {{}} items after validation, not {count}");
            faults.add_bound("too_long", "max_length", bound, &sentence);
        }
        if let Some(names) = schema.get("propertyNames") {
            for name in fields.keys() {
                faults.enter_key(name);
                self.check(names, &Value::from(name.as_str()), faults);
                faults.leave();
            }
        }
        self.check_dependencies(schema, fields, faults);
    }

    fn check_properties(
        &mut self,
        schema: &'s Map<String, Value>,
        fields: &Map<String, Value>,
        faults: &mut Faults,
    ) {
        let properties = schema.get("properties").and_then(Value::as_object);
        let rules = ["patternProperties", "additionalProperties"];
        let only_properties = rules.iter().all(|rule| schema.get(*rule).is_none());
        for (name, value) in fields {
            let described = properties.and_then(|properties| properties.get(name));
            if only_properties && described.is_none() {
                continue;
            }
            faults.enter_key(name);
            if let Some(described) = described {
                self.check(described, value, faults);
            }
            self.check_unnamed(schema, name, value, described.is_some(), faults);
            faults.leave();
        }
    }

    /// `patternProperties`, and `additionalProperties` for a field that nothing else describes.
    pub(crate) fn check_unnamed(
        &mut self,
        schema: &'s Map<String, Value>,
        name: &str,
        value: &Value,
        is_described: bool,
        faults: &mut Faults,
    ) {
        let mut is_described = is_described;
        if let Some(Value::Object(patterns)) = schema.get("patternProperties") {
            for (pattern, wanted) in patterns {
                if self.matches(pattern, name) {
                    is_described = true;
                    self.check(wanted, value, faults);
                }
            }
        }
        match schema.get("additionalProperties") {
            Some(Value::Bool(false)) if !is_described => {
                faults.add("extra_forbidden", "Extra inputs are not permitted");
            }
            Some(wanted) if !is_described => self.check(wanted, value, faults),
            _ => {}
        }
    }

    /// `dependentRequired`, `dependentSchemas`, and `dependencies`, which older drafts have for
    /// both.
    fn check_dependencies(
        &mut self,
        schema: &'s Map<String, Value>,
        fields: &Map<String, Value>,
        faults: &mut Faults,
    ) {
        for keyword in ["dependentRequired", "dependentSchemas", "dependencies"] {
            let Some(Value::Object(rules)) = schema.get(keyword) else {
                continue;
            };
            for (name, rule) in rules {
                if !fields.contains_key(name) {
                    continue;
                }
                if let Value::Array(names) = rule {
                    missing(names, fields, faults);
                } else if self.spend(fields.len() as u64) {
                    // The value as a whole is needed once more.
                    self.check(rule, &Value::Object(fields.clone()), faults);
                }
            }
        }
    }
}

fn check_required(schema: &Map<String, Value>, fields: &Map<String, Value>, faults: &mut Faults) {
    if let Some(Value::Array(names)) = schema.get("required") {
        missing(names, fields, faults);
    }
}

fn missing(names: &[Value], fields: &Map<String, Value>, faults: &mut Faults) {
    for name in names.iter().filter_map(Value::as_str) {
        if !fields.contains_key(name) {
            faults.enter_key(name);
            faults.add("missing", "Field required");
            faults.leave();
        }
    }
}

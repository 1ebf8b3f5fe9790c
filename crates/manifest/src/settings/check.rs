//! Whether a tenant's settings are what the form allows.

use serde_json::{Map, Value};

use super::Settings;
use super::defaults::Defaults;
use crate::schema::{Checker, Choice, Dialect as _, Fault, Faults, TOO_COMPLEX};

impl<'s> Settings<'s> {
    /// Everything in `configs` that the form and the options do not allow; the first step of a
    /// path is the name of the setting. Without a form everything is allowed.
    pub fn check(&self, configs: &Map<String, Value>) -> Vec<Fault> {
        let Some(schema) = self.schema() else {
            return Vec::new();
        };
        // `null` is how a client says that it sets nothing.
        let set: Map<String, Value> = configs
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let mut faults = Faults::default();
        let mut checker = Checker::new(*self);
        self.check_required(schema, &set, &mut faults);
        for (name, value) in &set {
            faults.enter_key(name);
            let mark = faults.mark();
            checker.begin_part();
            let described = self.properties().and_then(|all| all.get(name));
            if let Some(described) = described {
                checker.check(described, value, &mut faults);
            }
            checker.check_unnamed(schema, name, value, described.is_some(), &mut faults);
            if checker.is_exhausted() {
                faults.forget_since(mark);
                let message = "the form is too complex to check this value; simplify its schema";
                faults.add(TOO_COMPLEX, message);
            }
            faults.leave();
        }
        let mark = faults.mark();
        checker.begin_part();
        checker.check_rest_of_object(schema, &set, &mut faults);
        checker.check_combined(schema, &Value::Object(set), &mut faults);
        if checker.is_exhausted() {
            faults.forget_since(mark);
            let message = "the form is too complex to check these values; simplify its schema";
            faults.add(TOO_COMPLEX, message);
        }
        faults.into_list()
    }

    /// A default counts as set, since runs get it. A selector that has nothing to choose from
    /// yet cannot be asked for.
    fn check_required(
        &self,
        schema: &Map<String, Value>,
        set: &Map<String, Value>,
        faults: &mut Faults,
    ) {
        let Some(Value::Array(names)) = schema.get("required") else {
            return;
        };
        let mut defaults = Defaults::new(*self);
        for name in names.iter().filter_map(Value::as_str) {
            if !set.contains_key(name) && self.can_be_set(name, &mut defaults) {
                faults.enter_key(name);
                faults.add("missing", "Field required");
                faults.leave();
            }
        }
    }

    fn can_be_set(&self, name: &str, defaults: &mut Defaults<'s>) -> bool {
        let Some(described) = self.properties().and_then(|all| all.get(name)) else {
            return true;
        };
        if defaults.of(described).is_some() {
            return false;
        }
        let Value::Object(described) = described else {
            return true;
        };
        let of_items = described.get("items").and_then(Value::as_object);
        [Some(described), of_items]
            .into_iter()
            .flatten()
            .all(|part| match self.choice(part) {
                Choice::None => true,
                Choice::Open => false,
                Choice::Among { options, .. } => options.values().next().is_some(),
            })
    }
}

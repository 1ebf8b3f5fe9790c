//! Schemas made of schemas.

use serde_json::{Map, Value};

use super::{Checker, Dialect, Faults};

impl<'s, D: Dialect<'s>> Checker<'s, D> {
    /// Whether the value fits, without saying why not.
    pub(crate) fn fits(&mut self, schema: &'s Value, value: &Value) -> bool {
        let mut faults = Faults::quiet();
        self.check(schema, value, &mut faults);
        faults.is_empty()
    }

    pub(crate) fn check_combined(
        &mut self,
        schema: &'s Map<String, Value>,
        value: &Value,
        faults: &mut Faults,
    ) {
        if let Some(Value::Array(all)) = schema.get("allOf") {
            for one in all {
                self.check(one, value, faults);
            }
        }
        if let Some(Value::Array(any)) = schema.get("anyOf") {
            let constants = self.count_constants(any, value);
            let fits = match constants {
                Some(count) => count > 0,
                None => any.iter().any(|one| self.fits(one, value)),
            };
            if !fits {
                self.say_none_fits(any, value, faults);
            }
        }
        if let Some(Value::Array(several)) = schema.get("oneOf") {
            let constants = self.count_constants(several, value);
            let count = match constants {
                Some(count) => count,
                None => several.iter().filter(|one| self.fits(one, value)).count(),
            };
            match count {
                0 => self.say_none_fits(several, value, faults),
                1 => {}
                _ => faults.add("value_error", "fits more than one of the alternatives"),
            }
        }
        if let Some(not) = schema.get("not")
            && self.fits(not, value)
        {
            faults.add("value_error", "is what it must not be");
        }
        if let Some(condition) = schema.get("if") {
            let branch = if self.fits(condition, value) {
                "then"
            } else {
                "else"
            };
            if let Some(branch) = schema.get(branch) {
                self.check(branch, value, faults);
            }
        }
    }

    /// With one alternative its own faults say most.
    fn say_none_fits(&mut self, alternatives: &'s [Value], value: &Value, faults: &mut Faults) {
        match alternatives {
            [only] => self.check(only, value, faults),
            _ => faults.add("value_error", "fits none of the alternatives"),
        }
    }
}

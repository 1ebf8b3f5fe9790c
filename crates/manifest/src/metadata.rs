//! What a tenant's metadata may be.

use serde_json::{Map, Value};

use crate::schema::{Checker, Fault, Faults, Standard, TOO_COMPLEX};

/// Everything in `value` that the manifest's `metadata_schema` does not allow. Metadata is always
/// an object; fields that the schema does not name are allowed unless it says otherwise.
pub fn metadata_faults(metadata_schema: Option<&Value>, value: &Value) -> Vec<Fault> {
    let mut faults = Faults::default();
    if !value.is_object() {
        faults.add("dict_type", "Input should be a valid dictionary");
        return faults.into_list();
    }
    let Some(schema) = metadata_schema.and_then(|metadata| metadata.get("schema")) else {
        return Vec::new();
    };
    let mut checker = Checker::new(Standard { root: schema });
    checker.check(schema, value, &mut faults);
    if checker.is_exhausted() {
        faults = Faults::default();
        let message = "the metadata schema is too complex to check this; simplify it";
        faults.add(TOO_COMPLEX, message);
    }
    faults.into_list()
}

/// The keys of metadata that the form of a release (the manifest's `configs`) takes options from.
pub fn metadata_options(
    configs: Option<&Value>,
    metadata: &Map<String, Value>,
) -> Map<String, Value> {
    let names = crate::settings::metadata_names(configs);
    metadata
        .iter()
        .filter(|(name, value)| names.contains(*name) && value.is_array())
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

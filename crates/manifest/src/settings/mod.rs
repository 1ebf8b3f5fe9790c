//! The settings of a tenant: what a form allows, which options it has, which values are secret.
//!
//! The form is the manifest's `configs`; options come from the form itself, from what init runs
//! printed, and from the tenant's metadata. The rules are those of `docs/manifest.md`.

mod check;
mod choices;
mod defaults;
mod fill;
mod secrets;

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::reference::Reference;
use crate::schema::Options;

pub(crate) use defaults::Defaults;
pub use secrets::{MASK, masked, secret_names};

/// A form and the options of one tenant.
#[derive(Debug, Clone, Copy)]
pub struct Settings<'s> {
    /// The manifest's `configs`.
    configs: Option<&'s Value>,
    /// The properties of the manifest's `metadata_schema`.
    metadata_properties: Option<&'s Map<String, Value>>,
    /// What init runs printed, by the name of the definition.
    printed: &'s Map<String, Value>,
    /// The tenant's metadata.
    metadata: &'s Map<String, Value>,
}

impl<'s> Settings<'s> {
    /// Puts together a release's `configs` and `metadata_schema`, the options that init runs of
    /// the tenant printed, and its metadata.
    pub fn new(
        configs: Option<&'s Value>,
        metadata_schema: Option<&'s Value>,
        printed: &'s Map<String, Value>,
        metadata: &'s Map<String, Value>,
    ) -> Self {
        let metadata_properties = metadata_schema
            .and_then(|metadata| metadata.get("schema")?.get("properties")?.as_object());
        Self {
            configs,
            metadata_properties,
            printed,
            metadata,
        }
    }

    fn schema(&self) -> Option<&'s Map<String, Value>> {
        self.configs?.get("schema")?.as_object()
    }

    pub(crate) fn properties(&self) -> Option<&'s Map<String, Value>> {
        self.schema()?.get("properties")?.as_object()
    }

    fn definition(&self, name: &str) -> Option<&'s Value> {
        self.schema()?.get("definitions")?.get(name)
    }

    /// Options that an init run printed for a definition.
    fn printed(&self, name: &str) -> Option<Options<'s>> {
        list(self.printed.get(name)?)
    }

    /// Options that the tenant's metadata has under a key; a release without a metadata schema
    /// keeps none, and then it is what an init run printed under that name.
    fn of_metadata(&self, name: &str) -> Option<Options<'s>> {
        let known = self.metadata.get(name).and_then(list);
        known.or_else(|| self.printed(name))
    }

    /// What stands in for them as long as the metadata has none: the schema's default.
    fn metadata_placeholder(&self, name: &str) -> Option<Options<'s>> {
        list(self.metadata_properties?.get(name)?.get("default")?)
    }
}

fn list(value: &Value) -> Option<Options<'_>> {
    let list = value.as_array()?.as_slice();
    Some(Options {
        list,
        literal: false,
    })
}

/// The `$ref` of a schema, read in every spelling that manifests use.
fn reference_of(schema: &Map<String, Value>) -> Option<Reference> {
    schema.get("$ref")?.as_str().map(Reference::read)
}

/// The keys of metadata that a form takes options from, besides those that it also defines.
pub fn metadata_names(configs: Option<&Value>) -> BTreeSet<String> {
    let Some(Value::Object(schema)) = configs.and_then(|configs| configs.get("schema")) else {
        return BTreeSet::new();
    };
    let names = fill::Names::of(schema);
    names
        .metadata
        .difference(&names.definitions)
        .cloned()
        .collect()
}

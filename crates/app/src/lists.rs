//! What all lists have in common.

use marquetry_model::{FieldError, Sort};
pub use marquetry_store::List;
pub use marquetry_store::api_keys::LIST as KEYS;
pub use marquetry_store::audit::LIST as AUDIT;
pub use marquetry_store::builds::LIST as BUILDS;
pub use marquetry_store::connectors::LIST as CONNECTORS;
pub use marquetry_store::integrations::LIST as INTEGRATIONS;
pub use marquetry_store::nodes::LIST as NODES;
pub use marquetry_store::releases::LIST as RELEASES;
pub use marquetry_store::runs::LIST as RUNS;
pub use marquetry_store::tenants::LIST as TENANTS;

/// Why a list cannot be sorted so, which names the fields by which it can.
pub fn sort_fault(list: &List, sort: &Sort) -> Option<FieldError> {
    let error = list.check(sort).err()?;
    Some(FieldError::query("sort_by", error.to_string()))
}

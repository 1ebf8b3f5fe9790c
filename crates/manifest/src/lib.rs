//! `PANDIUM.yaml` to checked types with places, and the pure rules around it: which file is read,
//! which `PAN_CFG_*` variables the settings of a tenant become, which line of output counts, and what
//! of its JSON can be kept.
//!
//! Everything here is a function of its arguments: no clock, no files, no async. The text of a
//! manifest comes from whoever can push to a repository, so every function takes any input
//! without panicking and within bounded time and memory.

mod base;
mod configs;
mod editor;
pub mod json;
mod manifest;
mod metadata;
mod output;
mod path;
mod problem;
mod read;
mod reference;
mod schema;
mod settings;
mod suggest;
mod yaml;

pub use base::{Base, Language};
pub use configs::{Collision, ConfigEnvironment, config_variable_name};
pub use editor::manifest_schema;
pub use manifest::{Egress, Manifest, Narrowing};
pub use metadata::{metadata_faults, metadata_options};
pub use output::{LAST_LINE_LIMIT, LastLine, OverLimit};
pub use path::{RepositoryPathError, manifest_candidates};
pub use problem::Problem;
pub use read::{LONGEST_NAME, MANIFEST_LIMIT, Parsed, parse};
pub use schema::{Fault, Step, TOO_COMPLEX};
pub use settings::{MASK, Settings, masked, metadata_names, secret_names};
pub use suggest::nearest;

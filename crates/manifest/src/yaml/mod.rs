//! One YAML document as a tree with places.
//!
//! The tree keeps the text of every scalar, since `version: 1.0` must stay `1.0`; what a scalar
//! means is asked for where it matters. The composer refuses what a manifest has no use for and a
//! hostile one would use: several documents, duplicate keys, keys that are no text, foreign tags,
//! deep nesting, aliases that expand beyond measure or contain themselves.

mod compose;
mod node;
mod prepare;
mod scalar;
mod to_json;

pub(crate) use compose::compose;
pub(crate) use node::{Entry, Node};
pub(crate) use prepare::prepare;
pub(crate) use to_json::to_json;

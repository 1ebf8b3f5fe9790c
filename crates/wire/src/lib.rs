//! JSON shapes of the v2 API with their schemas; no behaviour.
//!
//! Invariants: a shape is declared once, here; the same declaration reads or writes the JSON and
//! describes it in the OpenAPI document. Everything that an answer of the original has stands
//! first in its contract's order, fields of ours stand behind it.
#![warn(missing_docs)]

pub mod v2;

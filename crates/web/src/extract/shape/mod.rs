//! Checks of input against the schemas of the OpenAPI document, in pydantic's words.
//!
//! serde stops at the first fault and has words of its own. The schema of a shape knows enough to
//! find every fault, so it is compiled once and walked for every input; serde then only moves
//! values that are known to fit.

mod check;
mod compile;
mod fields;
mod kept;
mod lax;

use check::is_secret;
pub(crate) use check::{fault, finish};
pub(crate) use fields::Fields;

/// What a value must look like.
#[derive(Debug)]
pub(crate) enum Shape {
    /// Anything.
    Any,
    /// A text.
    Text,
    /// A text that is an instant.
    DateTime,
    /// A whole number.
    Integer(Bounds),
    /// A number.
    Number(Bounds),
    /// True or false.
    Boolean,
    /// One of these texts.
    Word(Vec<String>),
    /// A list.
    List(Box<Shape>),
    /// An object with any names.
    Dict(Box<Shape>),
    /// An object with known names.
    Object(Fields),
    /// Null, or something.
    Nullable(Box<Shape>),
    /// One of several.
    OneOf(Vec<Shape>),
}

/// The least and the most, both allowed.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Bounds {
    least: Option<i64>,
    most: Option<i64>,
}

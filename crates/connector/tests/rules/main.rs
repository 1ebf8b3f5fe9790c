//! The rules of definitions, and of what is made of them, as callers see them.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod addresses;
mod answers;
mod fields;
mod guide;
mod hosts;
mod reading;
mod schema;
mod support;
mod templates;
mod variables;

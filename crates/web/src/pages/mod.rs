//! The pages on which a customer connects one system: no login, and perhaps no idea of us.
//!
//! Plain structs in, HTML out: nothing here reads a request or calls a use case. Every page works
//! without JavaScript and holds neither script nor style of its own. What comes from a person or
//! from another system is escaped by the templates; what is secret is never written back.

mod answer;
mod choice;
mod device;
mod field;
mod form;
mod href;
mod said;

pub(crate) use answer::{asset, html, page};
pub(crate) use choice::{Choice, ChoicePage, Hidden};
pub(crate) use device::DevicePage;
pub(crate) use field::{FieldKind, PageField, PageOption};
pub(crate) use form::FormPage;
pub(crate) use href::Href;
pub(crate) use said::{DonePage, LeavingPage, ProblemPage};

/// Where the pages look for what [`asset`] knows.
pub(crate) const ASSETS: &str = "/connect/assets";

#[cfg(test)]
mod tests;

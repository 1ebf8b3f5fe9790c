//! The API.

pub(crate) mod hooks;
pub(crate) mod v2;

//! The API.

pub(crate) mod v2;

//! Credentials stay good: they are renewed ahead of their end and never twice, and whoever has to act is told.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod ahead;
mod ground;
mod looked_at;
mod meanwhile;
mod together;

//! Connections: credentials of a tenant, or of a whole integration, for a connector. They are written, used by
//! runs and calls, renewed and forgotten; no answer has them.

mod authorize;
mod check;
pub mod credentials;
pub mod disconnect;
mod opened;
mod refresh;
pub mod run;
mod secret_values;
pub mod status;
pub mod tend;
mod times;
mod tokens;

pub(crate) use authorize::filled;
pub(crate) use opened::all_values;
pub use secret_values::SecretValues;
pub(crate) use secret_values::{sealing, without_secrets};
pub(crate) use status::States;
pub(crate) use times::take_over;
pub(crate) use tokens::{Asked, ask, device, scope};

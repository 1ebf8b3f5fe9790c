//! The only crate that opens connections to third parties: address policy, name service, relay.
//!
//! Every way out goes through one [`AddressPolicy`]: public addresses by default, the operator's
//! own networks when he names them. The policy judges *addresses*, at the moment of connecting,
//! and the address that was judged is the one that is dialled: names are never looked up twice.
//!
//! [`http`] sends the platform's own requests by that policy, token endpoints above all;
//! [`sign`] makes the signatures that third parties ask for; it opens no connection.

pub mod hosts;
pub mod http;
mod pem;
pub mod policy;
pub mod relay;
pub mod resolver;
pub mod sign;

pub use hosts::{HostError, HostList};
pub use http::{HttpAnswer, HttpClient, HttpError, HttpRequest, Identity};
pub use pem::PemError;
pub use policy::{AddressKind, AddressPolicy, Refused};
pub use resolver::{ResolveError, Resolver};

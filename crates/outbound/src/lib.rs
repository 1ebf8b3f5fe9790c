//! The only crate that opens connections to third parties: address policy, name service, relay.

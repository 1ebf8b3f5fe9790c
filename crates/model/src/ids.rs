//! Typed ids, so that a run's id cannot be passed where a tenant's is meant.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(i64);

        impl $name {
            /// What an error calls the thing that this id names.
            pub const KIND: &'static str = $kind;

            /// Wraps a number that came from the database or a request.
            pub const fn new(value: i64) -> Self {
                Self(value)
            }

            /// The number itself, as it stands in URLs, JSON and tables.
            pub const fn get(self) -> i64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = std::num::ParseIntError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }

        impl From<$name> for i64 {
            fn from(id: $name) -> i64 {
                id.0
            }
        }
    };
}

id!(
    /// An integration: code in a repository, with its settings.
    IntegrationId,
    "integration"
);
id!(
    /// One build of an integration's repository.
    BuildId,
    "build"
);
id!(
    /// What a successful build made: immutable, runnable.
    ReleaseId,
    "release"
);
id!(
    /// A customer's installation of an integration.
    TenantId,
    "tenant"
);
id!(
    /// A server that shares a database with others.
    NodeId,
    "node"
);
id!(
    /// One request that a tenant run; several may end in one run.
    TriggerId,
    "trigger"
);
id!(
    /// One execution of a release for a tenant.
    RunId,
    "run"
);
id!(
    /// Output that somebody wrote by hand, in place of what a run printed.
    OutputId,
    "output"
);
id!(
    /// What a tenant, or an integration, is connected to a system by.
    ConnectionId,
    "connection"
);
id!(
    /// A key of the API.
    ApiKeyId,
    "key"
);

/// What errors call a release, for look-ups by channel that have no id to name.
pub const RELEASE_KIND: &str = ReleaseId::KIND;

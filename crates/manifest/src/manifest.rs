//! What a manifest says, after all checks.

use serde_json::Value;

use crate::base::Base;

/// A checked `PANDIUM.yaml`.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// The format version as written: `version: 1.0` is `"1.0"`, never `"1"`.
    pub version: String,
    /// The language that builds and runs the code.
    pub base: Base,
    /// Shell command that installs dependencies and packages the code; never blank.
    pub build: String,
    /// Shell command that starts the integration; never blank.
    pub run: String,
    /// Names of the connectors, as old manifests list them; for information only, the
    /// integration's own record decides.
    pub connectors: Vec<String>,
    /// The `configs` object as JSON (`schema`, `uischema`), in the order of the file.
    pub configs: Option<Value>,
    /// The `metadata_schema` object as JSON; it always has an object under `schema`.
    pub metadata_schema: Option<Value>,
    /// What the manifest asks for below the integration's settings.
    pub marquetry: Narrowing,
}

impl Manifest {
    /// The JSON-Schema-like object that describes the settings of a tenant, if there is one.
    pub fn configs_schema(&self) -> Option<&Value> {
        self.configs.as_ref()?.get("schema")
    }
}

/// The keys under `marquetry:`. Each may only narrow what the integration's settings allow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Narrowing {
    /// A shorter time limit of a run, in seconds, from 1 to 86,400.
    pub timeout_seconds: Option<u32>,
    /// A narrower reach of a run's network.
    pub egress: Option<Egress>,
}

/// What a run may connect to. Ordered from the narrowest, so that the smaller of the setting and
/// the manifest's wish is what holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Egress {
    /// Nothing.
    None,
    /// The hosts of its connectors and declared extras.
    Connectors,
    /// Public addresses.
    Public,
    /// The network of the node.
    Host,
}

impl Egress {
    /// Every value, narrowest first.
    pub const ALL: [Self; 4] = [Self::None, Self::Connectors, Self::Public, Self::Host];

    /// The word for it in a manifest and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Connectors => "connectors",
            Self::Public => "public",
            Self::Host => "host",
        }
    }

    /// The value that `word` names, in any letter case.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|egress| egress.as_str().eq_ignore_ascii_case(word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smaller_egress_is_the_narrower_one() {
        assert_eq!(Egress::Public.min(Egress::None), Egress::None);
        assert_eq!(Egress::Public.min(Egress::Host), Egress::Public);
        assert!(Egress::ALL.is_sorted());
    }

    #[test]
    fn egress_words_go_both_ways() {
        for egress in Egress::ALL {
            assert_eq!(Egress::from_word(egress.as_str()), Some(egress));
        }
        assert_eq!(Egress::from_word("PUBLIC"), Some(Egress::Public));
        assert_eq!(Egress::from_word("all"), None);
    }
}

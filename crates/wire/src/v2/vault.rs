//! The keys that secrets are sealed with.

use marquetry_model::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The keys, and how far an exchange has come.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Vault {
    /// The id of the master key of the node that answers.
    pub master_key_id: String,
    /// The kinds of secrets that have keys.
    pub kinds: Vec<VaultKind>,
}

/// The keys of a kind of secrets.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct VaultKind {
    /// What is sealed with them.
    pub kind: String,
    /// The id of the one that is sealed with.
    pub key_id: i64,
    /// The id of the master key that wraps it.
    pub master_key_id: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_date: Timestamp,
    /// How many texts that stay are sealed.
    pub sealed: i64,
    /// How many of them with an older key than the newest.
    pub left: i64,
}

/// What is to be exchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum VaultKeys {
    /// What wraps the data keys: they are put under the master key of the node that is asked.
    MasterKey,
    /// What secrets are sealed with.
    DataKeys,
}

/// A wish to exchange keys.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateVault {
    /// Which.
    pub what: VaultKeys,
}

/// What was done at once.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RotatedVault {
    /// How many data keys were put under the master key, or made.
    pub keys: usize,
}

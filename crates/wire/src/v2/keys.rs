//! Keys of the API.

use marquetry_model::{ApiKey, Scope, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::words;

/// What a new key shall be.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateKey {
    /// What its owner calls it.
    pub name: String,
    /// What it may do; none: `admin`.
    #[schema(value_type = Option<Vec<words::Scope>>)]
    pub scopes: Option<Vec<Scope>>,
    /// When it stops working.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_date: Option<Timestamp>,
}

/// A key, without its text.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Key {
    /// Its id.
    pub id: i64,
    /// What its owner calls it.
    pub name: String,
    /// Its first characters, to recognise it by.
    pub prefix: String,
    /// What it may do.
    #[schema(value_type = Vec<words::Scope>)]
    pub scopes: Vec<Scope>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_date: Timestamp,
    /// When it stops working.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_date: Option<Timestamp>,
    /// When it was last used, to the minute.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_used_date: Option<Timestamp>,
}

impl From<ApiKey> for Key {
    fn from(key: ApiKey) -> Self {
        Self {
            id: key.id.get(),
            name: key.name,
            prefix: key.prefix,
            scopes: key.scopes.as_slice().to_vec(),
            created_date: key.created_at,
            expires_date: key.expires_at,
            last_used_date: key.last_used_at,
        }
    }
}

/// A key that was just made.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CreatedKey {
    /// Its id.
    pub id: i64,
    /// What its owner calls it.
    pub name: String,
    /// Its first characters, to recognise it by.
    pub prefix: String,
    /// Its text, which is shown only here.
    pub key: String,
    /// What it may do.
    #[schema(value_type = Vec<words::Scope>)]
    pub scopes: Vec<Scope>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_date: Timestamp,
    /// When it stops working.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_date: Option<Timestamp>,
    /// Always null here.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_used_date: Option<Timestamp>,
}

impl From<(ApiKey, String)> for CreatedKey {
    fn from((key, text): (ApiKey, String)) -> Self {
        let Key {
            id,
            name,
            prefix,
            scopes,
            created_date,
            expires_date,
            last_used_date,
        } = key.into();
        Self {
            id,
            name,
            prefix,
            key: text,
            scopes,
            created_date,
            expires_date,
            last_used_date,
        }
    }
}

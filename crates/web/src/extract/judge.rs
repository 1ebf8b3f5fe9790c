//! The rules of single fields, in a request that is refused already.
//!
//! A handler's use case judges a whole input. When a part of the input cannot be read there is none,
//! and the rules of the other fields would be silent until the client has mended that. So each kind of
//! input names, beside its shape, the use case's own function for the rules of single fields; it is
//! asked here alone. Rules of several fields together are not, as in pydantic.

use http::{HeaderMap, Uri};
use marquetry_app::{Ctx, authenticate};
use marquetry_model::Error;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::caller::api_key;
use crate::state::Web;

/// A request that is refused.
pub(crate) struct Refused<'a> {
    pub(crate) web: &'a Web,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) uri: &'a Uri,
    /// What of its path fits.
    pub(crate) path: Map<String, Value>,
}

impl Refused<'_> {
    /// Who asks. The handler's first argument has found the key good already.
    pub(crate) async fn ctx(&self) -> Result<Ctx, Error> {
        let key = api_key(self.headers).ok_or(Error::Unauthenticated)?;
        authenticate(self.web.app(), key).await
    }

    /// The id that the path has under this name.
    pub(crate) fn id(&self, name: &str) -> Option<i64> {
        self.path.get(name)?.as_i64()
    }
}

/// What of an input can be read, as a type of which every field may be missing.
pub(crate) fn as_far<T: DeserializeOwned>(fit: Map<String, Value>) -> Option<T> {
    serde_json::from_value(Value::Object(fit)).ok()
}

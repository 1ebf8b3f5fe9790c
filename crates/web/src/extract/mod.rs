//! From requests to typed input: who asks, and what for.

mod body;
mod caller;
mod checked;
pub(crate) mod cursor;
mod json_stream;
mod judge;
mod paging;
mod params;
mod shape;
mod streamed;

pub(crate) use body::{Json, JsonBody, JsonObject, JsonOrNothing, Payload, Raw, json_body};
pub(crate) use caller::{Admin, AnyKey, Caller, Credentials, Sync, Write, browser_caller};
pub(crate) use checked::{Checked, Plain};
pub(crate) use judge::{Refused, as_far};
pub(crate) use paging::{list_query, page};
pub(crate) use params::{Params, params, path_values, query_values};
pub(crate) use shape::{Fields, fault};
pub(crate) use streamed::Streamed;

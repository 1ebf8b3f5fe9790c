//! From text to a definition that can be used.

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::error::Category;
use serde_path_to_error::{Path, Segment};

use crate::auth::Auth;
use crate::check::faults;
use crate::definition::Definition;
use crate::strict::{Distinct, Strict};

/// The longest text of a definition.
const MOST_BYTES: usize = 256 << 10;

/// What is wrong with a definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefinitionFault {
    /// Where, from the root: names and numbers of items.
    pub place: Vec<String>,
    /// Why, and what to do.
    pub message: String,
}

impl DefinitionFault {
    pub(crate) fn new(place: &[&str], message: impl Into<String>) -> Self {
        Self {
            place: place.iter().map(|&it| it.to_owned()).collect(),
            message: message.into(),
        }
    }
}

/// Reads a definition and judges all of it.
///
/// # Errors
/// Everything that is wrong with it, as far as it could be read.
pub fn read(text: &[u8]) -> Result<Definition, Vec<DefinitionFault>> {
    if text.len() > MOST_BYTES {
        let message = format!("a definition has at most {} KiB", MOST_BYTES >> 10);
        return Err(vec![DefinitionFault::new(&[], message)]);
    }
    let json = json(text).map_err(|fault| vec![fault])?;
    // Before the whole, so that a fault inside is told with its place: serde forgets it under a tag.
    if let Some(auth) = json.get("auth") {
        self::auth(auth).map_err(|fault| vec![fault])?;
    }
    let definition: Definition = typed(json, &[]).map_err(|fault| vec![fault])?;
    let faults = faults(&definition);
    if faults.is_empty() {
        Ok(definition)
    } else {
        Err(faults)
    }
}

fn json(text: &[u8]) -> Result<Value, DefinitionFault> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let Distinct(json) = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let message = match error.inner().classify() {
            Category::Data => error.inner().to_string(),
            Category::Io | Category::Syntax | Category::Eof => {
                format!("is no JSON: {}", error.inner())
            }
        };
        fault(&[], error.path(), message)
    })?;
    let end = reader.end();
    end.map_err(|error| DefinitionFault::new(&[], format!("is no JSON: {error}")))?;
    Ok(json)
}

fn auth(value: &Value) -> Result<Auth, DefinitionFault> {
    let Some(fields) = value.as_object() else {
        return Err(DefinitionFault::new(
            &["auth"],
            "must be an object with `kind`",
        ));
    };
    let kind = fields
        .get("kind")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let mut rest = fields.clone();
    rest.shift_remove("kind");
    let rest = Value::Object(rest);
    let at = &["auth"];
    Ok(match kind {
        "oauth2" => Auth::Oauth2(typed(rest, at)?),
        "oauth1" => Auth::Oauth1(typed(rest, at)?),
        "jwt_bearer" => Auth::JwtBearer(typed(rest, at)?),
        "api_key" => Auth::ApiKey(typed(rest, at)?),
        "basic" => Auth::Basic(typed(rest, at)?),
        "aws_sigv4" => Auth::AwsSigv4(typed(rest, at)?),
        "mutual_tls" => Auth::MutualTls(typed(rest, at)?),
        "custom" => Auth::Custom(typed(rest, at)?),
        "fields" => Auth::Fields(typed(rest, at)?),
        _ => {
            let kinds = Auth::KINDS.join(", ");
            let message = format!("must be one of {kinds}");
            return Err(DefinitionFault::new(&["auth", "kind"], message));
        }
    })
}

fn typed<T: DeserializeOwned>(value: Value, at: &[&str]) -> Result<T, DefinitionFault> {
    serde_path_to_error::deserialize(Strict(value))
        .map_err(|error| fault(at, error.path(), error.inner().to_string()))
}

/// A fault at a path below a place.
fn fault(at: &[&str], path: &Path, message: String) -> DefinitionFault {
    let inner = path.iter().filter_map(|segment| match segment {
        Segment::Seq { index } => Some(index.to_string()),
        Segment::Map { key } => Some(key.clone()),
        Segment::Enum { .. } | Segment::Unknown => None,
    });
    let outer = at.iter().map(|&it| it.to_owned());
    DefinitionFault {
        place: outer.chain(inner).collect(),
        message,
    }
}

impl<'de> serde::Deserialize<'de> for Auth {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        auth(&value).map_err(|fault| serde::de::Error::custom(fault.message))
    }
}

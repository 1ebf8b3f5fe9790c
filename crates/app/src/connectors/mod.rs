//! Definitions of connectors: those that are shipped, those in the operator's files, and those that were given
//! over the API. The last count before the files, and these before the shipped ones.

pub mod provisions;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use marquetry_connector::{DefinitionFault, built_in, built_in_names, read};
use marquetry_model::{
    Direction, Error, FieldError, Loc, Page, PageRequest, Position, Result, Scope, SortKey,
};
use marquetry_store::{Tx, connectors};

use crate::ctx::Ctx;
use crate::errors::store_error;

/// The published schema of a definition.
pub use marquetry_connector::SCHEMA;
pub use marquetry_connector::{Definition, Field, FieldKind};

/// What errors call it.
pub const KIND: &str = "connector";

/// Where a definition comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// It is shipped.
    BuiltIn,
    /// The operator's files have it.
    File,
    /// It was given over the API.
    Custom,
}

/// A definition, and where it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// The definition.
    pub definition: Arc<Definition>,
    /// Where it comes from.
    pub origin: Origin,
    /// Whether another one of its name is hidden by it.
    pub overrides: bool,
}

/// The operator's own definitions, by name.
pub type Files = BTreeMap<String, Arc<Definition>>;

/// The definition that counts for a name, if there is any.
pub(crate) async fn find(ctx: &Ctx, tx: &mut Tx, name: &str) -> Result<Option<Known>> {
    // What is no name is looked for nowhere: PostgreSQL takes no NUL.
    if !name.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(None);
    }
    let custom = connectors::find(tx, name).await.map_err(store_error)?;
    Ok(match custom {
        Some(text) => Some(known_custom(ctx, name, &text)?),
        None => below(ctx, name),
    })
}

/// The same, where there must be one.
pub(crate) async fn get(ctx: &Ctx, tx: &mut Tx, name: &str) -> Result<Known> {
    let found = find(ctx, tx, name).await?;
    found.ok_or_else(|| Error::not_found(KIND, short(name)))
}

fn known_custom(ctx: &Ctx, name: &str, text: &str) -> Result<Known> {
    // It was judged when it came; a later version may judge harder.
    let definition = read(text.as_bytes()).map_err(|faults| {
        let why = faults.first().map(|it| it.message.clone());
        Error::internal(format!(
            "the stored definition of connector {name} is no longer valid: {}",
            why.unwrap_or_default()
        ))
    })?;
    Ok(Known {
        definition: Arc::new(definition),
        origin: Origin::Custom,
        overrides: below(ctx, name).is_some(),
    })
}

/// The definition without what came over the API.
fn below(ctx: &Ctx, name: &str) -> Option<Known> {
    let file = ctx.app.settings.connectors.get(name);
    let (definition, origin) = match (file, built_in(name)) {
        (Some(file), _) => (Arc::clone(file), Origin::File),
        (None, Some(shipped)) => (shipped, Origin::BuiltIn),
        (None, None) => return None,
    };
    Some(Known {
        definition,
        origin,
        overrides: file.is_some() && built_in(name).is_some(),
    })
}

/// The definition of a connector.
pub async fn connector_get(ctx: &Ctx, name: &str) -> Result<Known> {
    ctx.require(Scope::Read)?;
    let mut tx = ctx.read().await?;
    get(ctx, &mut tx, name).await
}

/// The definitions that count and `fit`, by name.
pub async fn connector_list(
    ctx: &Ctx,
    request: &PageRequest,
    fits: impl Fn(&Definition) -> bool,
) -> Result<Page<Known>> {
    ctx.require(Scope::Read)?;
    let mut tx = ctx.read().await?;
    let custom = connectors::list(&mut tx).await.map_err(store_error)?;
    drop(tx);
    let files = ctx.app.settings.connectors.keys().cloned();
    let names = built_in_names().map(str::to_owned).chain(files);
    let mut all: BTreeMap<String, Known> = names
        .filter_map(|name| below(ctx, &name).map(|known| (name, known)))
        .collect();
    for (name, text) in custom {
        match known_custom(ctx, &name, &text) {
            Ok(known) => drop(all.insert(name, known)),
            Err(error) => tracing::error!(
                connector = name,
                error = &error as &dyn std::error::Error,
                "a stored definition is left out of the list"
            ),
        }
    }
    let found = all.into_values().filter(|known| fits(&known.definition));
    Ok(paged(found.collect(), request))
}

/// A page of what is at hand whole.
fn paged(mut found: Vec<Known>, request: &PageRequest) -> Page<Known> {
    let key = |known: &Known| match request.sort.as_ref().map(|it| it.field.as_str()) {
        Some("title") => known.definition.title.to_lowercase(),
        Some("origin") => format!("{:?}", known.origin),
        _ => String::new(),
    };
    // By name within what is alike; the sort keeps that order.
    found.sort_by_cached_key(key);
    let down = request.sort.as_ref().map(|it| it.direction) == Some(Direction::Descending);
    if down {
        found.reverse();
    }
    let total = i64::try_from(found.len()).unwrap_or(i64::MAX);
    let after = request.after.as_ref().map_or(0, |it| it.id);
    let skip = after.max(0).saturating_add(request.skip.max(0));
    let limit = request.limit.max(0);
    let page = found
        .into_iter()
        .skip(usize::try_from(skip).unwrap_or(usize::MAX));
    let items: Vec<Known> = page.take(usize::try_from(limit).unwrap_or(0)).collect();
    let end = skip.saturating_add(i64::try_from(items.len()).unwrap_or(0));
    let has_more = end < total && !items.is_empty();
    Page {
        items,
        has_more,
        // How many were answered by then.
        next: has_more.then_some(Position {
            key: SortKey::Null,
            id: end,
        }),
        total: request.total.then_some(total),
    }
}

/// Adds a definition, or puts it in place of the one of its name; answers whether it is new.
///
/// # Errors
///
/// Each fault of it, with its place.
pub async fn connector_put(ctx: &Ctx, name: &str, text: &[u8]) -> Result<(Known, bool)> {
    ctx.require(Scope::Admin)?;
    let definition =
        read(text).map_err(|faults| Error::Invalid(faults.iter().map(field_error).collect()))?;
    if definition.name != name {
        let message = format!(
            "is {:?}, but the address names {name:?}; give both the same name",
            short(&definition.name)
        );
        return Err(Error::invalid("name", message));
    }
    let text = serde_json::to_string(&definition).map_err(Error::internal)?;
    let mut tx = ctx.write().await?;
    let was = connectors::find(&mut tx, name).await.map_err(store_error)?;
    let now = ctx.now();
    let done = connectors::update(&mut tx, name, &text, now).await;
    done.map_err(store_error)?;
    tx.commit().await.map_err(store_error)?;
    let known = Known {
        definition: Arc::new(definition),
        origin: Origin::Custom,
        overrides: below(ctx, name).is_some(),
    };
    Ok((known, was.is_none()))
}

/// Forgets a definition that was given over the API; one that it hid counts again.
///
/// # Errors
///
/// It is shipped or in a file, or integrations use it and nothing of its name would be left.
pub async fn connector_delete(ctx: &Ctx, name: &str) -> Result<Known> {
    ctx.require(Scope::Admin)?;
    let mut tx = ctx.write().await?;
    let gone = find(ctx, &mut tx, name).await?;
    let gone = gone.ok_or_else(|| Error::not_found(KIND, short(name)))?;
    if !connectors::delete(&mut tx, name)
        .await
        .map_err(store_error)?
    {
        return Err(match below(ctx, name).map(|it| it.origin) {
            Some(Origin::File) => Error::conflict(
                "file",
                format!("connector {name} is in the operator's files; remove it there"),
            ),
            Some(Origin::BuiltIn | Origin::Custom) => Error::conflict(
                "built_in",
                format!(
                    "connector {name} is shipped with Marquetry and cannot be removed; PUT a definition of its name to override it"
                ),
            ),
            None => Error::not_found(KIND, short(name)),
        });
    }
    if below(ctx, name).is_none() {
        let users = connectors::list_users(&mut tx, name, 5).await;
        let users = users.map_err(store_error)?;
        if !users.is_empty() {
            return Err(Error::conflict(
                "in_use",
                format!(
                    "connector {name} is used by {}; take it out of their connectors first",
                    users.join(", ")
                ),
            ));
        }
    }
    tx.commit().await.map_err(store_error)?;
    Ok(gone)
}

fn field_error(fault: &DefinitionFault) -> FieldError {
    let mut error = FieldError::body("", fault.message.clone());
    error.loc = std::iter::once(Loc::Name(Cow::Borrowed("body")))
        .chain(fault.place.iter().map(|part| match part.parse() {
            Ok(index) => Loc::Index(index),
            Err(_) => Loc::Name(Cow::Owned(part.clone())),
        }))
        .collect();
    error
}

/// A name as an error repeats it.
pub(crate) fn short(name: &str) -> String {
    name.chars().take(100).collect()
}

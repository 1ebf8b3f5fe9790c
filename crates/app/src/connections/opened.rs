//! A connection with everything that a call or a renewal needs.

use std::sync::Arc;

use marquetry_connector::{Definition, defaults};
use marquetry_model::{Connection, ConnectionId, ConnectionOf, Error, Result};
use marquetry_store::{Tx, connections};
use marquetry_vault::Place;

use super::secret_values::SecretValues;
use crate::connectors::{self, provisions};
use crate::ctx::Ctx;
use crate::errors::store_error;
use crate::vault::data_key;

/// The kind of its data key.
pub(super) const KEY: &str = "connections";

/// A connection, open.
pub(crate) struct Opened {
    pub(crate) connection: Connection,
    pub(crate) definition: Arc<Definition>,
    /// What the tenant entered and the provider gave.
    pub(crate) own: SecretValues,
    /// Those, over what is provisioned, over what fields are by themselves.
    pub(crate) values: SecretValues,
}

/// What is read of it in one transaction.
pub(crate) struct Sealed {
    pub(crate) connection: Connection,
    definition: Arc<Definition>,
    provision: Option<(i64, String)>,
}

/// Reads a connection.
pub(crate) async fn read(ctx: &Ctx, tx: &mut Tx, connection: Connection) -> Result<Sealed> {
    let of = &connection.of;
    let definition = connectors::get(ctx, tx, &of.connector).await?.definition;
    let provision = provisions::sealed(tx, of.integration_id, &of.connector).await?;
    Ok(Sealed {
        connection,
        definition,
        provision,
    })
}

impl Sealed {
    /// Opens it, when the transaction has ended.
    pub(crate) async fn open(self, ctx: &Ctx) -> Result<Opened> {
        let provisioned = provisions::open(ctx, self.provision).await?;
        let own = match &self.connection.sealed {
            Some(sealed) => {
                let key = data_key(ctx, KEY).await?;
                SecretValues::open(&key, place(self.connection.id), sealed)?
            }
            None => SecretValues::default(),
        };
        let values = all_values(&self.definition, &provisioned, &own);
        Ok(Opened {
            connection: self.connection,
            definition: self.definition,
            own,
            values,
        })
    }
}

/// What templates and code may use.
pub(crate) fn all_values(
    definition: &Definition,
    provisioned: &SecretValues,
    own: &SecretValues,
) -> SecretValues {
    let mut values = defaults(&definition.provisioning);
    values.extend(defaults(&definition.fields));
    SecretValues::new(values).with(provisioned).with(own)
}

/// The connection of somebody, open; an error where it has no credentials.
pub(crate) async fn open(ctx: &Ctx, of: &ConnectionOf) -> Result<Opened> {
    let mut tx = ctx.read().await?;
    let found = connections::find(&mut tx, of).await.map_err(store_error)?;
    let found = found.filter(|it| it.sealed.is_some());
    let found = found.ok_or_else(|| Error::not_found(ConnectionId::KIND, &of.connector))?;
    let sealed = read(ctx, &mut tx, found).await?;
    drop(tx);
    sealed.open(ctx).await
}

/// One of them, as it is now.
pub(crate) async fn open_by_id(ctx: &Ctx, id: ConnectionId) -> Result<Opened> {
    let mut tx = ctx.read().await?;
    let found = connections::get(&mut tx, id).await.map_err(store_error)?;
    let sealed = read(ctx, &mut tx, found).await?;
    drop(tx);
    sealed.open(ctx).await
}

pub(crate) fn place(id: ConnectionId) -> Place<'static> {
    Place {
        table: "connections",
        column: "sealed",
        row: id.get(),
    }
}

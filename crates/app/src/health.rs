//! Whether this node can serve.

use marquetry_model::Result;
use marquetry_store::settings;

use crate::App;
use crate::errors::store_error;

/// Answers when the database answers.
pub async fn ready(app: &App) -> Result<()> {
    let mut tx = app.store.read().await.map_err(store_error)?;
    settings::find(&mut tx, "log_link_secret")
        .await
        .map(|_| ())
        .map_err(store_error)
}

//! The files that a run is given: its triggers, and the raw bodies that came with them.

use std::path::Path;

use marquetry_app::Ctx;
use marquetry_app::environment::{Facts, payload_file, triggers_json};
use marquetry_app::triggers::payload_bytes;

/// Why a run could not be given its files.
#[derive(Debug, thiserror::Error)]
pub(super) enum FilesError {
    #[error("the run's files could not be written")]
    Write(#[from] std::io::Error),
    #[error("a payload could not be read")]
    Payload(#[from] marquetry_model::Error),
}

/// Writes them into a folder that only this run sees.
pub(super) async fn write(ctx: &Ctx, facts: &Facts<'_>, into: &Path) -> Result<(), FilesError> {
    tokio::fs::write(into.join("triggers.json"), triggers_json(facts)).await?;
    for trigger in facts.triggers {
        let Some(name) = payload_file(trigger) else {
            continue;
        };
        let bytes = payload_bytes(ctx, trigger).await?;
        tokio::fs::write(into.join(name), bytes).await?;
    }
    Ok(())
}

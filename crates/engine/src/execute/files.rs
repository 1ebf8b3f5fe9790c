//! The files that a run is given: its triggers, the raw bodies that came with them, and the
//! tenant's metadata.

use std::path::Path;

use marquetry_app::Ctx;
use marquetry_app::environment::{
    Facts, METADATA_FILE, metadata_json, payload_file, triggers_json,
};
use marquetry_app::triggers::payload_bytes;

/// Written at once; larger ones are left to a thread that may block.
const SMALL: usize = 64 * 1024;

/// Why a run could not be given its files.
#[derive(Debug, thiserror::Error)]
pub(super) enum FilesError {
    #[error("the run's files could not be written")]
    Write(#[from] std::io::Error),
    #[error("a payload could not be read")]
    Payload(#[from] marquetry_model::Error),
}

/// Writes them into a folder that only this run sees. It lies in memory as a rule, so writing
/// does not wait for a disk.
pub(super) async fn write(ctx: &Ctx, facts: &Facts<'_>, into: &Path) -> Result<(), FilesError> {
    std::fs::write(into.join("triggers.json"), triggers_json(facts))?;
    std::fs::write(into.join(METADATA_FILE), metadata_json(facts))?;
    for trigger in facts.triggers {
        let Some(name) = payload_file(trigger) else {
            continue;
        };
        let bytes = payload_bytes(ctx, trigger).await?;
        if bytes.len() <= SMALL {
            std::fs::write(into.join(name), bytes)?;
        } else {
            tokio::fs::write(into.join(name), bytes).await?;
        }
    }
    Ok(())
}

//! Containers that nobody looks after: their conductor was killed, or the machine stopped.

use std::path::Path;

use super::engine::{Engine, LABEL};
use super::folder;
use crate::config::Config;
use crate::error::Error;

/// Removes those of this instance but for this very server's, whose names begin so. One whose conductor lives is that
/// one's: it ends with its lease, or a server takes it back.
pub(super) async fn sweep(engine: &Engine, config: &Config, own: &str) -> Result<(), Error> {
    let filter = format!("label={LABEL}={}", config.instance);
    let words = ["ps", "--all", "--filter", &filter, "--format", "{{.Names}}"];
    let listed = engine.tell(&words).await?;
    let names = listed
        .lines()
        .map(str::trim)
        .filter(|name| !name.is_empty() && !name.starts_with(own));
    for name in names {
        remove_unless_held(engine, config, name).await;
    }
    // Folders whose container was never made.
    let folders = folder::below(&config.scratch_dir);
    for entry in std::fs::read_dir(&folders).into_iter().flatten().flatten() {
        let is_own = entry.file_name().to_string_lossy().starts_with(own);
        if !is_own && is_free(&entry.path()) {
            remove_folder(&entry.path());
        }
    }
    Ok(())
}

/// Removes one whose conductor is known to have vanished.
pub(super) async fn remove(engine: &Engine, config: &Config, name: &str) {
    remove_unless_held(engine, config, name).await;
}

async fn remove_unless_held(engine: &Engine, config: &Config, name: &str) {
    let folder = folder::below(&config.scratch_dir).join(name);
    if !is_free(&folder) {
        return;
    }
    // Podman forgets one whose end another one of it is waiting for, and lets it run: so it has ended before. One that
    // does not run cannot be killed, which is as good.
    let _ = engine.tell(&["kill", "--signal", "KILL", name]).await;
    match engine.tell(&["rm", "--force", "--volumes", name]).await {
        Ok(_) => remove_folder(&folder),
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(
                container = name,
                error,
                "a container that nobody looks after cannot be removed"
            );
        }
    }
}

/// Whether no conductor has it; what is not there is nobody's.
fn is_free(folder: &Path) -> bool {
    match folder::lock(folder) {
        Ok(held) => held.is_some(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}

fn remove_folder(folder: &Path) {
    if let Err(error) = std::fs::remove_dir_all(folder)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(folder = %folder.display(), %error, "a container's folder cannot be removed");
    }
}

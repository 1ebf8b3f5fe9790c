//! A source folder that was sent, in the place of a checkout.

use std::io;
use std::path::Path;

use marquetry_blobs::{BlobRef, ExtractLimits, PackLimits, SourceError};
use marquetry_manifest::manifest_candidates;

use super::checkout::Checkout;
use super::work::{BuildError, Site};

/// Unpacks the archive into the empty folder `tree`.
pub(super) async fn unpack(
    site: &mut Site<'_, '_>,
    source: &str,
    tree: &Path,
) -> Result<Checkout, BuildError> {
    let blob: BlobRef = source
        .parse()
        .map_err(|e| BuildError::platform("the archive's address is damaged", e))?;
    let limits = ExtractLimits {
        max_bytes: site.inner.config.build.artifact_bytes,
        max_entries: PackLimits::default().max_entries,
        ..ExtractLimits::default()
    };
    let blobs = &site.inner.ctx.app.blobs;
    let unpacked = match blobs.extract_source(&blob, tree, limits).await {
        Ok(unpacked) => unpacked,
        Err(SourceError::Unpack(cause)) => {
            let message = format!("the archive cannot be unpacked: {}", with_causes(&cause));
            return Err(BuildError::Source(message));
        }
        Err(SourceError::Fetch(cause)) => {
            return Err(BuildError::platform(
                "the archive could not be fetched",
                cause,
            ));
        }
    };
    let paths = &site.integration.repository_paths;
    let only = only_folder(tree, paths).await;
    let only = only.map_err(|e| BuildError::platform("the archive could not be looked at", e))?;
    site.log.say(&format!(
        "an archive of {} files, {} bytes{}",
        unpacked.files,
        unpacked.bytes,
        only.map_or(String::new(), |name| format!(", all below {name}"))
    ));
    Ok(Checkout {
        commit: None,
        short: None,
        branch: None,
        // Somebody asked for it.
        counts_as_latest: true,
    })
}

/// The archives that hosts of Git offer hold one folder with everything in it: it becomes the root,
/// unless a manifest is looked for beside or in it by its name. Answers the folder's name.
async fn only_folder(tree: &Path, manifests: &[String]) -> io::Result<Option<String>> {
    let mut entries = tokio::fs::read_dir(tree).await?;
    let (Some(first), None) = (entries.next_entry().await?, entries.next_entry().await?) else {
        return Ok(None);
    };
    if !first.file_type().await?.is_dir() {
        return Ok(None);
    }
    let candidates = manifests
        .iter()
        .filter_map(|path| manifest_candidates(path).ok());
    if candidates.flatten().any(|path| tree.join(path).is_file()) {
        return Ok(None);
    }
    let aside = tree.with_extension("root");
    tokio::fs::rename(first.path(), &aside).await?;
    tokio::fs::remove_dir(tree).await?;
    tokio::fs::rename(&aside, tree).await?;
    Ok(Some(first.file_name().to_string_lossy().into_owned()))
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    text
}

//! Finding and reading the manifests of a checkout.

use std::path::{Path, PathBuf};

use marquetry_manifest::{MANIFEST_LIMIT, Manifest, manifest_candidates, parse};

use super::work::{BuildError, Site};

/// A manifest and its place.
pub(super) struct Found {
    /// Below the root of the repository.
    pub(super) path: String,
    pub(super) manifest: Manifest,
}

impl Found {
    /// The folder in which `build` and `run` work.
    pub(super) fn folder(&self) -> PathBuf {
        Path::new(&self.path)
            .parent()
            .unwrap_or(Path::new(""))
            .to_owned()
    }
}

/// Reads every manifest that the integration names. The checkout is hostile: a manifest may be a
/// link to a file of the server. No process of the build is alive meanwhile, so what is checked
/// is what is read.
pub(super) async fn read_manifests(
    site: &mut Site<'_, '_>,
    tree: &Path,
) -> Result<Vec<Found>, BuildError> {
    let mut all: Vec<Found> = Vec::new();
    for wanted in &site.integration.repository_paths {
        let candidates = manifest_candidates(wanted)
            .map_err(|why| BuildError::Source(format!("{wanted}: {why}")))?;
        let mut found = None;
        for candidate in candidates.clone() {
            if let Some(text) = read(tree, &candidate).await? {
                found = Some((candidate, text));
                break;
            }
        }
        let Some((path, text)) = found else {
            let looked = candidates.join(", ");
            return Err(BuildError::Source(format!(
                "the repository has no manifest at {looked}"
            )));
        };
        if all.iter().any(|one| one.path == path) {
            return Err(BuildError::Source(format!(
                "repository_path names {path} twice; name each manifest once"
            )));
        }
        let parsed = parse(&path, &text).map_err(|problems| {
            let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
            BuildError::Source(lines.join("\n"))
        })?;
        for warning in &parsed.warnings {
            site.log.say(&format!("warning: {warning}"));
        }
        all.push(Found {
            path,
            manifest: parsed.manifest,
        });
    }
    Ok(all)
}

async fn read(tree: &Path, path: &str) -> Result<Option<Vec<u8>>, BuildError> {
    let (tree, path) = (tree.to_owned(), path.to_owned());
    let read = tokio::task::spawn_blocking(move || read_inside(&tree, &path)).await;
    read.map_err(|e| BuildError::platform("the manifest could not be read", e))?
}

fn read_inside(tree: &Path, path: &str) -> Result<Option<Vec<u8>>, BuildError> {
    let failed = |e: std::io::Error| BuildError::platform("the manifest could not be read", e);
    let root = tree.canonicalize().map_err(failed)?;
    let Ok(real) = root.join(path).canonicalize() else {
        return Ok(None);
    };
    if !real.starts_with(&root) {
        return Err(BuildError::Source(format!(
            "{path} is a link that leaves the repository"
        )));
    }
    let metadata = real.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Ok(None);
    }
    if metadata.len() > MANIFEST_LIMIT as u64 {
        let size = metadata.len();
        return Err(BuildError::Source(format!(
            "{path} has {size} bytes; a manifest may have {MANIFEST_LIMIT}"
        )));
    }
    std::fs::read(&real).map(Some).map_err(failed)
}

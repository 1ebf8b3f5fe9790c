//! Where the master key comes from.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use marquetry_app::MasterKey;

use super::folder::DataFolder;
use crate::config::ServerConfig;

/// Its name in the data folder.
const FILE: &str = "master.key";

/// The key, and the file that it still has to be written to: not before the database has agreed.
pub(super) struct Found {
    pub(super) key: Option<Arc<MasterKey>>,
    new: Option<(String, PathBuf)>,
}

/// Reads it from the file that is named, the environment or the data folder. With SQLite, which one
/// process has for itself, a key is made where there is none.
pub(super) fn find(config: &ServerConfig, folder: &DataFolder) -> anyhow::Result<Found> {
    let kept = |text: &str, of: String| {
        let key = MasterKey::read(text).with_context(|| format!("{of} is of no use"))?;
        Ok(Found {
            key: Some(Arc::new(key)),
            new: None,
        })
    };
    if let Some(file) = &config.master_key_file {
        return kept(
            &read(file)?,
            format!("the master key in {}", file.display()),
        );
    }
    if let Some(text) = &config.master_key {
        return kept(text.reveal(), "MARQUETRY_MASTER_KEY".to_owned());
    }
    let file = folder.path.join(FILE);
    if file.exists() {
        return kept(
            &read(&file)?,
            format!("the master key in {}", file.display()),
        );
    }
    if config.database_url.is_some() {
        return Ok(Found {
            key: None,
            new: None,
        });
    }
    let text = MasterKey::generate()
        .context("cannot make a master key")?
        .to_string();
    Ok(Found {
        key: Some(Arc::new(MasterKey::read(&text)?)),
        new: Some((text, file)),
    })
}

fn read(file: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(file);
    text.with_context(|| format!("cannot read the master key in {}", file.display()))
}

impl Found {
    /// Writes a new key where its owner alone reads it, so that it outlives a power cut. Nothing is
    /// sealed with it before.
    pub(super) fn keep(self) -> anyhow::Result<()> {
        let Some((text, path)) = self.new else {
            return Ok(());
        };
        let part = path.with_extension("part");
        let write = || {
            let mut options = File::options();
            options.write(true).create(true).truncate(true).mode(0o600);
            let mut file = options.open(&part)?;
            writeln!(file, "{text}")?;
            file.sync_all()?;
            std::fs::rename(&part, &path)?;
            path.parent()
                .map_or(Ok(()), |folder| File::open(folder)?.sync_all())
        };
        write().with_context(|| format!("cannot write {}", path.display()))
    }
}

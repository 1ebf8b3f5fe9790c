//! Where the master key comes from.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use anyhow::Context as _;
use marquetry_app::MasterKey;

use super::folder::DataFolder;
use crate::config::ServerConfig;

/// Its name in the data folder.
const FILE: &str = "master.key";

/// The key, and the file that it still has to be written to: not before the database has agreed.
pub(super) struct Found {
    pub(super) key: Arc<MasterKey>,
    new: Option<(String, PathBuf)>,
}

/// Reads it from the file that is named, the environment, a command or the data folder. With SQLite,
/// which one process has for itself, a key is made where there is none; with PostgreSQL the
/// configuration is refused before.
pub(super) fn find(config: &ServerConfig, folder: &DataFolder) -> anyhow::Result<Found> {
    let own = folder.path.join(FILE);
    let (text, of) = if let Some(file) = &config.master_key_file {
        (read(file)?, format!("the master key in {}", file.display()))
    } else if let Some(text) = &config.master_key {
        (text.reveal().to_owned(), "MARQUETRY_MASTER_KEY".to_owned())
    } else if let Some(command) = &config.master_key_command {
        (ask(command)?, "what master_key_command prints".to_owned())
    } else if own.exists() || config.database_url.is_some() {
        (read(&own)?, format!("the master key in {}", own.display()))
    } else {
        let text = MasterKey::generate().context("cannot make a master key")?;
        return Ok(Found {
            key: Arc::new(MasterKey::read(&text)?),
            new: Some((text.to_string(), own)),
        });
    };
    let key = MasterKey::read(&text).with_context(|| format!("{of} is of no use"))?;
    Ok(Found {
        key: Arc::new(key),
        new: None,
    })
}

/// Those that open what the first does not, while they are exchanged.
pub(super) fn others(config: &ServerConfig) -> anyhow::Result<Vec<Arc<MasterKey>>> {
    let files = config.other_master_key_files.iter();
    let read = files.map(|file| {
        let key = MasterKey::read(&read(file)?);
        let key = key.with_context(|| format!("the master key in {} is of no use", file.display()));
        Ok(Arc::new(key?))
    });
    read.collect()
}

/// The operator's own command, as the server's user: it asks a keeper of secrets elsewhere.
#[expect(
    clippy::disallowed_methods,
    reason = "it is the operator's, and no code of a repository runs yet"
)]
fn ask(command: &str) -> anyhow::Result<String> {
    let mut asked = Command::new("/bin/sh");
    asked.args(["-c", command]).stdin(Stdio::null());
    let answer = asked.stderr(Stdio::inherit()).output();
    let answer = answer.context("master_key_command could not be started")?;
    anyhow::ensure!(
        answer.status.success(),
        "master_key_command ended with {}",
        answer.status
    );
    String::from_utf8(answer.stdout).context("master_key_command prints no text")
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

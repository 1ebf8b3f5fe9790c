//! The data folder of a node: who it is, and that it is alone.

use std::fs::{File, TryLockError};
use std::io::Write as _;
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

/// A data folder that this process holds.
pub(super) struct DataFolder {
    pub(super) path: PathBuf,
    /// The node's name: the same after a restart.
    pub(super) node: String,
    /// What this machine knows it by: a copy of the folder has the same name, and is another one.
    pub(super) instance: String,
    /// Runs that live on may have files in memory, also those of a former process.
    keeps_memory: bool,
    /// The lock goes with it.
    _lock: File,
}

impl DataFolder {
    /// Makes it, readable for its owner alone, and takes it for this process.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let made = std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path);
        made.with_context(|| format!("cannot make the data folder {}", path.display()))?;
        let path = path.canonicalize().context("cannot open the data folder")?;
        close(&path)?;
        let lock = lock(&path)?;
        let node = node_name(&path).context("cannot keep the node's name in the data folder")?;
        let about = path.metadata().context("cannot look at the data folder")?;
        let instance = instance(&node, &about);
        Ok(Self {
            path,
            node,
            instance,
            keeps_memory: true,
            _lock: lock,
        })
    }

    /// A folder in it, made if it is missing.
    pub(super) fn below(&self, name: &str) -> anyhow::Result<PathBuf> {
        let path = self.path.join(name);
        let made = std::fs::create_dir_all(&path);
        made.with_context(|| format!("cannot make {}", path.display()))?;
        Ok(path)
    }

    /// The same, without what a former process left in it.
    pub(super) fn emptied(&self, name: &str) -> anyhow::Result<PathBuf> {
        let path = self.path.join(name);
        match std::fs::remove_dir_all(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot empty {}", path.display()))
            }
            _ => self.below(name),
        }
    }

    /// A folder of this node in memory, where the machine has one and nobody else has put
    /// something in its place.
    pub(super) fn in_memory(&self) -> Option<PathBuf> {
        let path = self.memory_path();
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true).mode(0o700).create(&path).ok()?;
        let owner = self.path.metadata().ok()?.uid();
        let found = path.symlink_metadata().ok()?;
        (found.is_dir() && found.uid() == owner && close(&path).is_ok()).then_some(path)
    }

    /// Nobody needs what is in memory any more.
    pub(super) fn free_memory(&mut self) {
        self.keeps_memory = false;
    }

    fn memory_path(&self) -> PathBuf {
        memory(&self.instance)
    }

    /// Writes the first owner key where only the owner reads it.
    pub(super) fn keep_key(&self, key: &str) -> anyhow::Result<PathBuf> {
        let path = self.path.join("api-key");
        let mut file = File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)
            .with_context(|| format!("cannot write {}", path.display()))?;
        writeln!(file, "{key}")?;
        file.sync_all()?;
        Ok(path)
    }
}

fn instance(node: &str, about: &std::fs::Metadata) -> String {
    format!("{node}-{:x}-{:x}", about.dev(), about.ino())
}

fn memory(instance: &str) -> PathBuf {
    Path::new("/dev/shm").join(format!("marquetry-{instance}"))
}

/// Where the server on this data folder has files in memory; none where there is no such folder.
pub(crate) fn memory_of(path: &Path) -> Option<PathBuf> {
    let path = path.canonicalize().ok()?;
    let node = node_name(&path).ok()?;
    Some(memory(&instance(&node, &path.metadata().ok()?)))
}

impl Drop for DataFolder {
    /// Memory is given back; after a kill, the next start empties the folder.
    fn drop(&mut self) {
        if !self.keeps_memory {
            // Not having one is no error.
            let _ = std::fs::remove_dir_all(self.memory_path());
        }
    }
}

/// A folder that was there before may be open to others; what lies in it is for nobody else.
fn close(path: &Path) -> anyhow::Result<()> {
    let mode = path.metadata()?.permissions().mode();
    if mode.trailing_zeros() >= 6 {
        return Ok(());
    }
    let closed = std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700));
    closed.with_context(|| format!("cannot close {} to other users", path.display()))
}

/// The node's leftovers are closed at its start, which is right only if it is alone.
fn lock(path: &Path) -> anyhow::Result<File> {
    let file = File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path.join("node.lock"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => bail!(
            "the data folder {} is in use by another process; stop it, or give this one another --data-dir",
            path.display()
        ),
        Err(TryLockError::Error(cause)) => Err(cause.into()),
    }
}

fn node_name(path: &Path) -> anyhow::Result<String> {
    let file = path.join("node");
    if let Ok(name) = std::fs::read_to_string(&file) {
        let name = name.trim();
        if !name.is_empty() {
            return Ok(name.to_owned());
        }
    }
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host: String = host
        .trim()
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '-')
        .take(40)
        .collect();
    let mut chance = [0; 4];
    std::io::Read::read_exact(&mut File::open("/dev/urandom")?, &mut chance)?;
    let name = format!("{host}-{:08x}", u32::from_be_bytes(chance));
    std::fs::write(&file, format!("{name}\n"))?;
    Ok(name)
}

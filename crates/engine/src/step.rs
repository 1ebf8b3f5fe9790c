//! Folders and paths that runs and builds have in common.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use marquetry_sandbox::{Access, HOME, Mount, TMP};

use crate::inner::Inner;

/// Where code sees its release or checkout.
const SOURCE: &str = "/integration";
/// Where code sees the files that the platform gives it.
const FILES: &str = "/run/marquetry";
/// `PATH` inside a root of its own.
const INSIDE_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The folders of one run or build: what the child sees where.
pub(crate) struct Layout {
    /// Scratch on the host, removed at the end.
    pub(crate) scratch: PathBuf,
    pub(crate) mounts: Vec<Mount>,
    own_root: bool,
    host_path: OsString,
    source: PathBuf,
}

impl Layout {
    /// Makes the scratch folder. `source` is the release or checkout on the host.
    pub(crate) async fn new(
        inner: &Inner,
        name: &str,
        source: PathBuf,
        access: Access,
    ) -> std::io::Result<Self> {
        let scratch = inner.config.work_dir.join(name);
        let own_root = inner.sandbox.has_own_root();
        make_folder(&scratch.join("files")).await?;
        let mut mounts = vec![
            Mount {
                source: source.clone(),
                target: SOURCE.into(),
                access,
            },
            Mount {
                source: scratch.join("files"),
                target: FILES.into(),
                access: Access::ReadOnly,
            },
        ];
        if !own_root {
            for folder in ["home", "tmp"] {
                let source = scratch.join(folder);
                make_folder(&source).await?;
                let target = PathBuf::from(if folder == "home" { HOME } else { TMP });
                mounts.push(Mount {
                    source,
                    target,
                    access: Access::ReadWrite { max_bytes: None },
                });
            }
        }
        Ok(Self {
            scratch,
            mounts,
            own_root,
            host_path: inner.config.host_path.clone(),
            source,
        })
    }

    /// The folder of the platform's files on the host.
    pub(crate) fn host_files(&self) -> PathBuf {
        self.scratch.join("files")
    }

    /// The same folder as the child sees it.
    pub(crate) fn files(&self) -> PathBuf {
        self.seen(FILES, || self.host_files())
    }

    /// The release or checkout as the child sees it.
    pub(crate) fn source(&self) -> PathBuf {
        self.seen(SOURCE, || self.source.clone())
    }

    /// What every process needs.
    pub(crate) fn basic_environment(&self) -> Vec<(OsString, OsString)> {
        let home = self.seen(HOME, || self.scratch.join("home"));
        let tmp = self.seen(TMP, || self.scratch.join("tmp"));
        let path = if self.own_root {
            INSIDE_PATH.into()
        } else {
            self.host_path.clone()
        };
        [
            ("PATH", path),
            ("HOME", home.into()),
            ("TMPDIR", tmp.into()),
            ("LANG", "C.UTF-8".into()),
        ]
        .map(|(name, value)| (name.into(), value))
        .to_vec()
    }

    /// A further folder; answers the path under which the child sees it.
    pub(crate) fn mount(&mut self, source: PathBuf, target: &str, access: Access) -> PathBuf {
        let path = self.seen(target, || source.clone());
        self.mounts.push(Mount {
            source,
            target: target.into(),
            access,
        });
        path
    }

    fn seen(&self, inside: &str, host: impl FnOnce() -> PathBuf) -> PathBuf {
        if self.own_root { inside.into() } else { host() }
    }

    /// Removes the scratch.
    pub(crate) async fn remove(self) {
        remove_tree(&self.scratch).await;
    }
}

async fn make_folder(path: &Path) -> std::io::Result<()> {
    tokio::fs::create_dir_all(path).await
}

/// Removes a folder that code may have made hard to remove. What stays is removed at the next
/// start.
pub(crate) async fn remove_tree(path: &Path) {
    if tokio::fs::remove_dir_all(path).await.is_ok() {
        return;
    }
    let owned = path.to_owned();
    let removed = tokio::task::spawn_blocking(move || {
        open_up(&owned);
        std::fs::remove_dir_all(&owned)
    });
    if let Ok(Err(error)) = removed.await
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(path = %path.display(), %error, "a scratch folder could not be removed");
    }
}

/// Folders without the write bit cannot be emptied by an unprivileged server.
fn open_up(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let Ok(metadata) = path.symlink_metadata() else {
        return;
    };
    if !metadata.is_dir() {
        return;
    }
    // If it fails, removing fails too and is reported.
    let _ = std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700));
    for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
        open_up(&entry.path());
    }
}

//! Folders and paths that runs and builds have in common.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use marquetry_sandbox::{Access, HOME, Mount, TMP};

use marquetry_app::environment::FILES;
use marquetry_manifest::Base;

use crate::inner::Inner;
use crate::scratch::Place;
use crate::toolchain::{Places, SYSTEM_PATH, merge, run_variables, tools};

/// Where code sees its release or checkout.
const SOURCE: &str = "/integration";
/// Where packages of a language's own managers land, in the manifest's folder.
pub(crate) const RESULTS: &str = ".marquetry";

/// The folders of one run or build: what the child sees where.
pub(crate) struct Layout {
    pub(crate) mounts: Vec<Mount>,
    own_root: bool,
    /// `PATH` of the system.
    system: OsString,
    toolchain_paths: Vec<PathBuf>,
    source: PathBuf,
    files: PathBuf,
    home: PathBuf,
    tmp: PathBuf,
}

impl Layout {
    /// The layout of a run in a place of the scratch; nothing is made.
    pub(crate) fn of_run(inner: &Inner, place: &Place, source: PathBuf) -> Self {
        let home = place.home();
        let tmp = place.tmp();
        Self::put(inner, place.files(), source, Access::ReadOnly, [home, tmp])
    }

    /// The layout of a build in a scratch folder of its own, which is made. `source` is the
    /// checkout on the host.
    pub(crate) async fn of_build(
        inner: &Inner,
        scratch: &Path,
        source: PathBuf,
        access: Access,
    ) -> std::io::Result<Self> {
        let [files, home, tmp] = ["files", "home", "tmp"].map(|name| scratch.join(name));
        for folder in [&files, &home, &tmp] {
            tokio::fs::create_dir_all(folder).await?;
        }
        Ok(Self::put(inner, files, source, access, [home, tmp]))
    }

    fn put(
        inner: &Inner,
        files: PathBuf,
        source: PathBuf,
        access: Access,
        [home, tmp]: [PathBuf; 2],
    ) -> Self {
        let own_root = inner.sandbox.has_own_root();
        let mut mounts = vec![
            Mount {
                source: source.clone(),
                target: SOURCE.into(),
                access,
            },
            Mount {
                source: files.clone(),
                target: FILES.into(),
                access: Access::ReadOnly,
            },
        ];
        if !own_root {
            mounts.extend([(&home, HOME), (&tmp, TMP)].map(|(source, target)| Mount {
                source: source.clone(),
                target: target.into(),
                access: Access::ReadWrite { max_bytes: None },
            }));
        }
        Self {
            mounts,
            own_root,
            system: system_path(inner, own_root),
            toolchain_paths: inner.config.toolchain_paths.clone(),
            source,
            files,
            home,
            tmp,
        }
    }

    /// The folder of the platform's files on the host.
    pub(crate) fn host_files(&self) -> &Path {
        &self.files
    }

    /// The same folder as the child sees it.
    pub(crate) fn files(&self) -> PathBuf {
        self.seen(FILES, || self.files.clone())
    }

    /// The release or checkout as the child sees it.
    pub(crate) fn source(&self) -> PathBuf {
        self.seen(SOURCE, || self.source.clone())
    }

    /// What every process needs; `PATH` is that of no language.
    pub(crate) fn basic_environment(&self) -> Vec<(OsString, OsString)> {
        let mut path = OsString::new();
        for folder in tools(&self.toolchain_paths, None, &self.system) {
            path.push(folder);
            path.push(":");
        }
        path.push(&self.system);
        let home = self.seen(HOME, || self.home.clone());
        let tmp = self.seen(TMP, || self.tmp.clone());
        [
            ("PATH", path),
            ("HOME", home.into()),
            ("TMPDIR", tmp.into()),
            ("LANG", "C.UTF-8".into()),
        ]
        .map(|(name, value)| (name.into(), value))
        .to_vec()
    }

    /// What a language's tools must know, for a manifest in `folder` below the source.
    pub(crate) fn with_toolchain<T>(
        &self,
        base: &Base,
        folder: &Path,
        variables: impl FnOnce(&Places<'_>, &[PathBuf]) -> T,
    ) -> T {
        let results = self.source().join(folder).join(RESULTS);
        let places = Places {
            results: &results,
            system: &self.system,
            own_root: self.own_root,
        };
        let tools = tools(&self.toolchain_paths, Some(base), &self.system);
        variables(&places, &tools)
    }

    /// The variables of a run of a release, whose manifest lies in `folder`.
    pub(crate) fn run_environment(&self, base: &str, folder: &Path) -> Vec<(OsString, OsString)> {
        let basic = self.basic_environment();
        // A release keeps what a manifest said, which was checked when it was built.
        let Ok(base) = Base::read(base) else {
            return basic;
        };
        let own = self.with_toolchain(&base, folder, |places, tools| {
            run_variables(&base, places, tools)
        });
        merge(basic.into_iter().chain(own).collect())
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
}

fn system_path(inner: &Inner, own_root: bool) -> OsString {
    if own_root {
        SYSTEM_PATH.join(":").into()
    } else {
        inner.config.host_path.clone()
    }
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
pub(crate) fn open_up(path: &Path) {
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

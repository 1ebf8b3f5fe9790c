//! Folders and paths that runs and builds have in common.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use marquetry_sandbox::{Access, HOME, IMAGE_PATH, Mount, TMP};

use marquetry_app::environment::FILES;
use marquetry_manifest::Base;

use crate::inner::Inner;
use crate::scratch::Place;
use crate::toolchain::{
    Places, SYSTEM_PATH, certificate_variables, certificates, merge, run_variables, tools,
};

/// Where code sees its release or checkout.
const SOURCE: &str = "/integration";
/// Where code in a container sees the machine's certificates.
const CERTIFICATES: &str = "/etc/marquetry/certificates.pem";
/// Where packages of a language's own managers land, in the manifest's folder.
pub(crate) const RESULTS: &str = ".marquetry";

/// The folders of one run or build: what the child sees where.
pub(crate) struct Layout {
    pub(crate) mounts: Vec<Mount>,
    /// The container's, where the code runs in one.
    pub(crate) image: Option<String>,
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
    pub(crate) fn of_run(
        inner: &Inner,
        place: &Place,
        source: PathBuf,
        image: Option<String>,
    ) -> Self {
        let home = place.home();
        let tmp = place.tmp();
        let layout = Self::put(inner, place.files(), source, Access::ReadOnly, [home, tmp]);
        match image {
            Some(image) => layout.in_image(image),
            None => layout,
        }
    }

    /// The same in a container of an image: nothing of the machine's own programs is there.
    pub(crate) fn in_image(&self, image: String) -> Self {
        let folders = [HOME, TMP, CERTIFICATES];
        let is_kept = |mount: &&Mount| {
            folders
                .iter()
                .all(|folder| mount.target.as_os_str() != *folder)
        };
        let mut mounts: Vec<Mount> = self.mounts.iter().filter(is_kept).cloned().collect();
        let certificates = certificates().and_then(|path| path.canonicalize().ok());
        mounts.extend(certificates.map(|source| Mount {
            source,
            target: CERTIFICATES.into(),
            access: Access::ReadOnly,
        }));
        Self {
            mounts,
            image: Some(image),
            own_root: true,
            system: IMAGE_PATH.into(),
            toolchain_paths: Vec::new(),
            source: self.source.clone(),
            files: self.files.clone(),
            home: self.home.clone(),
            tmp: self.tmp.clone(),
        }
    }

    /// Lets the user of a container read the platform's files, which lie in a folder that nobody else gets to.
    pub(crate) fn open_files(&self) -> std::io::Result<()> {
        if self.image.is_none() {
            return Ok(());
        }
        set_mode(&self.files, 0o755)?;
        for entry in std::fs::read_dir(&self.files)? {
            set_mode(&entry?.path(), 0o644)?;
        }
        Ok(())
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
            image: None,
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
            certificates: self.certificates(),
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
            let mut own = run_variables(&base, places, tools);
            if self.image.is_some() {
                own.extend(certificate_variables(places));
            }
            own
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

    /// Where the machine's certificates are seen, if it has them: in an image they are mounted, because companies have
    /// authorities of their own.
    fn certificates(&self) -> Option<&Path> {
        let mounted = |mount: &Mount| mount.target.as_os_str() == CERTIFICATES;
        match &self.image {
            Some(_) => self
                .mounts
                .iter()
                .any(mounted)
                .then(|| Path::new(CERTIFICATES)),
            None => certificates(),
        }
    }

    /// The path under which the child sees a mount.
    pub(crate) fn path_of<'a>(&self, mount: &'a Mount) -> &'a Path {
        if self.own_root {
            &mount.target
        } else {
            &mount.source
        }
    }

    /// Where the child's programs are, for a sentence.
    pub(crate) fn host_name(&self) -> String {
        match &self.image {
            Some(image) => format!("the image {image}"),
            None => "this machine".to_owned(),
        }
    }

    fn seen(&self, inside: &str, host: impl FnOnce() -> PathBuf) -> PathBuf {
        if self.own_root { inside.into() } else { host() }
    }
}

fn set_mode(path: &Path, mode: u32) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
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

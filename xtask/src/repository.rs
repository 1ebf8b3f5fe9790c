//! The files of the project as Git sees them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

/// The tracked files, and new ones that no ignore rule covers: what the next commit could hold.
/// Paths are relative to the root, with `/`.
#[derive(Debug)]
pub(crate) struct Repository {
    root: PathBuf,
    files: Vec<String>,
}

impl Repository {
    /// Asks Git for the files below `root`.
    #[expect(
        clippy::disallowed_methods,
        reason = "a developer's tool may ask git for its files"
    )]
    pub(crate) fn open(root: &Path) -> anyhow::Result<Self> {
        let output = Command::new("git")
            .args([
                "ls-files",
                "-z",
                "--cached",
                "--others",
                "--exclude-standard",
            ])
            .current_dir(root)
            .output()
            .context("git could not be started: install it")?;
        ensure!(
            output.status.success(),
            "git ls-files failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
        let listing = String::from_utf8(output.stdout).context("a file name is not utf-8")?;
        let names = listing.split('\0').filter(|name| !name.is_empty());
        Ok(Self::with_files(root, names.map(str::to_owned).collect()))
    }

    /// Keeps the files that exist: Git goes on listing one that was deleted but not yet committed.
    fn with_files(root: &Path, mut files: Vec<String>) -> Self {
        files.retain(|file| root.join(file).is_file());
        files.sort();
        files.dedup();
        Self {
            root: root.to_owned(),
            files,
        }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn files(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(String::as_str)
    }

    /// The files below `folder` (which ends in `/`) whose names end in `suffix`.
    pub(crate) fn files_under(&self, folder: &str, suffix: &str) -> impl Iterator<Item = &str> {
        self.files()
            .filter(move |file| file.starts_with(folder) && file.ends_with(suffix))
    }

    /// Whether `path` is a file of the project, or a folder that holds one.
    pub(crate) fn has(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        let in_folder = |file: &str| {
            file.strip_prefix(path)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        path.is_empty() || self.files().any(in_folder)
    }

    /// The text of a file; `None` if it is not UTF-8, as an image is not.
    pub(crate) fn text(&self, file: &str) -> anyhow::Result<Option<String>> {
        let bytes =
            fs::read(self.root.join(file)).with_context(|| format!("{file} cannot be read"))?;
        Ok(String::from_utf8(bytes).ok())
    }
}

/// What follows the last dot of the file's name, else nothing.
pub(crate) fn extension(file: &str) -> &str {
    let name = file.rsplit('/').next().unwrap_or(file);
    name.rsplit_once('.').map_or("", |(_, extension)| extension)
}

#[cfg(test)]
pub(crate) mod fixture {
    use std::fs;

    use tempfile::TempDir;

    use super::Repository;

    /// A repository of the given files; it lives as long as the folder.
    pub(crate) fn repository(files: &[(&str, &str)]) -> (TempDir, Repository) {
        let folder = TempDir::new().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let names = files.iter().map(|(name, _)| (*name).to_owned()).collect();
        let repository = Repository::with_files(folder.path(), names);
        (folder, repository)
    }
}

#[cfg(test)]
mod tests {
    use super::Repository;
    use super::fixture::repository;

    #[test]
    fn opens_this_project() {
        let project = Repository::open(&crate::workspace().unwrap()).unwrap();
        assert!(project.has("xtask/src/repository.rs"));
        assert!(!project.has("target"));
    }

    #[test]
    fn a_folder_is_there_when_it_holds_a_file() {
        let (_folder, project) = repository(&[("docs/a.md", "")]);
        assert!(project.has("docs"));
        assert!(project.has("docs/"));
        assert!(project.has("docs/a.md"));
        assert!(!project.has("doc"));
    }

    #[test]
    fn a_deleted_file_is_not_listed() {
        let (folder, _) = repository(&[("kept.rs", "")]);
        let listed = vec!["gone.rs".to_owned(), "kept.rs".to_owned()];
        let project = Repository::with_files(folder.path(), listed);
        assert_eq!(project.files().collect::<Vec<_>>(), ["kept.rs"]);
    }

    #[test]
    fn bytes_are_not_text() {
        let (folder, project) = repository(&[("logo.png", "")]);
        std::fs::write(folder.path().join("logo.png"), [0xff, 0xfe]).unwrap();
        assert_eq!(project.text("logo.png").unwrap(), None);
    }
}

//! Puts an example into a Git repository of its own, as its author would.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use super::Language;
use crate::programs::{self, Said};

const LIMIT: Duration = Duration::from_secs(30);
const AUTHOR: &str = "demo@marquetry.invalid";

/// Git without the user's own settings, and with an identity and a date that make the same commit
/// everywhere.
const VARIABLES: &[(&str, &str)] = &[
    ("GIT_CONFIG_GLOBAL", "/dev/null"),
    ("GIT_CONFIG_SYSTEM", "/dev/null"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_AUTHOR_NAME", "Marquetry demo"),
    ("GIT_AUTHOR_EMAIL", AUTHOR),
    ("GIT_AUTHOR_DATE", "2026-01-01T00:00:00Z"),
    ("GIT_COMMITTER_NAME", "Marquetry demo"),
    ("GIT_COMMITTER_EMAIL", AUTHOR),
    ("GIT_COMMITTER_DATE", "2026-01-01T00:00:00Z"),
];

/// Why there is no repository.
#[derive(Debug, thiserror::Error)]
pub(super) enum RepositoryError {
    /// A file could not be written.
    #[error("{} cannot be written: {source}", .path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Git could not be started.
    #[error("git cannot be started: {0}; install Git 2.30 or newer")]
    NoGit(#[source] io::Error),
    /// Git refused.
    #[error("`git {step}` failed in {}: {said}", .path.display())]
    Git {
        /// What was asked for.
        step: &'static str,
        /// Where.
        path: PathBuf,
        /// Git's own words.
        said: String,
    },
}

/// What became of the repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// It was made, or has a new commit.
    Committed,
    /// It had all of it already.
    Same,
    /// Somebody has worked in it since; that is left alone.
    Theirs,
}

/// The repository of an example.
#[derive(Debug)]
pub(super) struct Repository {
    /// Its folder, absolute.
    pub(super) path: PathBuf,
    /// Its newest commit.
    pub(super) commit: String,
    /// What became of it.
    pub(super) change: Change,
}

/// Makes the repository, or brings it up to date.
pub(super) async fn put(folder: &Path, language: Language) -> Result<Repository, RepositoryError> {
    let path = folder.join(language.example());
    write(&path, || fs::create_dir_all(&path))?;
    let path = write(&path, || fs::canonicalize(&path))?;
    let git = Git { path: &path };
    let fresh = !path.join(".git").exists();
    if fresh {
        git.must("init", &["init", "--quiet", "--initial-branch=main"])
            .await?;
    }
    let change = if !fresh && git.is_theirs().await? {
        Change::Theirs
    } else {
        for (name, text) in language.files() {
            put_file(&path.join(name), text)?;
        }
        git.commit_changes().await?
    };
    let commit = git.must("rev-parse", &["rev-parse", "HEAD"]).await?.text;
    Ok(Repository {
        path,
        commit,
        change,
    })
}

fn put_file(file: &Path, text: &str) -> Result<(), RepositoryError> {
    if let Some(folder) = file.parent() {
        write(folder, || fs::create_dir_all(folder))?;
    }
    write(file, || fs::write(file, text))
}

fn write<T>(path: &Path, work: impl FnOnce() -> io::Result<T>) -> Result<T, RepositoryError> {
    work().map_err(|source| RepositoryError::Write {
        path: path.to_owned(),
        source,
    })
}

struct Git<'a> {
    path: &'a Path,
}

impl Git<'_> {
    /// Whether there are commits or changes that are not the demo's.
    async fn is_theirs(&self) -> Result<bool, RepositoryError> {
        let last = self.ask("log", &["log", "-1", "--format=%ae"]).await?;
        if !last.ok {
            // A repository without a commit: a demo that was cut short.
            return Ok(false);
        }
        let changes = self.must("status", &["status", "--porcelain"]).await?;
        Ok(last.text != AUTHOR || !changes.text.is_empty())
    }

    async fn commit_changes(&self) -> Result<Change, RepositoryError> {
        self.must("add", &["add", "--all"]).await?;
        let changes = self.must("status", &["status", "--porcelain"]).await?;
        if changes.text.is_empty() {
            return Ok(Change::Same);
        }
        let commit = [
            "commit",
            "--quiet",
            "--message",
            "Count, and remember how far it came",
        ];
        self.must("commit", &commit).await?;
        Ok(Change::Committed)
    }

    async fn must(&self, step: &'static str, words: &[&str]) -> Result<Said, RepositoryError> {
        let said = self.ask(step, words).await?;
        if said.ok {
            return Ok(said);
        }
        Err(RepositoryError::Git {
            step,
            path: self.path.to_owned(),
            said: said.text,
        })
    }

    async fn ask(&self, _step: &'static str, words: &[&str]) -> Result<Said, RepositoryError> {
        let words: Vec<&OsStr> = words.iter().map(OsStr::new).collect();
        let said = programs::ask("git", &words, Some(self.path), VARIABLES, LIMIT).await;
        said.map_err(RepositoryError::NoGit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_second_time_changes_nothing_and_other_peoples_work_stays() {
        let folder = tempfile::tempdir().unwrap();
        let first = put(folder.path(), Language::Node).await.unwrap();
        assert_eq!(first.change, Change::Committed);
        assert_eq!(first.commit.len(), 40);

        let second = put(folder.path(), Language::Node).await.unwrap();
        assert_eq!(
            (second.change, &second.commit),
            (Change::Same, &first.commit)
        );

        let file = first.path.join("src/main.mjs");
        fs::write(&file, "console.log(1)\n").unwrap();
        let third = put(folder.path(), Language::Node).await.unwrap();
        assert_eq!(third.change, Change::Theirs);
        assert_eq!(fs::read_to_string(&file).unwrap(), "console.log(1)\n");
    }

    #[tokio::test]
    async fn an_older_example_gets_a_new_commit() {
        let folder = tempfile::tempdir().unwrap();
        let first = put(folder.path(), Language::Python).await.unwrap();
        let git = Git { path: &first.path };
        fs::write(first.path.join("build.py"), "older\n").unwrap();
        assert_eq!(git.commit_changes().await.unwrap(), Change::Committed);
        let second = put(folder.path(), Language::Python).await.unwrap();
        assert_eq!(second.change, Change::Committed);
        assert_ne!(second.commit, first.commit);
    }

    #[tokio::test]
    async fn a_folder_that_cannot_be_made_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let error = put(&file, Language::Node).await.unwrap_err();
        assert!(error.to_string().contains("cannot be written"), "{error}");
    }
}

//! A Git repository on this machine.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A repository with a working tree.
pub struct Repository {
    /// Its folder, which is also its address.
    pub path: PathBuf,
}

impl Repository {
    /// An empty one with the branch `main`.
    pub fn create(path: &Path) -> Self {
        std::fs::create_dir_all(path).unwrap();
        let repository = Self {
            path: path.to_owned(),
        };
        repository.git(&["init", "-q", "-b", "main"]);
        repository
    }

    /// Writes files (folders are made) and commits everything; answers the commit.
    pub fn commit(&self, files: &[(&str, &str)]) -> String {
        for (name, content) in files {
            let path = self.path.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", "change"]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Runs git in it; answers its output.
    pub fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .arg("-C")
            .arg(&self.path)
            .args(["-c", "user.name=Test", "-c", "user.email=test@example.com"])
            .args(arguments)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .output()
            .unwrap();
        assert!(output.status.success(), "git {arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

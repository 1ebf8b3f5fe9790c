//! Which of the machine's installations serves a manifest.
//!
//! An operator names folders with `--toolchain-path`. One that has a `bin` is an installation; one
//! whose children have it is a collection of versions (of nvm, pyenv, rbenv, asdf, SDKMAN or
//! rustup), of which each manifest gets the version it asks for.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use marquetry_manifest::Base;

use super::table::{Toolchain, toolchain};
use super::version::{numbers, serves, version_in};

/// Folders of programs that every sandbox with a root of its own searches.
pub const SYSTEM_PATH: [&str; 6] = [
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/bin",
];

/// The folders that the operator's toolchains are for a manifest, to be searched before `system`
/// (a `PATH`); without a manifest, those of plain installations.
pub(crate) fn tools(paths: &[PathBuf], base: Option<&Base>, system: &OsStr) -> Vec<PathBuf> {
    let mut tools = Vec::new();
    for path in paths {
        match installations(path, base.map(|base| toolchain(base.language))) {
            Found::One(folder) => tools.push(folder),
            Found::Several(several) => match choose(several, base.and_then(asked)) {
                Choice::Serves(folder) => tools.push(folder),
                // Better than none, and worse than the system's, which would be mixed with it.
                Choice::Stopgap(folder) if !is_in(system, base) => tools.push(folder),
                Choice::Stopgap(_) | Choice::None => {}
            },
        }
    }
    tools
}

fn is_in(system: &OsStr, base: Option<&Base>) -> bool {
    let name = base.map(|base| toolchain(base.language).needs.name);
    let mut folders = std::env::split_paths(system);
    folders.any(|folder| name.is_some_and(|name| folder.join(name).is_file()))
}

/// The version that decides between installations. Kotlin's and Clojure's is not Java's.
fn asked(base: &Base) -> Option<&str> {
    let row = toolchain(base.language);
    let own = row.versioned == Some(row.needs.name);
    base.version.as_deref().filter(|_| own)
}

enum Found {
    One(PathBuf),
    Several(Vec<PathBuf>),
}

/// What a folder that an operator named is.
fn installations(path: &Path, row: Option<&Toolchain>) -> Found {
    if path.join("bin").is_dir() {
        return Found::One(path.join("bin"));
    }
    let Some(row) = row else {
        return Found::One(path.to_owned());
    };
    let children = std::fs::read_dir(path).into_iter().flatten().flatten();
    let several: Vec<PathBuf> = children
        .flat_map(|child| [child.path().join("bin"), child.path()])
        .filter(|folder| folder.join(row.needs.name).is_file())
        .collect();
    if several.is_empty() {
        Found::One(path.to_owned())
    } else {
        Found::Several(several)
    }
}

enum Choice {
    /// What is asked for.
    Serves(PathBuf),
    /// The newest of those that nobody asked for.
    Stopgap(PathBuf),
    None,
}

fn choose(mut several: Vec<PathBuf>, asked: Option<&str>) -> Choice {
    several.sort_by_cached_key(|folder| (numbers(&version_of(folder)), folder.clone()));
    let wanted = asked.map(numbers).unwrap_or_default();
    let alike = |folder: &&PathBuf| {
        let have = numbers(&version_of(folder));
        let alike = wanted.iter().zip(&have).take_while(|(a, b)| a == b);
        alike.count()
    };
    let serving = |folder: &&PathBuf| {
        let have = version_of(folder);
        // A folder that does not say its version is good for those who ask for none.
        wanted.is_empty() || (!have.is_empty() && asked.is_some_and(|one| serves(one, &have)))
    };
    // Of several alike, the last is taken, which is the newest.
    let best = several.iter().filter(serving).max_by_key(alike).cloned();
    match best.map(Choice::Serves) {
        Some(choice) => choice,
        None => several.pop().map_or(Choice::None, Choice::Stopgap),
    }
}

/// The version in the name of an installation whose programs lie in `folder`.
fn version_of(folder: &Path) -> String {
    let named = if folder.ends_with("bin") {
        folder.parent().unwrap_or(folder)
    } else {
        folder
    };
    let name = named.file_name().unwrap_or_default().to_string_lossy();
    version_in(&name).unwrap_or_default()
}

/// Where a node finds programs outside of the system's folders, for people who ask: of a
/// collection, every version.
pub fn program_folders(paths: &[PathBuf], row: &Toolchain) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for path in paths {
        match installations(path, Some(row)) {
            Found::One(folder) => all.push(folder),
            Found::Several(mut several) => {
                several.sort_by_cached_key(|folder| numbers(&version_of(folder)));
                several.reverse();
                all.extend(several);
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(written: &str) -> Base {
        Base::read(written).unwrap()
    }

    /// A collection with these versions of Node.
    fn versions(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            let bin = folder.path().join(name).join("bin");
            std::fs::create_dir_all(&bin).unwrap();
            std::fs::write(bin.join("node"), "").unwrap();
        }
        folder
    }

    fn chosen(folder: &Path, written: &str, system: &str) -> Vec<String> {
        let tools = tools(
            &[folder.to_owned()],
            Some(&base(written)),
            OsStr::new(system),
        );
        let below = tools.iter().map(|one| one.strip_prefix(folder).unwrap());
        below.map(|one| one.display().to_string()).collect()
    }

    #[test]
    fn of_a_collection_the_version_asked_for() {
        let folder = versions(&["v18.2.0", "v20.1.0", "v20.11.1", "v9.9.9", "alias"]);
        let chosen = |written: &str| chosen(folder.path(), written, "");
        assert_eq!(chosen("node:20"), ["v20.11.1/bin"]);
        assert_eq!(chosen("node:20.1.0"), ["v20.1.0/bin"]);
        assert_eq!(chosen("node:20.9"), ["v20.11.1/bin"]);
        assert_eq!(chosen("node"), ["v20.11.1/bin"], "the newest");
        assert_eq!(chosen("node:22"), ["v20.11.1/bin"], "better than none");
    }

    #[test]
    fn a_stopgap_is_not_mixed_with_the_systems() {
        let folder = versions(&["v18.2.0"]);
        let system = folder.path().join("v18.2.0/bin");
        let system = system.to_str().unwrap();
        assert_eq!(chosen(folder.path(), "node:22", system), [] as [&str; 0]);
        assert_eq!(chosen(folder.path(), "node:18", system), ["v18.2.0/bin"]);
    }

    #[test]
    fn an_installation_is_its_bin_or_itself() {
        let folder = versions(&["v20.1.0"]);
        let path = folder.path().join("v20.1.0");
        let first = |path: &Path, written: Option<&str>| {
            let base = written.map(base);
            tools(&[path.to_owned()], base.as_ref(), OsStr::new(""))
        };
        assert_eq!(first(&path, Some("node:18")), [path.join("bin")]);
        assert_eq!(first(&path, None), [path.join("bin")]);
        assert_eq!(first(folder.path(), Some("ruby")), [folder.path()]);
    }

    #[test]
    fn the_version_of_kotlin_is_not_that_of_java() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["11.0.2-tem", "21.0.1-tem"] {
            let bin = folder.path().join(name).join("bin");
            std::fs::create_dir_all(&bin).unwrap();
            std::fs::write(bin.join("java"), "").unwrap();
        }
        let chosen = |written: &str| chosen(folder.path(), written, "");
        assert_eq!(chosen("kotlin:2.4.10"), ["21.0.1-tem/bin"]);
        assert_eq!(chosen("java:11"), ["11.0.2-tem/bin"]);
    }
}

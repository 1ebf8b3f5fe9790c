//! Which file of a repository is its manifest.

use thiserror::Error;

/// The two names a manifest has inside a folder; the first one found wins.
const NAMES: [&str; 2] = ["PANDIUM.yaml", "marquetry.yaml"];

/// Longest repository path, in bytes.
const LONGEST: usize = 1024;

/// A repository path that no manifest may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RepositoryPathError {
    /// Nothing but blanks.
    #[error("repository path is empty; name a file such as `PANDIUM.yaml`, or `.` for the root")]
    Empty,
    /// Starts at the root of a file system or at a drive.
    #[error("repository path is absolute; make it relative to the root of the repository")]
    Absolute,
    /// Has a `..` part.
    #[error("repository path has a `..` part; stay below the root of the repository")]
    Parent,
    /// Has a NUL, another control character, or a backslash.
    #[error("repository path has a control character or a backslash; separate folders with `/`")]
    Character,
    /// Longer than 1,024 bytes.
    #[error("repository path is over 1,024 bytes; shorten it")]
    TooLong,
}

/// The relative paths at which to look for the manifest, in order; the first that is a file wins.
///
/// `repository_path` may name a file or a folder. The result uses `/`, has no `.` or `..` parts
/// and is never empty. Whether a symbolic link leads out of the repository is for the reader of
/// the files to check: this function sees names only.
///
/// # Errors
/// When the path is empty, absolute, too long, has a `..` part or an unfit character.
pub fn manifest_candidates(repository_path: &str) -> Result<Vec<String>, RepositoryPathError> {
    let path = repository_path.trim_matches(' ');
    check(path)?;
    let parts: Vec<&str> = path
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    let names_folder = path.ends_with('/') || path.ends_with("/.") || path == ".";
    let Some((last, folders)) = parts.split_last() else {
        return Ok(NAMES.map(str::to_owned).to_vec());
    };
    if names_folder {
        return Ok(inside(&parts));
    }
    let file = parts.join("/");
    if NAMES.contains(last) {
        // The default setting is `PANDIUM.yaml`; it must also find the other name beside it.
        let mut found = inside(folders);
        found.sort_by_key(|candidate| *candidate != file);
        return Ok(found);
    }
    if is_yaml(last) {
        return Ok(vec![file]);
    }
    let mut found = inside(&parts);
    found.push(file);
    Ok(found)
}

fn check(path: &str) -> Result<(), RepositoryPathError> {
    if path.trim().is_empty() {
        return Err(RepositoryPathError::Empty);
    }
    if path.len() > LONGEST {
        return Err(RepositoryPathError::TooLong);
    }
    let mut start = path.chars();
    let drive = start.next().is_some_and(|c| c.is_ascii_alphabetic()) && start.next() == Some(':');
    if path.starts_with(['/', '\\']) || drive {
        return Err(RepositoryPathError::Absolute);
    }
    if path.chars().any(|c| c.is_control() || c == '\\') {
        return Err(RepositoryPathError::Character);
    }
    if path.split('/').any(|part| part == "..") {
        return Err(RepositoryPathError::Parent);
    }
    Ok(())
}

/// Both names inside the folder made of `parts`.
fn inside(parts: &[&str]) -> Vec<String> {
    NAMES
        .iter()
        .map(|name| {
            let mut path = parts.join("/");
            if !path.is_empty() {
                path.push('/');
            }
            path + name
        })
        .collect()
}

fn is_yaml(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, extension)| {
        extension.eq_ignore_ascii_case("yaml") || extension.eq_ignore_ascii_case("yml")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(path: &str) -> Vec<String> {
        manifest_candidates(path).unwrap()
    }

    #[test]
    fn the_default_finds_both_names() {
        assert_eq!(candidates("PANDIUM.yaml"), NAMES);
        assert_eq!(
            candidates("marquetry.yaml"),
            ["marquetry.yaml", "PANDIUM.yaml"]
        );
        assert_eq!(
            candidates("a/PANDIUM.yaml"),
            ["a/PANDIUM.yaml", "a/marquetry.yaml"]
        );
    }

    #[test]
    fn a_folder_is_looked_into() {
        let both = ["sync/node/PANDIUM.yaml", "sync/node/marquetry.yaml"];
        assert_eq!(candidates("sync/node/"), both);
        assert_eq!(candidates("./sync//node/."), both);
        assert_eq!(candidates("."), NAMES);
        assert_eq!(candidates("./"), NAMES);
    }

    #[test]
    fn a_name_without_extension_may_be_either() {
        assert_eq!(
            candidates("sync"),
            ["sync/PANDIUM.yaml", "sync/marquetry.yaml", "sync"]
        );
    }

    #[test]
    fn another_yaml_file_is_taken_as_it_is() {
        assert_eq!(candidates("sync/eu.yaml"), ["sync/eu.yaml"]);
        assert_eq!(candidates("sync/eu.YML"), ["sync/eu.YML"]);
    }

    #[test]
    fn refuses_what_could_leave_the_repository() {
        use RepositoryPathError as E;
        let long = "a/".repeat(600);
        let refused = [
            ("", E::Empty),
            ("   ", E::Empty),
            ("/etc/passwd", E::Absolute),
            ("\\\\host\\share", E::Absolute),
            ("C:/x.yaml", E::Absolute),
            ("../PANDIUM.yaml", E::Parent),
            ("a/../../b", E::Parent),
            ("a/..", E::Parent),
            ("a\0b", E::Character),
            ("a\nb", E::Character),
            ("a\\..\\b", E::Character),
            (long.as_str(), E::TooLong),
        ];
        for (path, error) in refused {
            assert_eq!(manifest_candidates(path), Err(error), "{path:?}");
        }
        assert!(manifest_candidates("..hidden/..x").is_ok());
    }

    proptest::proptest! {
        #[test]
        fn candidates_stay_inside(path in "[./a-cPY\\\\ \0:]{0,12}") {
            if let Ok(found) = manifest_candidates(&path) {
                proptest::prop_assert!(!found.is_empty());
                for candidate in found {
                    let fits = candidate
                        .split('/')
                        .all(|part| !part.is_empty() && part != "." && part != "..");
                    proptest::prop_assert!(fits, "{:?}", candidate);
                }
            }
        }
    }
}

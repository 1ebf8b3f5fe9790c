//! The example integrations, as they lie in the repository, inside the binary.

/// A file of an example: its path, and its text.
pub(super) type ExampleFile = (&'static str, &'static str);

macro_rules! example {
    ($folder:literal, [$($path:literal),+ $(,)?]) => {
        &[$(($path, include_str!(concat!("../../../../examples/", $folder, "/", $path)))),+]
    };
}

/// `examples/node-counter`.
pub(super) const NODE: &[ExampleFile] = example!(
    "node-counter",
    [
        ".gitignore",
        "PANDIUM.yaml",
        "README.md",
        "build.mjs",
        "src/environment.mjs",
        "src/main.mjs",
    ]
);

/// `examples/python-counter`.
pub(super) const PYTHON: &[ExampleFile] = example!(
    "python-counter",
    [
        ".gitignore",
        "PANDIUM.yaml",
        "README.md",
        "build.py",
        "counter/__init__.py",
        "counter/__main__.py",
        "counter/environment.py",
    ]
);

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// What builds leave behind in an example's folder.
    const LEFT_BEHIND: &[&str] = &["build-info.json", "__pycache__"];

    fn count(folder: &Path) -> usize {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
        let entries = entries.filter(|entry| {
            let name = entry.file_name();
            !LEFT_BEHIND.iter().any(|left| name == *left)
        });
        entries
            .map(|entry| {
                if entry.file_type().unwrap().is_dir() {
                    count(&entry.path())
                } else {
                    1
                }
            })
            .sum()
    }

    #[test]
    fn no_file_of_an_example_is_forgotten() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
        assert_eq!(NODE.len(), count(&root.join("node-counter")));
        assert_eq!(PYTHON.len(), count(&root.join("python-counter")));
    }
}

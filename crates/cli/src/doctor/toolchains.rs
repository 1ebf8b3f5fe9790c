//! Which languages can integrations be written in here?

use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use super::Check;
use crate::config::ServerConfig;
use crate::programs;

const NAME: &str = "toolchains";
/// Some start a virtual machine to tell their version.
const LIMIT: Duration = Duration::from_secs(10);

/// Programs, how each is asked for its version, and what its language is called.
const KNOWN: &[(&str, &str, &str)] = &[
    ("node", "--version", "node"),
    ("python3", "--version", "python"),
    ("java", "--version", "java"),
    ("ruby", "--version", "ruby"),
    ("php", "--version", "php"),
    ("go", "version", "go"),
    ("cargo", "--version", "rust"),
    ("dotnet", "--version", "dotnet"),
];

pub(super) async fn check(config: &ServerConfig) -> Check {
    let mut found = Vec::new();
    let mut missing = Vec::new();
    for (program, argument, language) in KNOWN {
        let program = in_folders(program, config);
        let asked = programs::ask(&program, &[OsStr::new(argument)], None, &[], LIMIT).await;
        match asked
            .ok()
            .filter(|said| said.ok)
            .map(|said| version(&said.text))
        {
            Some(version) => found.push(format!("{language} {version}")),
            None => missing.push(*language),
        }
    }
    if found.is_empty() {
        let remedy = "install the languages of your integrations, or name their folders with --toolchain-path";
        return Check::warn(NAME, "none found", remedy);
    }
    let mut detail = found.join(", ");
    if !missing.is_empty() {
        detail.extend(["; not there: ", &missing.join(", ")]);
    }
    Check::ok(NAME, detail)
}

/// The program in one of the named folders, else by its name from the `PATH`.
fn in_folders(program: &str, config: &ServerConfig) -> String {
    let places = config.toolchain_path.iter();
    let mut places =
        places.flat_map(|folder| [folder.join("bin").join(program), folder.join(program)]);
    let found = places.find(|path: &std::path::PathBuf| Path::is_file(path));
    found.map_or_else(|| program.to_owned(), |path| path.display().to_string())
}

/// The first word of the first line that has a digit first, `v` and `go` aside.
fn version(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let words = line.split([' ', '"']).map(|word| {
        let word = word.strip_prefix("go").unwrap_or(word);
        word.strip_prefix('v').unwrap_or(word)
    });
    let mut words = words.filter(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    words.next().unwrap_or("of unknown version").to_owned()
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn versions_are_found_in_what_programs_say() {
        assert_eq!(version("v20.11.1"), "20.11.1");
        assert_eq!(version("Python 3.11.4"), "3.11.4");
        assert_eq!(version("openjdk 17.0.9 2023-10-17\nmore"), "17.0.9");
        assert_eq!(version("go version go1.22.1 linux/amd64"), "1.22.1");
        assert_eq!(version("PHP 8.2.7 (cli) (built: Jun  9 2023)"), "8.2.7");
        assert_eq!(version("?"), "of unknown version");
    }
}

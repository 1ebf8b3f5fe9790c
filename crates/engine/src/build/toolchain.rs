//! Whether the machine has the language that a manifest asks for.

use marquetry_manifest::{Language, LastLine};
use marquetry_sandbox::{Network, Status};

use super::command::{Step, run};
use super::manifests::Found;
use super::work::{BuildError, Site};

/// Looks for the language's program in the sandbox. A missing one fails the build with the
/// remedy; another major version is a warning, because the host's own toolchain is what runs.
pub(super) async fn check_toolchain(
    site: &mut Site<'_, '_>,
    found: &Found,
) -> Result<Option<String>, BuildError> {
    let base = &found.manifest.base;
    let (program, command) = probe(base.language);
    let step = Step {
        command,
        folder: found.folder(),
        what: "looking for the toolchain",
    };
    let mut output = LastLine::new();
    let status = run(site, step, Vec::new(), Network::None, Some(&mut output)).await?;
    if status != Status::Exited(0) {
        return Err(BuildError::Source(format!(
            "base {} needs {program}, which this machine does not have; install it where the server runs (below /usr or /opt, or name its folder with --toolchain-path)",
            base.written
        )));
    }
    let line = output.finish().ok().flatten().unwrap_or_default();
    let have = version(&line);
    site.log.say(&format!(
        "{program} {}",
        have.as_deref().unwrap_or("of unknown version")
    ));
    let (Some(wanted), Some(have)) = (base.version.as_deref(), have) else {
        return Ok(None);
    };
    if serves(wanted, &have) {
        return Ok(None);
    }
    let warning = format!(
        "base {} is asked for, and {program} {have} is what this machine has",
        base.written
    );
    site.log.say(&format!("warning: {warning}"));
    Ok(Some(warning))
}

/// The program of a language, and a command that prints its version on one line.
fn probe(language: Language) -> (&'static str, &'static str) {
    match language {
        Language::Node => ("node", "node --version"),
        Language::Python => ("python3", "python3 --version 2>&1"),
        Language::Ruby => ("ruby", "ruby --version"),
        Language::Java | Language::Kotlin | Language::Clojure => (
            "java",
            "java -version 2>&1 | head -n 1 && command -v java >/dev/null",
        ),
        Language::Php => (
            "php",
            "php --version | head -n 1 && command -v php >/dev/null",
        ),
        Language::Dotnet => ("dotnet", "dotnet --version"),
        Language::Go => ("go", "go version"),
        Language::Rust => ("cargo", "cargo --version"),
    }
}

/// The first thing in a line that looks like a version.
fn version(line: &str) -> Option<String> {
    let start = line.find(|c: char| c.is_ascii_digit())?;
    let rest = &line[start..];
    let end = rest
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(rest.len());
    Some(rest[..end].trim_end_matches('.').to_owned())
}

/// Whether what is there serves what is asked for: the numbers that both name must agree, up to
/// the one that breaks compatibility, which is the second where the first is 3 (Python, Ruby).
fn serves(wanted: &str, have: &str) -> bool {
    let numbers = if wanted.starts_with("3.") { 2 } else { 1 };
    wanted
        .split('.')
        .zip(have.split('.'))
        .take(numbers)
        .all(|(a, b)| a == b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_out_of_programs_lines() {
        assert_eq!(version("v20.20.2").as_deref(), Some("20.20.2"));
        assert_eq!(version("Python 3.11.2").as_deref(), Some("3.11.2"));
        assert_eq!(
            version("openjdk version \"17.0.15\" 2025").as_deref(),
            Some("17.0.15")
        );
        assert_eq!(version("nothing"), None);
        assert!(serves("20.9.0", "20.20.2"));
        assert!(!serves("22", "20.20.2"));
        assert!(serves("3.11", "3.11.2") && serves("3", "3.11.2"));
        assert!(!serves("3.14", "3.11.2"));
    }
}

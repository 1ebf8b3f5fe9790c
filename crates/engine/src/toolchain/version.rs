//! Versions, as programs and folders tell them.

/// The first thing in a line that looks like a version: digits and dots at the start of a word.
pub fn version_in(line: &str) -> Option<String> {
    let mut words =
        line.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')));
    words.find_map(of_word)
}

/// The version at the start of a word, behind `v`, `go` or a name and a hyphen.
fn of_word(word: &str) -> Option<String> {
    let bare = ["v", "go", "jdk"]
        .iter()
        .find_map(|prefix| word.strip_prefix(prefix))
        .unwrap_or(word);
    let mut parts = std::iter::once(bare).chain(word.split('-').skip(1));
    parts.find_map(|part| {
        let part = part.strip_prefix('v').unwrap_or(part);
        let end = part
            .find(|c: char| !(c.is_ascii_digit() || c == '.'))
            .unwrap_or(part.len());
        let version = part[..end].trim_matches('.');
        // `1mApache` is a colour, not a version.
        let odd = !version.contains('.') && part[end..].starts_with(|c: char| c.is_alphabetic());
        (part.starts_with(|c: char| c.is_ascii_digit()) && !odd).then(|| version.to_owned())
    })
}

/// Whether what is there serves what is asked for: the numbers that both name must agree, up to
/// the one that breaks compatibility, which is the second where the first is 3 (Python, Ruby) or
/// below (Go, Rust, Kotlin), which change with their second number too. A tag without a number,
/// such as `lts`, asks for nothing that could differ.
pub(crate) fn serves(wanted: &str, have: &str) -> bool {
    let (wanted, have) = (numbers(wanted), numbers(have));
    let decisive = if wanted.first().is_some_and(|&major| major <= 3) {
        2
    } else {
        1
    };
    wanted.iter().zip(&have).take(decisive).all(|(a, b)| a == b)
}

/// The numbers at the start of a version.
pub(super) fn numbers(version: &str) -> Vec<u64> {
    let version = version.strip_prefix('v').unwrap_or(version);
    let digits = version.split(|c: char| !c.is_ascii_digit());
    digits.map_while(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_out_of_programs_lines() {
        let seen = [
            ("v20.20.2", "20.20.2"),
            ("Python 3.11.2", "3.11.2"),
            ("openjdk version \"17.0.15\" 2025-04-15", "17.0.15"),
            ("go version go1.19.8 linux/amd64", "1.19.8"),
            (
                "PHP 8.2.7 (cli) (built: Jun  9 2023 19:37:27) (NTS)",
                "8.2.7",
            ),
            (
                "ruby 3.1.2p20 (2022-04-12 revision 4491bb740a) [x86_64-linux-gnu]",
                "3.1.2",
            ),
            (
                "pip 23.0.1 from /usr/lib/python3/dist-packages/pip (python 3.11)",
                "23.0.1",
            ),
            (
                "info: kotlinc-jvm 1.3.31-release-197 (JRE 17.0.15+6)",
                "1.3.31",
            ),
            ("Composer version 2.5.5 2023-03-21 11:50:05", "2.5.5"),
            ("cc (Debian 12.2.0-14) 12.2.0", "12.2.0"),
            ("Poetry (version 1.3.2)", "1.3.2"),
            ("\u{1b}[1mApache Maven 3.8.7\u{1b}[m", "3.8.7"),
        ];
        for (line, version) in seen {
            assert_eq!(version_in(line).as_deref(), Some(version), "{line}");
        }
        assert_eq!(version_in("nothing"), None);
    }

    #[test]
    fn versions_out_of_folders_names() {
        let seen = [
            ("v22.1.0", Some("22.1.0")),
            ("3.12.1", Some("3.12.1")),
            ("1.95.0-x86_64-unknown-linux-gnu", Some("1.95.0")),
            ("stable-x86_64-unknown-linux-gnu", None),
            ("17.0.2-tem", Some("17.0.2")),
            ("java-17-openjdk-amd64", Some("17")),
            ("jdk-21.0.1", Some("21.0.1")),
            ("go1.22.1", Some("1.22.1")),
            ("current", None),
        ];
        for (name, version) in seen {
            assert_eq!(version_in(name).as_deref(), version, "{name}");
        }
    }

    #[test]
    fn what_serves() {
        assert!(serves("20.9.0", "20.20.2"));
        assert!(!serves("22", "20.20.2"));
        assert!(serves("3.11", "3.11.2") && serves("3", "3.11.2"));
        assert!(!serves("3.14", "3.11.2"));
        assert!(!serves("1.26", "1.19.8"));
        assert!(serves("25", "25"));
        assert!(serves("17-jdk", "17.0.15"));
        assert!(serves("latest", "20.1"));
        assert!(!serves("2.4.10", "1.3.31") && serves("8.3", "8.2.7"));
    }
}

//! Which commands a pre-started interpreter can execute.

/// A language whose interpreter loads a file of ours before any other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    Node,
    Python,
}

/// The language of a run command that is nothing but an interpreter, a file and arguments: whatever
/// the shell would do besides would be done before there is a run, or with another's variables.
pub(super) fn language(command: &str) -> Option<Language> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./=:,@+".contains(c);
    // A block of YAML ends with a new line.
    let mut words = command
        .trim_end()
        .split(' ')
        .filter(|word| !word.is_empty());
    let language = match words.next()? {
        "node" => Language::Node,
        "python" | "python3" => Language::Python,
        _ => return None,
    };
    // An option of the interpreter may say that our file is not loaded.
    let file = words.next().filter(|file| !file.starts_with('-'))?;
    let mut all = std::iter::once(file).chain(words);
    all.all(|word| word.chars().all(is_plain))
        .then_some(language)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_commands_only() {
        for (command, expected) in [
            ("node index.js", Some(Language::Node)),
            ("node  dist/main.mjs --batch=50 a,b", Some(Language::Node)),
            ("python3 main.py", Some(Language::Python)),
            ("python3 main.py\n", Some(Language::Python)),
            ("python -m shop", None),
            ("python3 -I main.py", None),
            ("node --experimental-vm-modules index.js", None),
            ("node", None),
            ("node index.js $PAN_CFG_MODE", None),
            ("node index.js | tee log", None),
            ("node index.js; true", None),
            ("node index.js && true", None),
            ("node 'index.js'", None),
            ("node *.js", None),
            ("node ~/index.js", None),
            ("node index.js\ntrue", None),
            ("A=1 node index.js", None),
            ("npm start", None),
            ("./node index.js", None),
            ("", None),
        ] {
            assert_eq!(language(command), expected, "{command}");
        }
    }
}

//! The `$ref` of a setting.

/// What a `$ref` points to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reference {
    /// An entry of the schema's `definitions`: `#/definitions/<name>`, or without the `#/`, as the
    /// original's own documents write it.
    Definition(String),
    /// A key of the tenant's metadata: `#/metadata/<name>`.
    Metadata(String),
    /// Anything else; no meaning here.
    Other,
}

impl Reference {
    pub(crate) fn read(text: &str) -> Self {
        let path = text.trim_start_matches('#').trim_start_matches('/');
        match path.split_once('/') {
            Some(("definitions", name)) if is_name(name) => Self::Definition(unescaped(name)),
            Some(("metadata", name)) if is_name(name) => Self::Metadata(unescaped(name)),
            Some(_) | None => Self::Other,
        }
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains('/')
}

/// JSON pointers write `/` as `~1` and `~` as `~0`.
fn unescaped(name: &str) -> String {
    name.replace("~1", "/").replace("~0", "~")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_accepted_form() {
        let definition = |name: &str| Reference::Definition(name.to_owned());
        assert_eq!(Reference::read("#/definitions/users"), definition("users"));
        assert_eq!(Reference::read("definitions/users"), definition("users"));
        assert_eq!(Reference::read("/definitions/users"), definition("users"));
        assert_eq!(
            Reference::read("#/definitions/a~1b~01"),
            definition("a/b~1")
        );
        assert_eq!(
            Reference::read("#/metadata/shades"),
            Reference::Metadata("shades".to_owned())
        );
    }

    #[test]
    fn anything_else_has_no_meaning() {
        for text in [
            "",
            "#",
            "#/definitions/",
            "#/definitions/a/b",
            "https://x/y",
            "users",
        ] {
            assert_eq!(Reference::read(text), Reference::Other, "{text}");
        }
    }
}

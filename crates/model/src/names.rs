//! Names that stand in URLs and environment variables.

/// The most characters of a name.
const MAX_NAME: usize = 63;

/// Why a name is no slug.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// There is nothing.
    #[error("must not be empty")]
    Empty,
    /// Too long.
    #[error("must have at most 63 characters")]
    TooLong,
    /// A character that is not allowed.
    #[error("must hold only lower-case letters, digits and '-'")]
    Character,
    /// A dash at an end.
    #[error("must not begin or end with '-'")]
    Edge,
}

/// Lower-case letters, digits and `-` (not first, not last), 1 to 63 characters: the contract's
/// rule for tenants' names, used for integrations' too.
pub fn check_slug(name: &str) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if name.len() > MAX_NAME {
        return Err(NameError::TooLong);
    }
    if !name
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    {
        return Err(NameError::Character);
    }
    if name.starts_with('-') || name.ends_with('-') {
        return Err(NameError::Edge);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs() {
        assert_eq!(check_slug("acme-42"), Ok(()));
        assert_eq!(check_slug(""), Err(NameError::Empty));
        assert_eq!(check_slug("-a"), Err(NameError::Edge));
        assert_eq!(check_slug("a-"), Err(NameError::Edge));
        assert_eq!(check_slug("Acme"), Err(NameError::Character));
        assert_eq!(check_slug("ä"), Err(NameError::Character));
        assert_eq!(check_slug(&"a".repeat(64)), Err(NameError::TooLong));
        assert_eq!(check_slug(&"a".repeat(63)), Ok(()));
    }
}

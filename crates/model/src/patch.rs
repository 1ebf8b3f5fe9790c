//! "Not mentioned", "set to nothing" and "set to this" are three different wishes.

use serde::{Deserialize, Deserializer};

/// A field of a PATCH body.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Patch<T> {
    /// The body does not mention it.
    #[default]
    Keep,
    /// The body says `null`.
    Clear,
    /// The body gives a value.
    Set(T),
}

impl<T> Patch<T> {
    /// Writes the wish into an optional field.
    pub fn apply(self, field: &mut Option<T>) {
        match self {
            Self::Keep => {}
            Self::Clear => *field = None,
            Self::Set(value) => *field = Some(value),
        }
    }

    /// The same wish about what `change` makes of the value.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Patch<U> {
        match self {
            Self::Keep => Patch::Keep,
            Self::Clear => Patch::Clear,
            Self::Set(value) => Patch::Set(change(value)),
        }
    }

    /// The value that the body gives, if it gives one.
    pub fn given(&self) -> Option<&T::Target>
    where
        T: std::ops::Deref,
    {
        match self {
            Self::Set(value) => Some(value),
            Self::Keep | Self::Clear => None,
        }
    }

    /// Whether the body mentions it.
    pub fn is_mentioned(&self) -> bool {
        !matches!(self, Self::Keep)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Patch<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::<T>::deserialize(deserializer)?.map_or(Self::Clear, Self::Set))
    }
}

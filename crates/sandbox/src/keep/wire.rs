//! What a server and the keeper tell each other. A server of another version speaks another name: see
//! [`SOCKET`](super::SOCKET).

use crate::wire::{Reader, Truncated, Writer};

/// From the server to the keeper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    /// The descriptor is where a later server connects.
    Listen,
    /// The descriptors are locks to hold, in place of others.
    Hold,
    /// The descriptors belong to a child; see [`Entry`](super::Entry).
    Keep(u64),
    /// The child's end is known.
    Forget(u64),
}

impl Word {
    pub(crate) fn encode(self) -> Vec<u8> {
        let mut out = Writer::default();
        match self {
            Self::Listen => out.u64(0),
            Self::Keep(id) => out.u64(1).u64(id),
            Self::Forget(id) => out.u64(2).u64(id),
            Self::Hold => out.u64(3),
        };
        out.0
    }

    pub(crate) fn decode(data: &[u8]) -> Result<Self, Truncated> {
        let mut from = Reader(data);
        match from.u64()? {
            0 => Ok(Self::Listen),
            1 => Ok(Self::Keep(from.u64()?)),
            2 => Ok(Self::Forget(from.u64()?)),
            3 => Ok(Self::Hold),
            _ => Err(Truncated),
        }
    }
}

/// From the keeper to a server that has connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// The descriptors belong to a child.
    Kept(u64),
    /// That were all.
    All,
}

impl Told {
    pub(crate) fn encode(self) -> Vec<u8> {
        let mut out = Writer::default();
        match self {
            Self::Kept(id) => out.u64(0).u64(id),
            Self::All => out.u64(1),
        };
        out.0
    }

    pub(crate) fn decode(data: &[u8]) -> Result<Self, Truncated> {
        let mut from = Reader(data);
        match from.u64()? {
            0 => Ok(Self::Kept(from.u64()?)),
            1 => Ok(Self::All),
            _ => Err(Truncated),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_survive_the_way() {
        for word in [
            Word::Listen,
            Word::Hold,
            Word::Keep(7),
            Word::Forget(u64::MAX),
        ] {
            assert_eq!(Word::decode(&word.encode()), Ok(word));
        }
        for told in [Told::Kept(3), Told::All] {
            assert_eq!(Told::decode(&told.encode()), Ok(told));
        }
        assert_eq!(Word::decode(b"x"), Err(Truncated));
    }
}

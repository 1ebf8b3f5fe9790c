//! What a server that takes a child back must know of it.

use std::os::fd::OwnedFd;
use std::path::PathBuf;

use crate::inner::read_memory;
use crate::wire::{Reader, Truncated, Writer};

/// Of one child.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct About {
    /// Its number among those that live.
    pub(crate) slot: u32,
    /// Its connections are relayed.
    pub(crate) wants_egress: bool,
    /// The folders of its control groups.
    pub(crate) groups: Vec<PathBuf>,
    pub(crate) group_is_v2: bool,
    /// What the kernel had ended in them before.
    pub(crate) oom_kills_before: u64,
    /// The container's name; empty where it has none.
    pub(crate) container: String,
}

impl About {
    /// Whether a conductor looks after it, and not a PID 1.
    pub(crate) fn is_container(&self) -> bool {
        !self.container.is_empty()
    }

    /// What a keeper has under a descriptor; none where another version wrote it.
    pub(crate) fn of(body: &OwnedFd) -> Option<(Self, Vec<u8>)> {
        let body = std::fs::File::from(body.try_clone().ok()?);
        Self::read(&read_memory(&body).ok()?).ok()
    }

    /// As it travels, with what the caller calls the child.
    pub(crate) fn with(&self, label: &[u8]) -> Vec<u8> {
        let mut out = Writer::default();
        out.u64(self.slot.into())
            .u64(self.wants_egress.into())
            .count(self.groups.len());
        for group in &self.groups {
            out.os(group);
        }
        out.u64(self.group_is_v2.into())
            .u64(self.oom_kills_before)
            .os(&self.container)
            .bytes(label);
        out.0
    }

    /// Reads both back.
    pub(crate) fn read(data: &[u8]) -> Result<(Self, Vec<u8>), Truncated> {
        let mut from = Reader(data);
        let about = Self {
            slot: u32::try_from(from.u64()?).map_err(|_| Truncated)?,
            wants_egress: from.u64()? != 0,
            groups: from.list(Reader::path)?,
            group_is_v2: from.u64()? != 0,
            oom_kills_before: from.u64()?,
            container: from.text()?,
        };
        Ok((about, from.bytes()?.to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_survives_the_way() {
        let about = About {
            slot: 3,
            wants_egress: true,
            groups: vec!["/a".into(), "/b".into()],
            group_is_v2: true,
            oom_kills_before: 9,
            container: "c".into(),
        };
        let data = about.with(b"label");
        assert_eq!(About::read(&data), Ok((about, b"label".to_vec())));
        assert_eq!(About::read(&data[..20]), Err(Truncated));
    }
}

//! Deciding whether symbolic links stay inside a folder, from their texts alone.

use std::collections::HashMap;
use std::path::PathBuf;

use super::dirs::split;
use super::error::{ArchiveError, shown};

/// Links followed in one look-up before Linux gives up; what needs more cannot lead anywhere.
const MAX_HOPS: usize = 40;

/// Path parts looked at for all links together; ordinary trees need a few thousand.
const MAX_STEPS: u64 = 5_000_000;

/// Bytes of link names and targets kept in memory.
const MAX_TEXT: usize = 64 * 1024 * 1024;

/// Which symbolic links may be in an archive besides relative ones that stay inside.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinkPolicy {
    /// Absolute folders that stand at the same place, read only, wherever the content is used
    /// (toolchains, for instance): absolute links to them and below are kept as they are. Empty
    /// by default.
    pub outside: Vec<PathBuf>,
}

/// The links seen so far: path → target.
#[derive(Default)]
pub(super) struct Links {
    targets: HashMap<Vec<u8>, Vec<u8>>,
    text: usize,
}

impl Links {
    /// Remembers a link; `false` if there is one of that name.
    pub(super) fn add(&mut self, path: &[u8], target: &[u8]) -> Result<bool, ArchiveError> {
        self.text += path.len() + target.len();
        if self.text > MAX_TEXT {
            return Err(ArchiveError::LinksEntangled);
        }
        let former = self.targets.insert(path.to_vec(), target.to_vec());
        Ok(former.is_none())
    }

    /// Whether there is a link of that name.
    pub(super) fn has(&self, path: &[u8]) -> bool {
        self.targets.contains_key(path)
    }

    /// Whether `path` or a folder above it is a link.
    pub(super) fn on_the_way(&self, path: &[u8]) -> bool {
        let mut rest = path;
        while !rest.is_empty() {
            if self.has(rest) {
                return true;
            }
            rest = split(rest).0;
        }
        false
    }

    /// The links in the order of their paths, so that errors and results are always the same.
    pub(super) fn sorted(&self) -> Vec<(&[u8], &[u8])> {
        let pairs = self.targets.iter();
        let mut pairs: Vec<_> = pairs
            .map(|(path, target)| (path.as_slice(), target.as_slice()))
            .collect();
        pairs.sort_unstable();
        pairs
    }

    /// Checks that following any link, also through others, never leaves the folder or ends in a
    /// place that `policy` allows.
    pub(super) fn check(&self, policy: &LinkPolicy) -> Result<(), ArchiveError> {
        let mut steps = MAX_STEPS;
        for (path, target) in self.sorted() {
            if !self.stays_inside(path, target, policy, &mut steps)? {
                return Err(ArchiveError::LinkOutside {
                    path: shown(path),
                    target: shown(target),
                });
            }
        }
        Ok(())
    }

    fn stays_inside(
        &self,
        path: &[u8],
        target: &[u8],
        policy: &LinkPolicy,
        steps: &mut u64,
    ) -> Result<bool, ArchiveError> {
        let (parent, _) = split(path);
        let mut place = parent.to_vec();
        let mut hops = 1;
        if target.starts_with(b"/") {
            return Ok(policy.allows(target));
        }
        // Parts still to follow, the next one last.
        let mut parts: Vec<&[u8]> = target.rsplit(|byte| *byte == b'/').collect();
        while let Some(part) = parts.pop() {
            *steps = steps.checked_sub(1).ok_or(ArchiveError::LinksEntangled)?;
            match part {
                b"" | b"." => {}
                b".." if place.is_empty() => return Ok(false),
                b".." => place.truncate(split(&place).0.len()),
                name => {
                    let length = place.len();
                    if length > 0 {
                        place.push(b'/');
                    }
                    place.extend_from_slice(name);
                    let Some(next) = self.targets.get(&place) else {
                        continue;
                    };
                    if hops == MAX_HOPS {
                        return Ok(true);
                    }
                    hops += 1;
                    if next.starts_with(b"/") {
                        // What follows may climb with `..`, so only the end of a path may do this.
                        return Ok(policy.allows(next) && parts.iter().all(|rest| *rest != b".."));
                    }
                    place.truncate(length);
                    parts.extend(next.rsplit(|byte| *byte == b'/'));
                }
            }
        }
        Ok(true)
    }
}

impl LinkPolicy {
    fn allows(&self, target: &[u8]) -> bool {
        let target = shown(target);
        let climbs = target.components().any(|part| part.as_os_str() == "..");
        !climbs
            && self
                .outside
                .iter()
                .any(|folder| folder.is_absolute() && target.starts_with(folder))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(links: &[(&str, &str)], policy: &LinkPolicy) -> Option<PathBuf> {
        let mut all = Links::default();
        for (path, target) in links {
            assert!(all.add(path.as_bytes(), target.as_bytes()).unwrap());
        }
        match all.check(policy) {
            Ok(()) => None,
            Err(ArchiveError::LinkOutside { path, .. }) => Some(path),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn links_that_stay_inside_are_kept() {
        for links in [
            &[("a", "b")][..],
            &[("d/a", "../b")],
            &[("d/e/a", ".././/../x/")],
            &[("a", "d"), ("d/b", "../a/../c")],
            &[("a", "a")],
            &[("a", "b/x"), ("b", "a/x")],
            &[("a", "missing/../b")],
            &[("a", ".")],
            &[("a", "b/../.."), ("b", "c/d")],
        ] {
            assert_eq!(refused(links, &LinkPolicy::default()), None, "{links:?}");
        }
    }

    #[test]
    fn links_that_leave_are_refused_by_name() {
        for (links, name) in [
            (&[("a", "..")][..], "a"),
            (&[("a", "/etc/passwd")], "a"),
            (&[("d/a", "../../x")], "d/a"),
            (&[("d/a", "../d/../../x")], "d/a"),
            // Through another link: `d/up` is the root, so `d/up/..` is above it.
            (&[("d/up", ".."), ("d/z", "up/../x")], "d/z"),
            (&[("a", "b/../../.."), ("b", "c/d")], "a"),
        ] {
            let refused = refused(links, &LinkPolicy::default());
            assert_eq!(refused, Some(PathBuf::from(name)), "{links:?}");
        }
    }

    #[test]
    fn absolute_links_need_an_allowed_folder() {
        let policy = LinkPolicy {
            outside: vec!["/usr".into()],
        };
        assert_eq!(
            refused(&[("bin/python", "/usr/bin/python3")], &policy),
            None
        );
        assert_eq!(
            refused(&[("a", "/usr/lib"), ("b", "a/python3")], &policy),
            None
        );
        for links in [
            &[("x", "/usr/../etc")][..],
            &[("x", "/usrlocal")],
            &[("a", "/usr/lib"), ("x", "a/../../etc")],
        ] {
            assert_eq!(
                refused(links, &policy),
                Some(PathBuf::from("x")),
                "{links:?}"
            );
        }
    }

    #[test]
    fn entangled_links_end_the_check() {
        let mut links = Links::default();
        let long = "d/../".repeat(800);
        for number in 0..40_u32 {
            let target = format!("{long}{}", number + 1);
            links
                .add(number.to_string().as_bytes(), target.as_bytes())
                .unwrap();
        }
        for number in 0..2_000 {
            links.add(format!("x{number}").as_bytes(), b"0").unwrap();
        }
        let checked = links.check(&LinkPolicy::default());
        assert!(matches!(checked, Err(ArchiveError::LinksEntangled)));
    }
}

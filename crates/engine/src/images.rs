//! Which image a base is built and run in, where the operator has chosen containers.

use std::fmt;

use marquetry_manifest::Base;

/// What an image's name may have in place of the version that a manifest asks for.
const VERSION: &str = "{version}";

/// The images of the bases, in the operator's order; without any, code runs in the process sandbox.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Images(Vec<Image>);

/// One assignment.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Image {
    base: Base,
    image: String,
}

impl Images {
    /// Reads assignments such as `node:20=docker.io/library/node:20-slim`; `{version}` in an image's name is the
    /// version that a manifest asks for.
    ///
    /// # Errors
    /// A sentence on the first one that is none.
    pub fn read<'a>(assignments: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let all = assignments.into_iter().map(read).collect::<Result<_, _>>();
        all.map(Self)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names of all images that are known without a manifest.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let names = self.0.iter().map(|one| one.image.as_str());
        names.filter(|name| !name.contains(VERSION))
    }

    /// The image of a manifest's base: that of the most exact assignment of its language, none where there are no
    /// containers.
    ///
    /// # Errors
    /// A sentence for the operator where no assignment fits.
    pub(crate) fn of(&self, base: &Base) -> Result<Option<String>, String> {
        if self.is_empty() {
            return Ok(None);
        }
        let fitting = self.0.iter().filter(|one| fits(one, base));
        // Of two that are alike, the one that knows the version.
        let exactness = |one: &&Image| {
            let version = one.base.version.as_deref().map_or(0, str::len);
            (version, one.image.contains(VERSION))
        };
        let best = fitting.max_by_key(exactness);
        let best = best.ok_or_else(|| {
            format!(
                "base {} has no image; the operator names one with --container-images '{}=IMAGE'",
                base.written,
                base.language.as_str()
            )
        })?;
        // A tag cannot have a `+`; registries take `-` in its place.
        let version = base
            .version
            .as_deref()
            .unwrap_or_default()
            .replace('+', "-");
        Ok(Some(best.image.replace(VERSION, &version)))
    }
}

impl fmt::Display for Images {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, one) in self.0.iter().enumerate() {
            let separator = if index > 0 { "," } else { "" };
            write!(to, "{separator}{}={}", one.base.written, one.image)?;
        }
        Ok(())
    }
}

fn read(assignment: &str) -> Result<Image, String> {
    let (base, image) = assignment
        .split_once('=')
        .ok_or_else(|| format!("`{assignment}` has no `=`; write it as node:20=IMAGE"))?;
    let image = image.trim();
    // As an argument of the engine it must not look like an option.
    let is_name = |c: char| c.is_ascii_alphanumeric() || "./:_-@{}".contains(c);
    if image.is_empty() || image.starts_with('-') || !image.chars().all(is_name) {
        return Err(format!(
            "`{image}` is no image; write it as docker.io/library/node:20-slim"
        ));
    }
    Ok(Image {
        base: Base::read(base)?,
        image: image.to_owned(),
    })
}

/// Whether an assignment holds for a base: of its language, and of its version or of one that it is part of.
fn fits(
    Image {
        base: assigned,
        image,
    }: &Image,
    asked: &Base,
) -> bool {
    if assigned.language != asked.language {
        return false;
    }
    if image.contains(VERSION) && asked.version.is_none() {
        return false;
    }
    let Some(assigned) = &assigned.version else {
        return true;
    };
    let asked = asked.version.as_deref().unwrap_or_default();
    let rest = asked.strip_prefix(assigned.as_str());
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '-']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn images(all: &[&str]) -> Images {
        Images::read(all.iter().copied()).unwrap()
    }

    fn of(images: &Images, base: &str) -> Result<Option<String>, String> {
        images.of(&Base::read(base).unwrap())
    }

    #[test]
    fn the_most_exact_assignment_counts() {
        let images = images(&[
            "node=n",
            "node:20=n20",
            "NodeJS:20.9=n209",
            "python=p:{version}",
            "python=p",
        ]);
        for (base, image) in [
            ("node", "n"),
            ("node:22", "n"),
            ("node:2", "n"),
            ("Node:20", "n20"),
            ("node:20.1.0", "n20"),
            ("node:20-alpine", "n20"),
            ("node:200", "n"),
            ("typescript:20.9.4", "n209"),
            ("python:3.11", "p:3.11"),
            ("python:3+1", "p:3-1"),
            ("python", "p"),
        ] {
            assert_eq!(of(&images, base).unwrap().unwrap(), image, "{base}");
        }
    }

    #[test]
    fn without_containers_nothing_has_an_image_and_with_them_everything() {
        assert_eq!(of(&Images::default(), "ruby"), Ok(None));
        let error = of(&images(&["node=n"]), "ruby:3").unwrap_err();
        assert!(error.contains("ruby:3") && error.contains("--container-images 'ruby=IMAGE'"));
    }

    #[test]
    fn what_is_no_assignment_is_said() {
        for (assignment, word) in [
            ("node", "no `=`"),
            ("cobol=x", "unknown language `cobol`"),
            ("node:20=", "is no image"),
            ("node=--privileged", "is no image"),
            ("node=a b", "is no image"),
        ] {
            let error = Images::read([assignment]).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
    }
}

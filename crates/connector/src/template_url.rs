//! Templates that give a URL, or the name of a host. A value comes from a tenant or from a foreign system: it
//! may name something inside of an address, and never change where the address leads.

use url::Url;

use crate::template::{Part, Place, Template, TemplateError, Values, parts};

impl Template {
    /// The text with its values, each of which stays in its part of a URL:
    ///
    /// - At the very start, alone or before `/` or `?`, a value with `http://` or `https://` is a whole URL. Its
    ///   fragment is left out, and its query where more text follows. A user or password in it is refused.
    /// - In the place of the host it must be labels of a host's name.
    /// - Anywhere else it is percent-encoded; no step of a path may become empty, `.` or `..` by it.
    ///
    /// # Errors
    /// [`TemplateError`].
    pub fn fill_url(&self, values: &Values) -> Result<String, TemplateError> {
        let parts = parts(self.as_str())?;
        let mut text = String::new();
        // The same with a letter for each value: the path that the author means.
        let mut meant = String::new();
        for (n, part) in parts.iter().enumerate() {
            let place = match part {
                Part::Text(it) => {
                    text.push_str(it);
                    meant.push_str(it);
                    continue;
                }
                Part::Place(place) => place,
            };
            let value = place.value(values)?;
            if n == 0 && may_be_whole(parts.get(1)) && is_absolute(&value) {
                text = whole(place, &value, parts.len() == 1)?;
                meant.clone_from(&text);
                continue;
            }
            text.push_str(&if is_in_authority(&text) {
                host(place, value)?
            } else {
                encoded(&value)
            });
            meant.push('x');
        }
        if steps(&text).map(kind).eq(steps(&meant).map(kind)) {
            Ok(text)
        } else {
            Err(TemplateError::Unfit {
                name: self.names()?.join(" or "),
                why: "is empty, `.` or `..` where a path needs a name",
            })
        }
    }

    /// The name of a host with its values, which can be labels of it alone.
    ///
    /// # Errors
    /// [`TemplateError`].
    pub(crate) fn fill_host(&self, values: &Values) -> Result<String, TemplateError> {
        let mut text = String::new();
        for part in parts(self.as_str())? {
            match part {
                Part::Text(it) => text.push_str(it),
                Part::Place(place) => text.push_str(&host(&place, place.value(values)?)?),
            }
        }
        Ok(text.to_lowercase())
    }
}

/// Whether a text is an address of the web by itself.
pub(crate) fn is_absolute(text: &str) -> bool {
    after_scheme(text.trim()).is_some()
}

/// What stands after `https://` or `http://`.
pub(crate) fn after_scheme(text: &str) -> Option<&str> {
    ["https://", "http://"].iter().find_map(|scheme| {
        let (start, rest) = text.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    })
}

/// The host and whatever else stands before the path, and the rest. Slashes that are too many are skipped, as
/// parsers of URLs do.
pub(crate) fn authority(text: &str) -> Option<(&str, &str)> {
    let rest = after_scheme(text)?.trim_start_matches(['/', '\\']);
    let end = rest.find(['/', '\\', '?', '#']);
    Some(rest.split_at(end.unwrap_or(rest.len())))
}

fn is_in_authority(before: &str) -> bool {
    authority(before).is_some_and(|(_, rest)| rest.is_empty())
}

/// Whether a whole URL stays whole with what follows it: more of its host or port would make another of it.
fn may_be_whole(next: Option<&Part<'_>>) -> bool {
    match next {
        None => true,
        Some(Part::Text(text)) => text.starts_with(['/', '?']),
        Some(Part::Place(_)) => false,
    }
}

fn whole(place: &Place<'_>, value: &str, alone: bool) -> Result<String, TemplateError> {
    let mut url = Url::parse(value.trim()).map_err(|_| unfit(place, "is no URL"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(unfit(place, "has a user or a password in its URL"));
    }
    url.set_fragment(None);
    if !alone {
        url.set_query(None);
    }
    // Text that follows brings the slash; alone, a slash is part of the address but for that of the root.
    Ok(if alone && (url.path() != "/" || url.query().is_some()) {
        url.to_string()
    } else {
        url.as_str().trim_end_matches('/').to_owned()
    })
}

fn host(place: &Place<'_>, value: String) -> Result<String, TemplateError> {
    if is_host(&value) {
        Ok(value)
    } else {
        Err(unfit(place, "is no name of a host"))
    }
}

fn unfit(place: &Place<'_>, why: &'static str) -> TemplateError {
    TemplateError::Unfit {
        name: place.name.to_owned(),
        why,
    }
}

/// Whether a text is labels of a host's name.
pub(crate) fn is_host(text: &str) -> bool {
    let letter = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    let label = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(letter);
    text.len() <= 253 && text.split('.').all(label)
}

fn encoded(value: &str) -> String {
    let bytes = url::form_urlencoded::byte_serialize(value.as_bytes());
    bytes.collect::<String>().replace('+', "%20")
}

/// The steps of the path, with the authority as the first where there is one.
fn steps(text: &str) -> impl Iterator<Item = &str> {
    let path = text.split(['?', '#']).next().unwrap_or_default();
    let path = after_scheme(path).unwrap_or(path);
    path.split(['/', '\\'])
}

/// What a step of a path does: none and a way back are not what a name is.
fn kind(step: &str) -> u8 {
    let plain = step.to_lowercase().replace("%2e", ".");
    match plain.as_str() {
        "" => 0,
        "." => 1,
        ".." => 2,
        _ => 3,
    }
}

//! Values that nobody may see by accident.

use std::fmt;

use marquetry_connector::{Definition, Values, is_secret};
use marquetry_manifest::MASK;
use marquetry_model::{Error, Result};
use marquetry_vault::{Place, Zeroizing};
use zeroize::Zeroize as _;

use crate::secret_forms::secret_forms;
use crate::secret_texts::with_lines;
use crate::vault::Keys;

/// Secrets by name. They are neither printed nor serialized but to be sealed, and wiped from
/// memory with it.
#[derive(Default, Clone, PartialEq, Eq)]
pub struct SecretValues(Values);

impl SecretValues {
    pub(crate) fn new(values: Values) -> Self {
        Self(values)
    }

    /// For templates.
    pub(crate) fn as_values(&self) -> &Values {
        &self.0
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub(crate) fn insert(&mut self, name: &str, value: String) {
        if let Some(mut former) = self.0.insert(name.to_owned(), value) {
            former.zeroize();
        }
    }

    /// These, and the others over them.
    pub(crate) fn with(mut self, others: &Self) -> Self {
        for (name, value) in &others.0 {
            self.insert(name, value.clone());
        }
        self
    }

    /// Those of some names alone.
    pub(crate) fn only(&self, wanted: impl Fn(&str) -> bool) -> Self {
        let kept = self.0.iter().filter(|(name, _)| wanted(name));
        Self(kept.map(|(n, v)| (n.clone(), v.clone())).collect())
    }

    pub(crate) fn open(key: &Keys, place: Place<'_>, sealed: &str) -> Result<Self> {
        let plain = key.open(place, sealed)?;
        // The parser's own words could quote it.
        let read = serde_json::from_slice(&plain);
        read.map(Self).map_err(|_| {
            Error::internal(format!(
                "the secrets of {} {} are damaged",
                place.table, place.row
            ))
        })
    }

    pub(crate) fn seal(&self, key: &Keys, place: Place<'_>) -> Result<String> {
        let plain = Zeroizing::new(serde_json::to_vec(&self.0).map_err(Error::internal)?);
        key.seal(place, &plain)
    }
}

/// The shortest value that is looked for in a text: one of fewer bytes stands in many words.
const SHORTEST: usize = 6;

/// What a system said, without the secrets that it was sent: some repeat them in their errors.
pub(crate) fn without_secrets(definition: &Definition, values: &Values, said: &str) -> String {
    let secret = values
        .iter()
        .filter(|(name, _)| is_secret(definition, name));
    without_texts(secret.map(|(_, value)| value.as_str()), said)
}

/// The same for texts that are no values, however they are written: a system repeats headers and forms, too.
pub(crate) fn without_texts<'a>(texts: impl IntoIterator<Item = &'a str>, said: &str) -> String {
    let long = |text: &str| text.len() >= SHORTEST;
    let all = with_lines(texts).into_iter().filter(|text| long(text));
    let forms = all.flat_map(|text| secret_forms(&text));
    let forms = forms.filter_map(|form| String::from_utf8(form).ok());
    let mut forms: Vec<String> = forms.filter(|form| long(form)).collect();
    // One may be the beginning of another.
    forms.sort_unstable_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    forms.dedup();
    let mut text = said.to_owned();
    for form in &forms {
        text = text.replace(form.as_str(), MASK);
        // What was said is cut off somewhere, perhaps in the midst of one.
        let cut = (SHORTEST..form.len().min(text.len() + 1)).rev();
        let mut cut = cut.filter_map(|length| form.get(..length));
        if let Some(rest) = cut.find(|rest| text.ends_with(rest)) {
            text.truncate(text.len() - rest.len());
            text.push_str(MASK);
        }
    }
    text
}

impl Drop for SecretValues {
    fn drop(&mut self) {
        self.0.values_mut().for_each(zeroize::Zeroize::zeroize);
    }
}

impl fmt::Debug for SecretValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

/// The one way in which they are written: into a text that is sealed whole.
pub(crate) mod sealing {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use super::{SecretValues, Values};

    pub(crate) fn serialize<S: Serializer>(
        values: &SecretValues,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        values.as_values().serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<SecretValues, D::Error> {
        Values::deserialize(from).map(SecretValues::new)
    }
}

//! Which of flag, variable and file has the word on each setting.

use std::collections::BTreeMap;
use std::path::Path;

use super::spec::{Kind, OTHER_VARIABLES, SPECS, Spec};
use super::{Environment, Fault, Origin, ServerFlags, file};

/// The strongest values of each setting that anybody said something about.
pub(super) struct Layers {
    said: BTreeMap<&'static str, (Vec<String>, Origin)>,
}

impl Layers {
    /// Flags over environment over file, and what is wrong with the file.
    pub(super) fn gather(flags: &ServerFlags, environment: &Environment) -> (Self, Vec<Fault>) {
        // Clap has put MARQUETRY_CONFIG into the flag already.
        let (mut said, faults) = flags
            .config
            .as_deref()
            .map_or_else(Default::default, |path: &Path| file::read(path));
        for spec in SPECS {
            if let Some(values) = variable(spec, environment) {
                said.insert(spec.key, (values, Origin::Variable(spec.variable)));
            }
            let values = flags.values(spec.flag);
            if !values.is_empty() {
                said.insert(spec.key, (values, Origin::Flag(spec.flag)));
            }
        }
        (Self { said }, faults)
    }

    /// What was said about a setting, and where.
    pub(super) fn get(&self, key: &str) -> Option<(&[String], &Origin)> {
        self.said
            .get(key)
            .map(|(values, origin)| (values.as_slice(), origin))
    }
}

/// An empty variable says nothing: that is how a shell or a service file clears one.
fn variable(spec: &Spec, environment: &Environment) -> Option<Vec<String>> {
    let text = environment.get(spec.variable)?.trim();
    if text.is_empty() {
        return None;
    }
    let many = spec.kind == Kind::Many;
    let parts = text.split(|c| many && c == ',');
    let parts = parts.map(|part| part.trim().to_owned());
    Some(parts.filter(|part| !part.is_empty()).collect())
}

/// Variables with our prefix that nothing reads, each with the name it was most likely meant to
/// have.
pub(super) fn unknown_variables(environment: &Environment) -> Vec<String> {
    let known = || {
        let settings = SPECS.iter().map(|spec| spec.variable);
        settings.chain(OTHER_VARIABLES.iter().copied())
    };
    environment
        .keys()
        .filter(|name| name.starts_with("MARQUETRY_") && !known().any(|other| other == *name))
        .map(|name| match marquetry_manifest::nearest(name, known()) {
            Some(near) => format!("{name} is no setting; did you mean {near}?"),
            None => format!("{name} is no setting"),
        })
        .collect()
}

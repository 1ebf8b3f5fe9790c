//! The configuration file: TOML, every key known, every value with its line.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use marquetry_manifest::nearest;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::spec::{self, Kind, SPECS};
use super::{Fault, Origin};

/// No configuration is larger; whatever is was named by mistake.
const LARGEST: u64 = 1 << 20;

/// What the file says: for each setting its values and its line.
pub(super) type Said = BTreeMap<&'static str, (Vec<String>, Origin)>;

/// Reads the file; what cannot be read is a fault, the rest still counts.
pub(super) fn read(path: &Path) -> (Said, Vec<Fault>) {
    match load(path) {
        Ok(text) => parse(path, &text),
        Err(fault) => (Said::new(), vec![fault]),
    }
}

fn load(path: &Path) -> Result<String, Fault> {
    let fault = |problem: String, remedy: &str| Fault {
        setting: "config".to_owned(),
        origin: Origin::File {
            path: path.to_owned(),
            line: 1,
        },
        problem,
        remedy: remedy.to_owned(),
    };
    let size = fs::metadata(path).map(|about| about.len());
    if size.is_ok_and(|size| size > LARGEST) {
        return Err(fault(
            "is larger than 1 MiB".to_owned(),
            "name the TOML file with the settings",
        ));
    }
    fs::read_to_string(path).map_err(|error| {
        fault(
            format!("cannot be read: {error}"),
            "check the path and who may read the file",
        )
    })
}

pub(super) fn parse(path: &Path, text: &str) -> (Said, Vec<Fault>) {
    let mut reader = Reader {
        path,
        text,
        said: Said::new(),
        faults: Vec::new(),
    };
    let (table, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        reader.table("", table.get_ref());
    }
    for error in errors {
        let at = error.span().map_or(0, |span| span.start);
        reader.fault("config", at, error.message().to_owned(), "mend the TOML");
    }
    // Tables are kept by name; people read a file from above.
    reader.faults.sort_by_key(|fault| match fault.origin {
        Origin::File { line, .. } => line,
        Origin::Flag(_) | Origin::Variable(_) | Origin::Default => 0,
    });
    (reader.said, reader.faults)
}

struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
    said: Said,
    faults: Vec<Fault>,
}

impl Reader<'_> {
    fn table(&mut self, prefix: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let at = name.span().start;
            let key = format!("{prefix}{}", name.get_ref());
            let inner = format!("{key}.");
            let holds_settings = SPECS.iter().any(|spec| spec.key.starts_with(&inner));
            match value.get_ref().as_table() {
                Some(table) if holds_settings => self.table(&inner, table),
                Some(_) | None => self.setting(&key, at, value),
            }
        }
    }

    fn setting(&mut self, key: &str, at: usize, value: &Spanned<DeValue<'_>>) {
        let Some(spec) = spec::find(key) else {
            let remedy = nearest(key, SPECS.iter().map(|spec| spec.key)).map_or_else(
                || "remove it; `marquetry serve --help` lists all settings".to_owned(),
                |near| format!("did you mean `{near}`?"),
            );
            self.fault(key, at, "is no setting".to_owned(), &remedy);
            return;
        };
        let found = match (spec.kind, value.get_ref()) {
            (Kind::Many, DeValue::Array(items)) => {
                items.iter().map(|item| scalar(item.get_ref())).collect()
            }
            (_, one) => scalar(one).map(|text| vec![text]),
        };
        match found {
            Some(values) => {
                let origin = self.origin(at);
                self.said.insert(spec.key, (values, origin));
            }
            None => {
                let wanted = match spec.kind {
                    Kind::Many => "write a list of texts, as [\"a\", \"b\"]",
                    Kind::One | Kind::Switch => "write one value",
                };
                let problem = format!("is {} here", value.get_ref().type_str());
                self.fault(key, at, problem, wanted);
            }
        }
    }

    fn fault(&mut self, setting: &str, at: usize, problem: String, remedy: &str) {
        self.faults.push(Fault {
            setting: setting.to_owned(),
            origin: self.origin(at),
            problem,
            remedy: remedy.to_owned(),
        });
    }

    fn origin(&self, at: usize) -> Origin {
        let before = self.text.get(..at).unwrap_or(self.text);
        Origin::File {
            path: self.path.to_owned(),
            line: before.matches('\n').count() + 1,
        }
    }
}

/// A value without parts as text; what text it must be is checked where it gets its type.
fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.as_str().replace('_', "")),
        DeValue::Boolean(yes) => Some(yes.to_string()),
        DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    }
}

//! What does not fit, in the words that clients of the original's API know.

use serde_json::{Map, Value, json};

/// A list over this length says nothing more to a reader.
const MOST_FAULTS: usize = 100;
/// How many options are named.
const MOST_OPTIONS: usize = 10;

/// The kind of a fault that is none of the value: what its schema asks for takes too long to find
/// out.
pub const TOO_COMPLEX: &str = "too_complex";

/// One step towards a place in a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A key of an object.
    Key(String),
    /// A place in a list, from 0.
    Index(usize),
}

/// Something in a value that its schema does not allow.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// Where, from the top.
    pub path: Vec<Step>,
    /// A stable word, pydantic 2's where it has one, else `value_error` or [`TOO_COMPLEX`].
    pub kind: &'static str,
    /// A sentence for people.
    pub message: String,
    /// The numbers and texts of the sentence for programs, as pydantic names them.
    pub context: Map<String, Value>,
}

impl std::fmt::Display for Fault {
    /// `shops[2].name: Input should be a valid string`
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (n, step) in self.path.iter().enumerate() {
            match step {
                Step::Key(key) => {
                    write!(f, "{}{}", if n == 0 { "" } else { "." }, short(key))?;
                }
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        let colon = if self.path.is_empty() { "" } else { ": " };
        write!(f, "{colon}{}", self.message)
    }
}

/// Collects the faults of one check, or only counts them.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    list: Vec<Fault>,
    path: Vec<Step>,
    count: usize,
    is_quiet: bool,
}

/// A point in a check to go back to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    listed: usize,
    count: usize,
}

impl Faults {
    /// One that only counts: for alternatives of which one may fit.
    pub(crate) fn quiet() -> Self {
        Self {
            is_quiet: true,
            ..Self::default()
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(crate) fn into_list(self) -> Vec<Fault> {
        self.list
    }

    /// How many there are, for [`Self::forget_since`].
    pub(crate) fn mark(&self) -> Mark {
        Mark {
            listed: self.list.len(),
            count: self.count,
        }
    }

    /// Forgets those that came after a mark.
    pub(crate) fn forget_since(&mut self, mark: Mark) {
        self.list.truncate(mark.listed);
        self.count = mark.count;
    }

    pub(crate) fn enter(&mut self, step: Step) {
        if !self.is_quiet {
            self.path.push(step);
        }
    }

    pub(crate) fn enter_key(&mut self, key: &str) {
        if !self.is_quiet {
            self.path.push(Step::Key(key.to_owned()));
        }
    }

    pub(crate) fn leave(&mut self) {
        self.path.pop();
    }

    pub(crate) fn add(&mut self, kind: &'static str, message: &str) {
        self.add_with(kind, || (message.to_owned(), Map::new()));
    }

    /// A fault about a bound, which its context repeats under `name`.
    pub(crate) fn add_bound(
        &mut self,
        kind: &'static str,
        name: &str,
        bound: &Value,
        sentence: &str,
    ) {
        self.add_with(kind, || {
            let context = Map::from_iter([(name.to_owned(), bound.clone())]);
            (sentence.replace("{}", &shown(bound)), context)
        });
    }

    /// A fault about a value that is none of `count` options.
    pub(crate) fn add_expected<'a>(
        &mut self,
        options: impl Iterator<Item = &'a Value>,
        count: usize,
    ) {
        self.add_with("enum", || {
            let mut named: Vec<String> = options.take(MOST_OPTIONS).map(shown).collect();
            if named.is_empty() {
                let message = "Input should be one of the options, and there are none";
                return (message.to_owned(), Map::new());
            }
            let last = match count.checked_sub(MOST_OPTIONS) {
                Some(more @ 1..) => format!("one of {more} more"),
                _ => named.pop().unwrap_or_default(),
            };
            let expected = if named.is_empty() {
                last
            } else {
                format!("{} or {last}", named.join(", "))
            };
            let context = Map::from_iter([("expected".to_owned(), json!(expected))]);
            (format!("Input should be {expected}"), context)
        });
    }

    pub(crate) fn add_with(
        &mut self,
        kind: &'static str,
        words: impl FnOnce() -> (String, Map<String, Value>),
    ) {
        self.count += 1;
        if self.is_quiet || self.list.len() == MOST_FAULTS {
            return;
        }
        let (message, context) = words();
        self.list.push(Fault {
            path: self.path.clone(),
            kind,
            message,
            context,
        });
    }
}

/// A value of a schema within a sentence.
fn shown(value: &Value) -> String {
    match value.as_str() {
        Some(text) => format!("'{}'", short(text)),
        None => short(&value.to_string()),
    }
}

fn short(text: &str) -> String {
    crate::problem::shown(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_names_its_place() {
        let key = |name: &str| Step::Key(name.to_owned());
        let fault = |path| Fault {
            path,
            kind: "missing",
            message: "Field required".to_owned(),
            context: Map::new(),
        };
        let deep = fault(vec![key("shops"), Step::Index(2), key("name")]);
        assert_eq!(deep.to_string(), "shops[2].name: Field required");
        assert_eq!(fault(Vec::new()).to_string(), "Field required");
    }

    #[test]
    fn options_are_named_up_to_ten() {
        let expected = |options: &[Value]| {
            let mut faults = Faults::default();
            faults.add_expected(options.iter(), options.len());
            faults.into_list().remove(0).message
        };
        assert_eq!(expected(&[json!("a")]), "Input should be 'a'");
        let three = [json!("a"), json!(2), json!(true)];
        assert_eq!(expected(&three), "Input should be 'a', 2 or true");
        let many: Vec<Value> = (0..12).map(Value::from).collect();
        assert!(expected(&many).ends_with("8, 9 or one of 2 more"));
        let none = "Input should be one of the options, and there are none";
        assert_eq!(expected(&[]), none);
    }

    #[test]
    fn the_list_is_bounded() {
        let mut faults = Faults::default();
        for _ in 0..1000 {
            faults.add("missing", "Field required");
        }
        assert_eq!(faults.into_list().len(), MOST_FAULTS);
    }
}

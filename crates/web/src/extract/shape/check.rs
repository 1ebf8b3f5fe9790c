//! Walking a value along its shape.

use marquetry_model::Timestamp;
use marquetry_wire::v2::{LocPart, ValidationError};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::{Bounds, Shape, lax};

/// What is sent back of a wrong input, in bytes of JSON at most.
const ECHO: usize = 1024;
/// Fields that hold or may hold secrets are not sent back; in an address somebody may have put one.
const SECRET: [&str; 5] = [
    "repository_credential",
    "repository_url",
    "build_env",
    "configs",
    "values",
];

/// Whether a field holds or may hold secrets.
pub(super) fn is_secret(name: &str) -> bool {
    SECRET.contains(&name)
}

type Faults = Vec<ValidationError>;
type Place = Vec<LocPart>;

/// One fault.
pub(crate) fn fault(
    loc: Place,
    kind: &'static str,
    msg: impl Into<String>,
    input: Option<Value>,
) -> ValidationError {
    let secret = |part: &LocPart| matches!(part, LocPart::Name(n) if is_secret(n));
    let input = input.filter(|_| !loc.iter().any(secret)).and_then(echo);
    ValidationError {
        loc,
        msg: msg.into(),
        kind,
        input,
        ctx: None,
    }
}

/// The input as it may be sent back: not when it is long, and without secrets.
fn echo(mut input: Value) -> Option<Value> {
    if let Value::Object(fields) = &mut input {
        for (name, value) in fields {
            if is_secret(name) {
                *value = "********".into();
            }
        }
    }
    (input.to_string().len() <= ECHO).then_some(input)
}

/// Moves a value that fits into its type. What only the type knows is a fault too.
pub(crate) fn finish<T: DeserializeOwned>(
    value: Value,
    loc: Place,
    faults: &mut Faults,
) -> Option<T> {
    match serde_json::from_value(value) {
        Ok(value) => Some(value),
        Err(error) => {
            faults.push(fault(
                loc,
                "value_error",
                format!("Value error, {error}"),
                None,
            ));
            None
        }
    }
}

impl Shape {
    /// The value as its type takes it, or every fault that it has.
    pub(crate) fn check(
        &self,
        value: Value,
        loc: &mut Place,
        faults: &mut Faults,
    ) -> Option<Value> {
        match self {
            Self::Any => Some(value),
            Self::Nullable(_) if value.is_null() => Some(value),
            Self::Nullable(shape) => shape.check(value, loc, faults),
            Self::OneOf(shapes) => one_of(shapes, &value, loc, faults),
            Self::List(item) => list(item, value, loc, faults),
            Self::Dict(item) => dict(item, value, loc, faults),
            Self::Object(fields) => {
                let before = faults.len();
                let fitting = fields.of_value(value, loc, faults)?;
                (faults.len() == before).then_some(Value::Object(fitting))
            }
            Self::Text
            | Self::DateTime
            | Self::Integer(_)
            | Self::Number(_)
            | Self::Boolean
            | Self::Word(_) => match self.scalar(&value) {
                Ok(fitting) => Some(fitting),
                Err((kind, text, ctx)) => {
                    faults.push(ValidationError {
                        ctx,
                        ..fault(loc.clone(), kind, text, Some(value))
                    });
                    None
                }
            },
        }
    }

    fn scalar(&self, value: &Value) -> Result<Value, lax::Wrong> {
        match self {
            Self::Text => match value.as_str() {
                // One of the two databases cannot keep it.
                Some(text) if text.contains('\0') => Err(lax::wrong(
                    "value_error",
                    "Value error, must not hold a NUL character",
                )),
                Some(_) => Ok(value.clone()),
                None => Err(no_text()),
            },
            Self::DateTime => match value.as_str().and_then(Timestamp::parse) {
                Some(_) => Ok(value.clone()),
                None if value.is_string() => Err(lax::wrong(
                    "datetime_parsing",
                    "Input should be a valid datetime",
                )),
                None => Err(lax::wrong(
                    "datetime_type",
                    "Input should be a valid datetime",
                )),
            },
            Self::Integer(bounds) => {
                let number = if bounds.is_count() {
                    lax::count(value)?
                } else {
                    lax::integer(value)?
                };
                bounds.check(number)?;
                Ok(number.into())
            }
            Self::Number(bounds) => {
                let number = lax::number(value)?;
                bounds.check(number)?;
                Ok(number.into())
            }
            Self::Boolean => lax::boolean(value).map(Value::from),
            Self::Word(words) => match value.as_str() {
                Some(text) if words.iter().any(|word| word == text) => Ok(value.clone()),
                _ => Err(no_word(words)),
            },
            Self::Any
            | Self::List(_)
            | Self::Dict(_)
            | Self::Object(_)
            | Self::Nullable(_)
            | Self::OneOf(_) => Err(no_text()),
        }
    }
}

impl Bounds {
    /// Whether it says how many: none at least, and any number. What such a number is too large for
    /// is cut to what there is, so it is never too large itself.
    fn is_count(self) -> bool {
        self.least == Some(0) && self.most.is_none()
    }

    fn check<N: PartialOrd + Copy + FromI64>(self, number: N) -> Result<(), lax::Wrong> {
        let with = |name: &str, bound: i64| Some(Map::from_iter([(name.to_owned(), json!(bound))]));
        if let Some(least) = self.least
            && number < N::from_i64(least)
        {
            let text = format!("Input should be greater than or equal to {least}");
            return Err(("greater_than_equal", text, with("ge", least)));
        }
        if let Some(most) = self.most
            && number > N::from_i64(most)
        {
            let text = format!("Input should be less than or equal to {most}");
            return Err(("less_than_equal", text, with("le", most)));
        }
        Ok(())
    }
}

/// Bounds are whole numbers; they bound floats too.
trait FromI64 {
    fn from_i64(value: i64) -> Self;
}

impl FromI64 for i64 {
    fn from_i64(value: i64) -> Self {
        value
    }
}

impl FromI64 for f64 {
    #[expect(clippy::cast_precision_loss, reason = "bounds are small")]
    fn from_i64(value: i64) -> Self {
        value as Self
    }
}

fn no_text() -> lax::Wrong {
    lax::wrong("string_type", "Input should be a valid string")
}

/// `'a', 'b' or 'c'`.
fn no_word(words: &[String]) -> lax::Wrong {
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let expected = match quoted.as_slice() {
        [] => String::new(),
        [only] => only.clone(),
        [most @ .., last] => format!("{} or {last}", most.join(", ")),
    };
    let ctx = Map::from_iter([("expected".to_owned(), expected.clone().into())]);
    ("enum", format!("Input should be {expected}"), Some(ctx))
}

fn list(item: &Shape, value: Value, loc: &mut Place, faults: &mut Faults) -> Option<Value> {
    let Value::Array(found) = value else {
        let text = "Input should be a valid list";
        faults.push(fault(loc.clone(), "list_type", text, Some(value)));
        return None;
    };
    let before = faults.len();
    let mut fitting = Vec::with_capacity(found.len());
    for (index, value) in found.into_iter().enumerate() {
        loc.push(LocPart::Index(i64::try_from(index).unwrap_or(i64::MAX)));
        fitting.extend(item.check(value, loc, faults));
        loc.pop();
    }
    (faults.len() == before).then_some(Value::Array(fitting))
}

fn dict(item: &Shape, value: Value, loc: &mut Place, faults: &mut Faults) -> Option<Value> {
    let Value::Object(found) = value else {
        let text = "Input should be a valid dictionary";
        faults.push(fault(loc.clone(), "dict_type", text, Some(value)));
        return None;
    };
    if matches!(item, Shape::Any) {
        return Some(Value::Object(found));
    }
    let before = faults.len();
    let mut fitting = Map::new();
    for (name, value) in found {
        loc.push(LocPart::Name(name.clone()));
        if let Some(value) = item.check(value, loc, faults) {
            fitting.insert(name, value);
        }
        loc.pop();
    }
    (faults.len() == before).then_some(Value::Object(fitting))
}

/// The first that fits; when none does, each says why, under its own name.
fn one_of(shapes: &[Shape], value: &Value, loc: &mut Place, faults: &mut Faults) -> Option<Value> {
    let mut all = Vec::new();
    for shape in shapes {
        loc.push(LocPart::Name(shape.name()));
        let fitting = shape.check(value.clone(), loc, &mut all);
        loc.pop();
        if fitting.is_some() {
            return fitting;
        }
    }
    faults.append(&mut all);
    None
}

impl Shape {
    /// What pydantic calls the member of a union.
    fn name(&self) -> String {
        match self {
            Self::Any => "any".to_owned(),
            Self::Text => "str".to_owned(),
            Self::DateTime => "datetime".to_owned(),
            Self::Integer(_) => "int".to_owned(),
            Self::Number(_) => "float".to_owned(),
            Self::Boolean => "bool".to_owned(),
            Self::Word(_) => "enum".to_owned(),
            Self::List(item) => format!("list[{}]", item.name()),
            Self::Dict(item) => format!("dict[str,{}]", item.name()),
            Self::Object(_) => "model".to_owned(),
            Self::Nullable(shape) => format!("nullable[{}]", shape.name()),
            Self::OneOf(_) => "union".to_owned(),
        }
    }
}

//! The one error that use cases answer with, cut by what the caller can do about it.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

use serde_json::{Map, Value};

/// What every use case answers.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a use case did not do what was asked. Texts are public; causes are for the log alone.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The thing does not exist, or the caller may not know that it does.
    #[error("{kind} {id} was not found")]
    NotFound {
        /// What was looked for: `tenant`, `run`…
        kind: &'static str,
        /// How it was named.
        id: String,
    },
    /// The thing is in a state that does not allow it.
    #[error("{message}")]
    Conflict {
        /// A stable word for programs.
        code: &'static str,
        /// The sentence for people.
        message: String,
    },
    /// The input is wrong: every fault that was found, at once.
    #[error("{}", sentence(.0))]
    Invalid(Vec<FieldError>),
    /// No valid key.
    #[error("Not authorized")]
    Unauthenticated,
    /// A valid key that may not do this.
    #[error("Not authorized")]
    Forbidden,
    /// Too much at once; try again later.
    #[error("{message}")]
    RateLimited {
        /// Seconds to wait.
        retry_after_s: u32,
        /// Which limit was met.
        message: String,
    },
    /// The platform cannot do it now; the same request may work later.
    #[error("{message}")]
    Unavailable {
        /// What is missing.
        message: String,
        /// What happened, for the log.
        #[source]
        cause: Option<Box<dyn StdError + Send + Sync>>,
    },
    /// A fault of ours.
    #[error("an internal error occurred; the server's log has the cause")]
    Internal(#[source] Box<dyn StdError + Send + Sync>),
}

impl Error {
    /// `kind` with this id does not exist.
    pub fn not_found(kind: &'static str, id: impl fmt::Display) -> Self {
        Self::NotFound {
            kind,
            id: id.to_string(),
        }
    }

    /// One wrong field of a body.
    pub fn invalid(field: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError::body(field, message)])
    }

    /// A state that does not allow it.
    pub fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::Conflict {
            code,
            message: message.into(),
        }
    }

    /// A fault of ours with its cause.
    pub fn internal(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Internal(cause.into())
    }

    /// Whether the same request may succeed later without a change.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::RateLimited { .. } | Self::Unavailable { .. } => true,
            Self::NotFound { .. }
            | Self::Conflict { .. }
            | Self::Invalid(_)
            | Self::Unauthenticated
            | Self::Forbidden
            | Self::Internal(_) => false,
        }
    }
}

/// Where in a request something is wrong: a name or an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Loc {
    /// A part, a field or a parameter.
    Name(Cow<'static, str>),
    /// A place in a list.
    Index(usize),
}

/// One wrong place of the input, in the words of the contract's `ValidationError`. What was sent there
/// is the door's to add: it alone has the request.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldError {
    /// `["body", "name"]`, `["query", "limit"]`, `["path", "tenant_id"]`.
    pub loc: Vec<Loc>,
    /// The sentence, with the remedy.
    pub message: String,
    /// A stable word: pydantic 2's where it has one, else `value_error`.
    pub kind: &'static str,
    /// The numbers and texts of the sentence, under pydantic's names.
    pub context: Option<Map<String, Value>>,
}

impl FieldError {
    /// A field of the body that parses but cannot be accepted.
    pub fn body(field: &'static str, message: impl Into<String>) -> Self {
        Self::at("body", field, message)
    }

    /// A parameter of the query.
    pub fn query(field: &'static str, message: impl Into<String>) -> Self {
        Self::at("query", field, message)
    }

    /// With a longer place, a stable word of pydantic's and what the sentence is made of.
    #[must_use]
    pub fn with_kind(
        mut self,
        below: impl IntoIterator<Item = Loc>,
        kind: &'static str,
        context: Map<String, Value>,
    ) -> Self {
        self.loc.extend(below);
        self.kind = kind;
        self.context = Some(context).filter(|context| !context.is_empty());
        self
    }

    /// The body as a whole.
    pub fn whole_body(message: impl Into<String>) -> Self {
        let mut fault = Self::at("body", "", message);
        fault.loc.truncate(1);
        fault
    }

    fn at(part: &'static str, field: &'static str, message: impl Into<String>) -> Self {
        Self {
            loc: vec![Loc::Name(part.into()), Loc::Name(field.into())],
            message: message.into(),
            kind: "value_error",
            context: None,
        }
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, part) in self.loc.iter().skip(1).enumerate() {
            let dot = if n == 0 { "" } else { "." };
            match part {
                Loc::Name(name) => write!(f, "{dot}{name}")?,
                Loc::Index(index) => write!(f, "{dot}{index}")?,
            }
        }
        write!(f, ": {}", self.message)
    }
}

fn sentence(errors: &[FieldError]) -> String {
    let all: Vec<String> = errors.iter().map(ToString::to_string).collect();
    all.join("; ")
}

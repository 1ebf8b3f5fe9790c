//! The page that asks which of several things is meant.

use askama::Template;

/// Asks for one of a few, as which workspace to connect.
#[derive(Template)]
#[template(path = "connect/choice.html", whitespace = "minimize")]
pub(crate) struct ChoicePage {
    pub(crate) heading: String,
    /// Whose product the customer comes from.
    pub(crate) account: Option<String>,
    pub(crate) question: String,
    /// The path that the form is sent to.
    pub(crate) action: String,
    /// What the form carries along.
    pub(crate) hidden: Hidden,
    pub(crate) options: Vec<Choice>,
    /// What was wrong with the last answer.
    pub(crate) error: Option<String>,
}

impl ChoicePage {
    /// The name under which the form sends the chosen id.
    pub(crate) const NAME: &str = "choice";
}

/// A value that the customer neither sees nor changes.
pub(crate) struct Hidden {
    pub(crate) name: String,
    pub(crate) value: String,
}

/// One of the options.
pub(crate) struct Choice {
    pub(crate) id: String,
    pub(crate) title: String,
}

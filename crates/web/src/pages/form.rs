//! The page that asks for credentials.

use askama::Template;

use super::field::{Control, PageField};

/// Asks for what a connection needs.
///
/// The answer to its POST must not redirect to another site: see [`LeavingPage`](super::LeavingPage).
#[derive(Template)]
#[template(path = "connect/form.html", whitespace = "minimize")]
pub(crate) struct FormPage {
    /// As "Connect Slack".
    pub(crate) heading: String,
    /// Whose product the customer comes from.
    pub(crate) account: Option<String>,
    pub(crate) intro: Option<String>,
    /// The path that the form is sent to.
    pub(crate) action: String,
    pub(crate) fields: Vec<PageField>,
    /// What is wrong as a whole.
    pub(crate) error: Option<String>,
    /// What the button says, as "Connect" or "Continue to Slack".
    pub(crate) submit: String,
}

impl FormPage {
    fn is_wrong(&self) -> bool {
        self.error.is_some() || self.has_wrong_fields()
    }

    fn has_wrong_fields(&self) -> bool {
        self.fields.iter().any(|field| field.error.is_some())
    }

    fn summary(&self) -> &str {
        self.error
            .as_deref()
            .unwrap_or("Some of the details need a change")
    }
}

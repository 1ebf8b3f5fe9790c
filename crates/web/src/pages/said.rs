//! Pages that only say something.

use askama::Template;

use super::href::Href;

/// Says that the system is connected.
#[derive(Template)]
#[template(path = "connect/done.html", whitespace = "minimize")]
pub(crate) struct DonePage {
    /// As "Slack is connected".
    pub(crate) heading: String,
    /// Whose product the customer comes from.
    pub(crate) account: Option<String>,
    pub(crate) text: String,
    /// The connector's name, for the page that opened this one.
    pub(crate) connector: String,
    /// Whether this was a window of its own, which ends here.
    pub(crate) can_close: bool,
}

/// Says why it cannot go on: a provider's error, a link that has expired.
#[derive(Template)]
#[template(path = "connect/problem.html", whitespace = "minimize")]
pub(crate) struct ProblemPage {
    pub(crate) heading: String,
    /// Whose product the customer comes from.
    pub(crate) account: Option<String>,
    pub(crate) text: String,
    /// What to do about it.
    pub(crate) remedy: Option<String>,
    /// What a link says, and where it goes.
    pub(crate) retry: Option<(String, Href)>,
}

/// Goes on to a provider at once. It is the answer to a POST that would else be a redirect.
///
/// A browser may apply `form-action` to every redirect after a POST, and a provider redirects to
/// hosts that nobody can list beforehand (its customer's own, a single sign-on). Instead of forms
/// that may be sent anywhere, there is a page in between: what a page goes on to by itself is no
/// form's action.
#[derive(Template)]
#[template(path = "connect/leaving.html", whitespace = "minimize")]
pub(crate) struct LeavingPage {
    /// As "Continuing to Slack".
    pub(crate) heading: String,
    /// Whose product the customer comes from.
    pub(crate) account: Option<String>,
    /// What the link says, for who is not taken there.
    pub(crate) label: String,
    pub(crate) href: Href,
}

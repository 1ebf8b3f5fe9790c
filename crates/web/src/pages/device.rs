//! The page that shows a code to be entered elsewhere.

use askama::Template;

use super::href::Href;

/// Shows a code, and looks again and again whether it was entered.
#[derive(Template)]
#[template(path = "connect/device.html", whitespace = "minimize")]
pub(crate) struct DevicePage {
    pub(crate) heading: String,
    /// Whose product the customer comes from.
    pub(crate) account: Option<String>,
    pub(crate) text: String,
    /// What the customer enters.
    pub(crate) code: String,
    /// Where.
    pub(crate) verification: Href,
    /// After how long the page loads again by itself, if it does.
    pub(crate) refresh_seconds: Option<u32>,
    /// This page, for who does not wait.
    pub(crate) check: Href,
    /// This page without loading by itself, which takes a reader back to the top of it each time.
    pub(crate) pause: Option<Href>,
}

//! What a command says when it cannot do what it was asked.

use std::fmt;

use crate::client::ClientError;
use crate::printer::Printer;

/// One sentence, its details, and what to do about it.
#[derive(Debug)]
pub(crate) struct Failure {
    sentence: String,
    details: Vec<String>,
    remedy: Option<String>,
}

impl Failure {
    /// A sentence in lower case without a full stop.
    pub(crate) fn new(sentence: impl Into<String>) -> Self {
        Self {
            sentence: sentence.into(),
            details: Vec::new(),
            remedy: None,
        }
    }

    /// Adds what to do.
    pub(crate) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// Adds lines that each say a part of it.
    pub(crate) fn details(mut self, details: Vec<String>) -> Self {
        self.details = details;
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl std::error::Error for Failure {}

/// Prints an error, whichever it is.
pub(crate) fn print(error: &anyhow::Error, to: &mut Printer) {
    if let Some(failure) = error.downcast_ref::<Failure>() {
        to.error(
            &failure.sentence,
            &failure.details,
            failure.remedy.as_deref(),
        );
    } else if let Some(refused) = error.downcast_ref::<ClientError>() {
        to.error(
            &refused.to_string(),
            &refused.details(),
            refused.remedy().as_deref(),
        );
    } else {
        // The chain's outermost sentence says what was tried, the rest why it did not work.
        to.error(&format!("{error:#}"), &[], None);
    }
}

//! The languages of the examples.

use std::ffi::OsStr;
use std::time::Duration;

use super::examples::{self, ExampleFile};
use crate::programs;

/// A language with an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    /// JavaScript on Node.
    Node,
    /// Python 3.
    Python,
}

impl Language {
    /// All of them.
    pub(crate) const ALL: [Self; 2] = [Self::Node, Self::Python];

    /// What runs it.
    pub(crate) const fn program(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Python => "python3",
        }
    }

    /// The name of its example.
    pub(super) const fn example(self) -> &'static str {
        match self {
            Self::Node => "node-counter",
            Self::Python => "python-counter",
        }
    }

    /// The name of its example for people.
    pub(super) const fn long_name(self) -> &'static str {
        match self {
            Self::Node => "Counter, in Node",
            Self::Python => "Counter, in Python",
        }
    }

    /// The customer that its example is run for.
    pub(super) const fn tenant(self) -> &'static str {
        match self {
            Self::Node => "acme",
            Self::Python => "globex",
        }
    }

    /// The files of its example.
    pub(super) const fn files(self) -> &'static [ExampleFile] {
        match self {
            Self::Node => examples::NODE,
            Self::Python => examples::PYTHON,
        }
    }

    /// Whether it is on this machine.
    pub(super) async fn is_there(self) -> bool {
        let arguments = [OsStr::new("--version")];
        let limit = Duration::from_secs(15);
        let said = programs::ask(self.program(), &arguments, None, &[], limit).await;
        said.is_ok_and(|said| said.ok)
    }
}

//! The checks, one file each.

mod deps;
mod docs;
mod files;
mod guarantees;
mod migrations;
mod store_contract;
mod words;

use crate::findings::Findings;
use crate::repository::Repository;

/// One check as the command line knows it.
pub(crate) struct Check {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) run: fn(&Repository) -> anyhow::Result<Findings>,
}

/// Every check, in the order in which `cargo xtask check` runs them.
pub(crate) const ALL: &[Check] = &[
    Check {
        name: "check-deps",
        about: "crates depend on each other as the architecture says",
        run: deps::run,
    },
    Check {
        name: "check-files",
        about: "source files are small and have a telling name",
        run: files::run,
    },
    Check {
        name: "check-words",
        about: "no leftovers of a workplace, no unfinished code",
        run: words::run,
    },
    Check {
        name: "check-store-contract",
        about: "every store function is named in a contract test",
        run: store_contract::run,
    },
    Check {
        name: "check-migrations",
        about: "both databases have the same migrations",
        run: migrations::run,
    },
    Check {
        name: "check-docs",
        about: "links and paths in the documents exist",
        run: docs::run,
    },
    Check {
        name: "check-guarantees",
        about: "functions and tests that docs/guarantees.md names exist",
        run: guarantees::run,
    },
];

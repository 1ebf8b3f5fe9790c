//! What each language needs: programs, caches, and where its packages land.
//!
//! There are no images. A build and a run use the machine's own programs, and what a package
//! manager installs for "the system" must come to lie in the artifact, because that alone is
//! there in the run. `table.rs` says so for each language in one place; nothing else of the
//! engine knows a package manager's name.

mod environment;
mod mirrors;
mod options;
mod select;
mod table;
mod version;

pub(crate) use environment::{
    Places, build_variables, certificate_variables, certificates, merge, run_variables,
};
pub(crate) use mirrors::mirrors;
pub(crate) use select::tools;
pub use select::{SYSTEM_PATH, program_folders};
pub use table::{Program, TOOLCHAINS, Toolchain, toolchain};
pub(crate) use version::serves;
pub use version::version_in;

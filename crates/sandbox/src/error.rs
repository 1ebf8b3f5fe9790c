//! Errors of starting the sandbox or a child.

use std::io;
use std::path::PathBuf;

/// Why the sandbox or a child could not be started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Parts of the full sandbox are missing on this host.
    #[error(
        "the full sandbox is not available: {missing}; run `marquetry doctor` for the remedies"
    )]
    Unavailable {
        /// The missing parts with their reasons.
        missing: String,
    },
    /// The instance name has characters that cannot be in a folder name.
    #[error("sandbox instance name {name:?} may only have letters, digits, `-` and `_`")]
    InstanceName {
        /// The name.
        name: String,
    },
    /// The spawner process could not be started.
    #[error("cannot start the sandbox's spawner {}", program.display())]
    StartSpawner {
        /// Its program.
        program: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The spawner could not prepare itself.
    #[error("the sandbox's spawner cannot prepare: {reason}")]
    PrepareSpawner {
        /// The step and what the system said, as told by the other process.
        reason: String,
    },
    /// The spawner went away.
    #[error("the sandbox's spawner does not answer")]
    SpawnerGone {
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A child could not be set up; nothing was started.
    #[error("the sandbox cannot be set up: {reason}")]
    Setup {
        /// The step and what the system said, as told by the other process.
        reason: String,
    },
    /// All slots are taken.
    #[error("8192 children are running already; wait for one to end")]
    TooMany,
    /// The command of a [`crate::Spec`] is empty, or a string of it holds a NUL byte.
    #[error("{what} of the command to start is empty or holds a nul byte")]
    InvalidSpec {
        /// Which part.
        what: &'static str,
    },
    /// The container engine cannot be used.
    #[error("the container engine {program:?} cannot be used: {reason}")]
    Engine {
        /// Its program.
        program: std::ffi::OsString,
        /// What it said, or the system.
        reason: String,
    },
    /// An image is asked for and there is no engine.
    #[error("there is no container engine to run the image {image}")]
    NoEngine {
        /// The image.
        image: String,
    },
    /// A mount's path cannot be told to a container engine.
    #[error("{} has a colon in its name: no container engine can mount it", path.display())]
    MountName {
        /// The host path.
        path: PathBuf,
    },
    /// A mount's source cannot be opened.
    #[error("cannot mount {}", source_path.display())]
    Mount {
        /// The host path.
        source_path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A limit could not be set.
    #[error("cannot set the limits of a child in control group {}", group.display())]
    ControlGroup {
        /// The control group's folder.
        group: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A program could not be started (mode off).
    #[error("cannot start {program:?}")]
    Start {
        /// The program.
        program: std::ffi::OsString,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The system refused a pipe, socket or memory file.
    #[error("cannot {step} for a child")]
    System {
        /// What was tried.
        step: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl Error {
    /// Maps a system error of `step`, for `map_err`.
    pub(crate) fn system<E: Into<io::Error>>(step: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::System {
            step,
            source: source.into(),
        }
    }
}

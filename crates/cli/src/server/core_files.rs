//! No image of the server's memory on any disk.

use rustix::process::{Resource, Rlimit, setrlimit};

/// Forbids core files, for this process and all that it starts: opened credentials, data keys and the master key
/// are in its memory, and a core file would have them open, outside of the data folder and of every backup plan.
/// A collector to which the kernel pipes instead is told of the limit, and those of the distributions keep to it.
pub(super) fn forbid() {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    if let Err(error) = setrlimit(Resource::Core, none) {
        // Everybody may lower a limit of their own; where something refuses it all the same, serving counts more.
        tracing::warn!(%error, "core files could not be forbidden; a crash would write secrets to disk");
    }
}

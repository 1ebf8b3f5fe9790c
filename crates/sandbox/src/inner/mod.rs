//! Everything that runs in the spawner and below it, never in the server.
//!
//! These processes are single-threaded, so they may clone themselves and go on in any code.

mod confine;
mod container;
mod filter;
mod identity;
mod keeper;
mod network;
mod payload;
mod pid1;
mod probe;
mod processes;
mod root;
mod spawner;
pub(crate) mod sys;
mod users;

use std::fmt::Display;

pub(crate) use probe::PROBE_ARGUMENT;
pub(crate) use spawner::read_memory;

/// Further argument that makes the helper the keeper.
pub(crate) const KEEPER_ARGUMENT: &str = "keeper";

/// Further argument that makes the helper the conductor of a container.
pub(crate) const CONDUCTOR_ARGUMENT: &str = "container";

/// Result of a set-up step; the error is the sentence that is told to the server.
pub(crate) type Step<T> = Result<T, String>;

/// Names the step in a system error, for `map_err`.
pub(crate) fn at<E: Display>(step: impl Display) -> impl FnOnce(E) -> String {
    move |error| format!("{step}: {error}")
}

/// Runs as the sandbox's spawner; never returns.
///
/// The program that the server's [`crate::Config`] names must call this before it does anything
/// else (before it starts threads, above all) when its first argument is `__sandbox`. Standard
/// input is the socket to the server.
pub fn helper_main() -> ! {
    match std::env::args_os().next_back() {
        Some(last) if last == PROBE_ARGUMENT => probe::main(),
        Some(last) if last == KEEPER_ARGUMENT => keeper::main(),
        Some(last) if last == CONDUCTOR_ARGUMENT => container::main(),
        Some(_) | None => spawner::main(),
    }
}

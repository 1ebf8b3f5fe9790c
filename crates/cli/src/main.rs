//! The binary `marquetry`: server and client in one.

mod bench;
mod chaos;
mod client;
mod commands;
mod config;
mod demo;
mod doctor;
#[cfg(test)]
mod document;
mod failure;
mod interrupt;
mod load;
mod own_server;
mod printer;
mod programs;
mod server;
mod trial;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use crate::commands::CommandLine;
use crate::printer::Printer;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    if let Some(code) = sandbox_process() {
        return code;
    }
    let line = CommandLine::parse();
    let environment: config::Environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let mut printer = Printer::new(wants_colours(&environment));
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers())
        // Longer than the pause between two looks of an idle node, or each look would be followed by a
        // second wake-up, to end the threads that it used.
        .thread_keep_alive(Duration::from_secs(40))
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            printer.error(&format!("cannot start threads: {error}"), &[], None);
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(commands::run(line, &environment, &mut printer)) {
        Ok(code) => match printer.output_failure() {
            None => ExitCode::from(code),
            Some(error) => {
                printer.error(&format!("cannot write the output: {error}"), &[], None);
                ExitCode::FAILURE
            }
        },
        Err(error) => {
            failure::print(&error, &mut printer);
            ExitCode::FAILURE
        }
    }
}

/// The sandbox starts this same binary again, with a word that no person types, as the first
/// process of a run. That must be noticed before there are threads, an allocator's arenas or an
/// open file.
fn sandbox_process() -> Option<ExitCode> {
    let word = std::env::args_os().nth(1)?;
    if word != "__sandbox" {
        return None;
    }
    server::sandbox_main()
}

fn wants_colours(environment: &config::Environment) -> bool {
    let said = |name: &str| {
        environment
            .get(name)
            .map(String::as_str)
            .unwrap_or_default()
    };
    said("NO_COLOR").is_empty() && said("TERM") != "dumb"
}

/// Half as many threads again as processors: one that commits waits for the disk, and one that
/// starts a process for the kernel to put the program in place.
fn workers() -> usize {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    processors + processors / 2
}

//! `build` and `run`.

use super::{required, value_place, wrong_shape};
use crate::problem::Report;
use crate::yaml::Node;

/// Longest command, in bytes: Linux caps one argument at 128 KiB, and the shell gets it as one.
pub(crate) const LONGEST: usize = 96 * 1024;

/// The shell command under `key`; any scalar will do, since `true` is a command as well.
pub(super) fn command(root: &Node, key: &str, report: &mut Report) -> Option<String> {
    let example = match key {
        "build" => "npm ci",
        _ => "node .",
    };
    let entry = required(root, key, example, report)?;
    if entry.value.entries().is_some() || entry.value.items().is_some() {
        let expected = "one shell command as text (join several with `&&`)";
        wrong_shape(entry, key, expected, report);
        return None;
    }
    let command = entry.value.written().unwrap_or_default();
    if command.trim().is_empty() {
        let message = match key {
            "build" => {
                "the command is empty; write `true` when there is nothing to build".to_owned()
            }
            _ => format!("the command is empty; write what starts the code, such as `{example}`"),
        };
        report.problem(value_place(entry), key, message);
        return None;
    }
    if command.len() > LONGEST {
        let message = format!("the command is over {LONGEST} bytes; move it into a script");
        report.problem(entry.value.place, key, message);
        return None;
    }
    Some(command.to_owned())
}

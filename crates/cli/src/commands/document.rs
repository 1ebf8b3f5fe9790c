//! `docs/cli.md` is the program's own help.

use std::fmt::Write as _;

use clap::{Command, CommandFactory as _};

use super::CommandLine;

const CONNECTION: &str = "Connection and output";
const SERVER: &str = "Server settings";

#[test]
fn the_command_line_is_documented() {
    let mut all = without(CommandLine::command(), &[CONNECTION, SERVER]).term_width(100);
    all.build();
    let mut text = "# The command line\n\n\
        <!-- Made from the program's help: MARQUETRY_BLESS=1 cargo test -p marquetry --bin marquetry document -->\n\n\
        Each command says the same with `--help`. `serve`, `demo`, `doctor` and `config check` take the settings\n\
        in [configuration](configuration.md); all others speak to a server and take the options under\n\
        [connection and output](#connection-and-output).\n"
        .to_owned();
    add(&mut text, &mut all);
    let mut connection = Command::new("").disable_help_flag(true).term_width(100);
    let client = CommandLine::command();
    let client = client.find_subcommand("sync").unwrap();
    for argument in client.get_arguments() {
        if argument.get_help_heading() == Some(CONNECTION) {
            connection = connection.arg(argument.clone().hide_env_values(true));
        }
    }
    let mut connection = connection.help_template("{options}");
    section(&mut text, CONNECTION, &mut connection);
    crate::document::check("cli.md", &text);
}

/// Without the options under these headings, without what all commands have, and without values
/// of this process's environment.
fn without(command: Command, headings: &[&str]) -> Command {
    let hides = |heading: Option<&str>| heading.is_some_and(|one| headings.contains(&one));
    command
        .disable_help_flag(true)
        .disable_help_subcommand(true)
        .mut_args(|argument| {
            let hide = hides(argument.get_help_heading());
            argument.hide(hide).hide_env_values(true)
        })
        .mut_subcommands(|inner| without(inner, headings))
}

fn add(text: &mut String, command: &mut Command) {
    let name = command.get_bin_name().unwrap_or("marquetry").to_owned();
    // What a group says stands again in its commands.
    if name == "marquetry" || !command.has_subcommands() {
        section(text, &format!("`{name}`"), command);
    }
    for inner in command.get_subcommands_mut() {
        add(text, inner);
    }
}

fn section(text: &mut String, title: &str, command: &mut Command) {
    write!(text, "\n## {title}\n\n```text\n").unwrap();
    let help = command.render_long_help().to_string();
    let lines: Vec<&str> = help.trim_matches('\n').lines().map(str::trim_end).collect();
    let indented = |line: Option<&&str>| line.is_some_and(|line| line.starts_with(' '));
    for (index, line) in lines.iter().enumerate() {
        // Air between options is for terminals.
        let air = line.is_empty() && indented(lines.get(index + 1));
        if !(air && indented(lines[..index].last())) {
            writeln!(text, "{line}").unwrap();
        }
    }
    text.push_str("```\n");
}

//! The reference of the command line, `docs/cli.md`, from the same source as `--help`.

use std::io;

use clap::{ColorChoice, Command, CommandFactory as _};

use super::Cli;
use super::man::for_each_command;

/// The reference as Markdown.
///
/// # Errors
/// None is known; writing to memory could fail in principle.
pub fn markdown() -> io::Result<String> {
    let mut command = Cli::command().color(ColorChoice::Never).term_width(100);
    command.build();
    let mut out = String::from(
        "# The command line\n\nGenerated from `provisor --help` and `provisor COMMAND --help`; a test keeps it current.\n",
    );
    section(&mut out, "provisor", &command);
    for_each_command(&command, "provisor", &mut |name, command| {
        section(&mut out, name, command);
        Ok(())
    })?;
    Ok(out)
}

fn section(out: &mut String, name: &str, command: &Command) {
    let help = command.clone().color(ColorChoice::Never).term_width(100).render_long_help().to_string();
    let help: Vec<&str> = help.lines().map(str::trim_end).collect();
    let help = help.join("\n");
    out.extend(["\n## ", name, "\n\n```text\n", help.trim_end(), "\n```\n"]);
}

//! `provisor man`: the manual page, every command in one page.

use std::io;

use clap::{Command, CommandFactory as _};
use clap_mangen::Man;

use super::Cli;
use super::console::Console;
use super::exit::{Exit, Failure};
use super::render::Format;
use crate::diagnostic::Problem;

const AFTER: &str = "\
Examples:
  provisor man | man -l -
  provisor man > /usr/local/share/man/man1/provisor.1";

/// Print the manual page
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(super) struct Args {}

pub(super) fn run(_: &Args, console: &Console) -> Result<Exit, Failure> {
    let page = page().map_err(|error| {
        Failure::from(Problem::new("provisor::man", format!("cannot write the manual page: {error}")))
    })?;
    console.print(&String::from_utf8_lossy(&page), Format::Json)?;
    Ok(Exit::Done)
}

fn page() -> io::Result<Vec<u8>> {
    let mut command = Cli::command();
    command.build();
    let mut page = Vec::new();
    let man = Man::new(command.clone());
    man.render(&mut page)?;
    for_each_command(&command, "provisor", &mut |name, command| {
        page.extend(format!(".SH \"COMMAND {}\"\n", name.to_uppercase()).bytes());
        let man = Man::new(command.clone());
        let mut part = Vec::new();
        man.render_synopsis_section(&mut part)?;
        man.render_description_section(&mut part)?;
        man.render_options_section(&mut part)?;
        if command.get_after_help().is_some() || command.get_after_long_help().is_some() {
            man.render_extra_section(&mut part)?;
        }
        // Sections of a command are parts of its section.
        page.extend(String::from_utf8_lossy(&part).replace("\n.SH ", "\n.SS ").replacen(".SH ", ".SS ", 1).bytes());
        Ok(())
    })?;
    Ok(page)
}

/// Visits every command that does something, with its whole name.
pub(super) fn for_each_command(
    command: &Command,
    name: &str,
    visit: &mut dyn FnMut(&str, &Command) -> io::Result<()>,
) -> io::Result<()> {
    for command in command.get_subcommands().filter(|command| command.get_name() != "help") {
        let name = format!("{name} {}", command.get_name());
        if command.has_subcommands() {
            for_each_command(command, &name, visit)?;
        } else {
            visit(&name, command)?;
        }
    }
    Ok(())
}

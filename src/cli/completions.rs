//! `provisor completions`: what a shell needs to complete command lines.

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::Cli;
use super::console::Console;
use super::exit::{Exit, Failure};
use super::render::Format;

const AFTER: &str = "\
Examples:
  provisor completions bash > /etc/bash_completion.d/provisor
  provisor completions zsh > \"${fpath[1]}/_provisor\"
  provisor completions fish > ~/.config/fish/completions/provisor.fish";

/// Print a completion script for a shell
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(super) struct Args {
    /// The shell
    shell: Shell,
}

pub(super) fn run(args: &Args, console: &Console) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "provisor", &mut script);
    console.print(&String::from_utf8_lossy(&script), Format::Json)?;
    Ok(Exit::Done)
}

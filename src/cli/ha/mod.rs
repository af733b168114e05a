//! `provisor ha`: what belongs to a Home Assistant and needs no manifest.

mod catalog;

use super::console::Console;
use super::exit::{Exit, Failure};

/// Look after Home Assistants
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Catalog(catalog::Args),
}

pub(super) fn run(args: &Args, console: &Console) -> Result<Exit, Failure> {
    match &args.command {
        Command::Catalog(args) => catalog::run(args, console),
    }
}

//! `provisor ha`: what is done beside the cycle of a Home Assistant.

mod catalog;
mod declaration;
mod export_rotated;
mod extract_token;
mod oauth;
mod sealed;

use super::console::Console;
use super::exit::{Exit, Failure};
use super::options::Common;

/// Look after a Home Assistant: its tokens, and the catalogue of its integrations
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Catalog(catalog::Args),
    ExtractToken(Box<extract_token::Args>),
    ExportRotated(export_rotated::Args),
    Oauth(Box<oauth::Args>),
}

pub(super) fn run(args: &Args, common: &Common, console: &Console) -> Result<Exit, Failure> {
    match &args.command {
        Command::Catalog(args) => catalog::run(args, console),
        Command::ExtractToken(args) => extract_token::run(args, common, console),
        Command::ExportRotated(args) => export_rotated::run(args, common, console),
        Command::Oauth(args) => oauth::run(args, common, console),
    }
}

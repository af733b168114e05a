//! `provisor keycloak doctor`: whether the identity has the rights that it needs, and no more.

use super::console::Console;
use super::exit::{Exit, Failure};
use super::options::{Common, Files};
use super::session;
use crate::diagnostic::Problem;

/// Look after a Keycloak realm
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Doctor(Doctor),
}

const AFTER: &str = "\
Examples:
  provisor keycloak doctor -f realm.yaml
  provisor keycloak doctor -f manifests --target fleet

Looks by harmless calls, names missing and excessive rights, and prints the commands that an
administrator runs for least privilege. Nothing is written.

Exit codes: 0 every right is there; 1 one is missing, or the realm could not be reached.";

/// Check the rights of a realm's identity by harmless calls
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(super) struct Doctor {
    #[command(flatten)]
    files: Files,
    /// The realm, by its name in the manifests; all where none is named
    #[arg(long, value_name = "NAME")]
    target: Option<String>,
}

pub(super) fn run(args: &Args, _common: &Common, console: &Console) -> Result<Exit, Failure> {
    let Command::Doctor(args) = &args.command;
    let _manifests = session::load(&args.files.files, console)?;
    let _ = &args.target;
    Err(Problem::new("provisor::keycloak::doctor", "STUB").into())
}

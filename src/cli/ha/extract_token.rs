//! `provisor ha extract-token`: from Home Assistant's storage to an encrypted file.

use std::path::PathBuf;

use super::declaration::Declaration;
use super::sealed::{Form, Sealed};
use crate::cli::console::Console;
use crate::cli::exit::{Exit, Failure};
use crate::cli::render::{self, Format};
use crate::diagnostic::Diagnostic;
use crate::home_assistant::stored::Entries;

const AFTER: &str = "\
Examples:
  provisor ha extract-token tado --storage /var/lib/hass --recipient age1... --out ha-tado.age
  provisor ha extract-token tado --storage /var/lib/hass --entry Office --recipient \"$(cat host.pub)\" --out office.age

The integration is added in Home Assistant once, by hand, with a browser. This takes the token that it
stored, encrypts it, and prints the lines that declare it: a manifest, and what NixOS needs as comments
below it. The token itself is printed nowhere, and no file holds it in the clear.

Exit codes: 0 written; 1 the entry or its credential was not found, or the file could not be written.";

/// Take a token out of Home Assistant's storage into an encrypted file
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(super) struct Args {
    /// The integration, such as `tado`
    integration: String,
    /// Home Assistant's configuration folder, its `.storage`, or the file `core.config_entries`
    #[arg(long, value_name = "PATH")]
    storage: PathBuf,
    /// The entry, by its id or title; may be left out where there is only one
    #[arg(long, value_name = "ID|TITLE")]
    entry: Option<String>,
    /// The stored field, dotted where it is nested; default: the refresh token, else the only field that looks like a
    /// credential
    #[arg(long, value_name = "PATH")]
    field: Option<String>,
    /// Who can decrypt the file: an age or SSH public key; may be repeated
    #[arg(long = "recipient", value_name = "KEY", required = true)]
    recipients: Vec<String>,
    /// The encrypted file
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// How it is encrypted
    #[arg(long, value_name = "FORM", default_value = "age")]
    format: Form,
}

pub(super) fn run(args: &Args, console: &Console) -> Result<Exit, Failure> {
    let sealed = Sealed::new(args.out.clone(), args.recipients.clone(), args.format)?;
    let entries = Entries::read(&args.storage).map_err(|error| error.to_problem())?;
    let entry = entries.select(&args.integration, args.entry.as_deref()).map_err(|error| error.to_problem())?;
    let path = match &args.field {
        Some(field) => field.clone(),
        None => entry.credential_path().map_err(|error| error.to_problem())?,
    };
    sealed.write(entry.credential(&path).map_err(|error| error.to_problem())?)?;
    let declaration = Declaration::new(entry, &path, entries.count(&entry.domain) > 1, true);
    print(&declaration, &sealed, console)?;
    console.say(&render::warnings(&[grows_old(entry.label())]));
    console.say(&format!("Wrote `{path}` of {} to `{}`.\n", entry.label(), sealed.file().display()));
    Ok(Exit::Done)
}

/// The manifest, and below it, as comments, what NixOS needs: the whole is a manifest, too.
fn print(declaration: &Declaration<'_>, sealed: &Sealed, console: &Console) -> Result<(), Failure> {
    let mut out = declaration.manifest();
    out.push_str("\n# For NixOS:\n");
    for line in declaration.nix(sealed).lines() {
        out.push_str(format!("#   {line}").trim_end());
        out.push('\n');
    }
    // Titles come from the server; YAML and Nix quote what is special in them.
    console.print(&out, Format::Json)
}

fn grows_old(entry: String) -> Diagnostic {
    let message = format!("the entry {entry} lives on, and may replace its token at any time: the copy grows old then");
    Diagnostic::new("provisor::home_assistant::grows_old", message)
        .with_hint("declare and apply soon; adopted, the entry keeps the token that it has by then")
}

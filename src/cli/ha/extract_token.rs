//! `provisor ha extract-token`: from Home Assistant's storage to an encrypted file.

use std::path::PathBuf;

use super::declaration::Declaration;
use super::sealed::{Form, Sealed};
use crate::cli::console::Console;
use crate::cli::exit::{Exit, Failure};
use crate::cli::options::Common;
use crate::cli::render::{self, Format};
use crate::cli::{session, signals};
use crate::diagnostic::{Diagnostic, Problem};
use crate::home_assistant::handover::{self, Waits};
use crate::home_assistant::stored::{Entries, Entry};
use crate::manifest::Manifests;
use crate::manifest::kinds::Spec;
use crate::manifest::kinds::home_assistant::HomeAssistantSpec;
use crate::secret::Secret;

const AFTER: &str = "\
Examples:
  provisor ha extract-token tado --storage /var/lib/hass --recipient age1... --out ha-tado.age
  provisor ha extract-token tado --storage /var/lib/hass --entry Office --recipient \"$(cat host.pub)\" --out office.age
  provisor ha extract-token tado --storage /var/lib/hass --recipient age1... --out ha-tado.age \\
    --delete-entry -f home.yaml

The integration is added in Home Assistant once, by hand, with a browser. This takes the token that it
stored, encrypts it, and prints the lines that declare it: a manifest, and what NixOS needs as comments
below it. The token itself is printed nowhere, and no file holds it in the clear.

With `--delete-entry` the entry is switched off, read once storage shows that, written, and then deleted,
so that the copy is the token that lives. Without it, the integration may replace its token later.

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
    /// Take the token of an entry at rest, and delete the entry: it is switched off in the running Home Assistant first,
    /// and deleted last
    #[arg(long, requires = "files")]
    delete_entry: bool,
    /// For `--delete-entry`: a manifest of the Home Assistant, a folder of them, or `-`; may be repeated
    #[arg(short = 'f', long = "file", value_name = "PATH", requires = "delete_entry")]
    files: Vec<String>,
    /// For `--delete-entry`: the Home Assistant, by its name in the manifests; may be left out where there is only one
    #[arg(long, value_name = "NAME", requires = "delete_entry")]
    target: Option<String>,
}

pub(super) fn run(args: &Args, common: &Common, console: &Console) -> Result<Exit, Failure> {
    let sealed = Sealed::new(args.out.clone(), args.recipients.clone(), args.format)?;
    let entries = Entries::read(&args.storage).map_err(|error| error.to_problem())?;
    let entry = entries.select(&args.integration, args.entry.as_deref()).map_err(|error| error.to_problem())?;
    let path = match &args.field {
        Some(field) => field.clone(),
        None => entry.credential_path().map_err(|error| error.to_problem())?,
    };
    let value = entry.credential(&path).map_err(|error| error.to_problem())?;
    if args.delete_entry {
        delete(args, (entry, &path), &sealed, common, console)?;
    } else {
        sealed.write(value)?;
    }
    let others = entries.count(&entry.domain) > 1;
    let declaration = Declaration::new(entry, &path, others, !args.delete_entry);
    let lines = declaration.lines(&sealed).map_err(|error| Problem::new("provisor::output", error.to_string()))?;
    // Titles come from the server; YAML and Nix quote what is special in them.
    console.print(&lines, Format::Json)?;
    let label = entry.label();
    console.say(&format!("Wrote `{path}` of {label} to `{}`.\n", sealed.file().display()));
    if args.delete_entry {
        console.say(&format!("Deleted {label}; an apply of the lines above makes it anew.\n"));
    } else {
        console.say(&render::warnings(&[grows_old(&label)]));
    }
    Ok(Exit::Done)
}

/// Takes the credential out of the running Home Assistant, and the entry with it.
fn delete(
    args: &Args,
    (entry, path): (&Entry, &str),
    sealed: &Sealed,
    common: &Common,
    console: &Console,
) -> Result<(), Failure> {
    let manifests = session::load(&args.files, console)?;
    let api = session::home_assistant_api(target(&manifests, args.target.as_deref())?, common)?;
    session::block_on(async {
        let stop = signals::watch(console)?;
        let (id, label) = (entry.entry_id.as_str(), entry.label());
        let write = |value: &Secret| sealed.write(value);
        tokio::select! {
            done = handover::take_out(&api, &args.storage, (id, label), path, Waits::default(), write) => {
                done.map_err(|error| error.to_problem().into())
            }
            // The first is a wish: it is over in seconds, and half of it is an entry that is switched off.
            () = stop.at_once.cancelled() => Err(signals::interrupted("interrupted; the entry may be switched off")),
        }
    })
}

/// The Home Assistant of that name, or the only one.
fn target<'a>(manifests: &'a Manifests, name: Option<&str>) -> Result<&'a HomeAssistantSpec, Failure> {
    if let Some(name) = name {
        return session::home_assistant(manifests, name);
    }
    let names = manifests.targets.iter().filter(|target| matches!(target.spec, Spec::HomeAssistant(_)));
    let names: Vec<&str> = names.map(|target| target.id.name.as_str()).collect();
    match names[..] {
        [one] => session::home_assistant(manifests, one),
        [] => Err(Problem::new("provisor::target::unknown", "the manifests declare no HomeAssistant").into()),
        _ => Err(Problem::new("provisor::target::unknown", "the manifests declare more than one HomeAssistant")
            .with_hint(format!("name one with `--target`: {}", names.join(", ")))
            .into()),
    }
}

fn grows_old(label: &str) -> Diagnostic {
    let message = format!("the entry {label} lives on, and may replace its token at any time: the copy grows old then");
    Diagnostic::new("provisor::home_assistant::grows_old", message)
        .with_hint("declare and apply soon; adopted, the entry keeps the token that it has by then")
}

//! `provisor ha export-rotated`: tokens that integrations have replaced, written back to encrypted files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::sealed::{Form, Sealed};
use crate::cli::console::Console;
use crate::cli::exit::{Exit, Failure};
use crate::cli::options::{Common, Files};
use crate::cli::render::{self, Format};
use crate::cli::session;
use crate::diagnostic::{Diagnostic, Problem};
use crate::home_assistant::stored::{Entries, Owned, Standing};
use crate::id::ResourceId;
use crate::manifest::Manifests;
use crate::manifest::kinds::Spec;
use crate::secret::Secret;

/// Home Assistant writes its entries a second after the component writes what it applied: between the two, a token that
/// was just applied looks like one that was rotated.
const SETTLED: Duration = Duration::from_secs(2);

const AFTER: &str = "\
Examples:
  provisor ha export-rotated -f manifests --storage /var/lib/hass --recipient age1... --out secrets
  provisor ha export-rotated -f manifests --storage /var/lib/hass --recipient age1... --out secrets | xargs git add

Some integrations replace their token each time that they use it. Apply keeps such a token, but only Home
Assistant has it then: a machine built anew would start with one that is dead. This writes every credential
whose stored value is not the one last applied to DIR/NAME.FIELD.age (`.sops.json` with `--format sops`), NAME
being the resource and FIELD the credential's name in the manifest, and prints the files that it wrote.

An encrypted file cannot be compared without an identity. So a token that is still rotated is written again
each time, and its file changes even where the token did not; it stops when the exported token is applied.

Exit codes: 0 written, or nothing is rotated; 1 storage could not be read, or a file not written.";

/// Write tokens that integrations have replaced back to encrypted files
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(super) struct Args {
    #[command(flatten)]
    files: Files,
    /// Home Assistant's configuration folder, or its `.storage`
    #[arg(long, value_name = "PATH")]
    storage: PathBuf,
    /// Who can decrypt the files: an age or SSH public key; may be repeated
    #[arg(long = "recipient", value_name = "KEY", required = true)]
    recipients: Vec<String>,
    /// The folder of the encrypted files
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// How they are encrypted
    #[arg(long, value_name = "FORM", default_value = "age")]
    format: Form,
}

/// What was found: rotated values by file name, and what the reader should know.
#[derive(Default)]
struct Found {
    rotated: BTreeMap<String, Secret>,
    unchanged: usize,
    warnings: Vec<Diagnostic>,
}

pub(super) fn run(args: &Args, common: &Common, console: &Console) -> Result<Exit, Failure> {
    let manifests = session::load(&args.files.files, console)?;
    let sealed = |name: &str| Sealed::new(args.out.join(name), args.recipients.clone(), args.format);
    // Recipients and folder, also where nothing turns out to be rotated: a timer would hide it for weeks.
    sealed("any")?;
    let mut found = look(&args.storage, &manifests, args.format, common)?;
    if !found.rotated.is_empty() {
        std::thread::sleep(SETTLED);
        let first = std::mem::take(&mut found.rotated);
        found = look(&args.storage, &manifests, args.format, common)?;
        found.rotated.retain(|name, _| first.contains_key(name));
    }
    console.say(&render::warnings(&found.warnings));
    for (name, value) in &found.rotated {
        let sealed = sealed(name)?;
        sealed.write(value)?;
        console.print(&format!("{}\n", sealed.file().display()), Format::Json)?;
    }
    console.say(&format!("{} rotated and written, {} as last applied.\n", found.rotated.len(), found.unchanged));
    Ok(Exit::Done)
}

fn look(storage: &Path, manifests: &Manifests, form: Form, common: &Common) -> Result<Found, Problem> {
    let owned = Owned::read(storage).map_err(|error| error.to_problem())?.ok_or_else(never_ran)?;
    let entries = Entries::read(storage).map_err(|error| error.to_problem())?;
    let mut found = Found::default();
    for resource in &manifests.resources {
        let Spec::HomeAssistantEntry(spec) = &resource.spec else { continue };
        let name = &resource.id.name;
        let record = owned.record(common.owner(), name);
        let Some((record, entry)) = record.and_then(|(id, record)| Some((record, entries.by_id(id)?))) else {
            found.warnings.push(not_here(&resource.id));
            continue;
        };
        for declared in spec.credentials.keys() {
            let path = spec.stored_name(name, declared);
            let value = match entry.credential(&path) {
                Ok(value) => value,
                Err(error) => {
                    found.warnings.push(Diagnostic::from(error.to_problem()).on(resource.id.clone()));
                    continue;
                }
            };
            match owned.standing(record, &path, value).ok_or_else(no_key)? {
                Standing::Applied => found.unchanged += 1,
                Standing::Unknown => found.warnings.push(not_applied(&resource.id, &path)),
                Standing::Rotated => {
                    found.rotated.insert(file_name(name, declared, form)?, value.clone());
                }
            }
        }
    }
    Ok(found)
}

fn file_name(name: &str, declared: &str, form: Form) -> Result<String, Problem> {
    if declared.contains('/') || name.contains('/') {
        let message = format!("`{name}.{declared}` cannot be the name of a file");
        return Err(Problem::new("provisor::sink::bad_name", message));
    }
    let ending = match form {
        Form::Age => "age",
        Form::Sops => "sops.json",
    };
    Ok(format!("{name}.{declared}.{ending}"))
}

fn never_ran() -> Problem {
    Problem::new(
        "provisor::home_assistant::never_applied",
        "the component has applied nothing to this Home Assistant yet",
    )
    .with_hint("what was last applied is in `.storage/nixos_integrations`; apply first, or name the right folder")
}

fn no_key() -> Problem {
    Problem::new("provisor::home_assistant::storage_malformed", "`.storage/nixos_integrations` holds no usable key")
}

fn not_here(id: &ResourceId) -> Diagnostic {
    Diagnostic::new(
        "provisor::home_assistant::never_applied",
        format!("`{id}` was never applied to this Home Assistant"),
    )
    .on(id.clone())
}

fn not_applied(id: &ResourceId, path: &str) -> Diagnostic {
    let message = format!("`{path}` of `{id}` was never applied, so it cannot be told whether it is rotated");
    Diagnostic::new("provisor::home_assistant::never_applied", message).on(id.clone())
}

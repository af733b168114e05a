//! `provisor import`: manifests of what exists.

use super::console::Console;
use super::exit::{Exit, Failure};
use super::options::{Common, Files};
use super::render::Format;
use super::{session, signals};
use crate::manifest::kinds::Kind;
use crate::manifest::{Manifests, emit};
use crate::providers::home_assistant::HomeAssistantProvider;
use crate::providers::keycloak::RealmProvider;

const AFTER: &str = "\
Examples:
  provisor import KeycloakClient --target fleet -f realm.yaml > clients.yaml
  provisor plan -f realm.yaml -f clients.yaml      shows adoptions and no field
  provisor apply -f realm.yaml -f clients.yaml     marks them as managed; the next plan is empty

What is written says `lifecycle: {adopt: ifIdentical}`. Secrets stay where they are: a comment says how
to declare one.

Exit codes: 0 written; 1 the target could not be read.";

/// Print manifests of what a target holds
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(super) struct Args {
    /// What to import: `HomeAssistantEntry` or `KeycloakClient`
    #[arg(value_parser = importable)]
    kind: Kind,
    /// The target, by its name in the manifests
    #[arg(long, value_name = "NAME")]
    target: String,
    #[command(flatten)]
    files: Files,
    /// Also what the system itself made
    #[arg(long)]
    all: bool,
}

fn importable(text: &str) -> Result<Kind, String> {
    match text.parse() {
        Ok(kind @ (Kind::HomeAssistantEntry | Kind::KeycloakClient)) => Ok(kind),
        _ => Err("what can be imported: HomeAssistantEntry, KeycloakClient".to_owned()),
    }
}

pub(super) fn run(args: &Args, common: &Common, console: &Console) -> Result<Exit, Failure> {
    let manifests = session::load(&args.files.files, console)?;
    let imported = session::block_on(async {
        let stop = signals::watch(console)?;
        let imported = if args.kind == Kind::HomeAssistantEntry {
            let provider = home(&manifests, &args.target, common)?;
            stop.or(provider.import_entries(&args.target, args.all)).await?
        } else {
            let provider = realm(&manifests, &args.target, common)?;
            stop.or(provider.import_clients(&args.target, args.all)).await?
        };
        imported.map_err(Failure::from)
    })?;
    let mut out = String::new();
    for client in &imported {
        let document = emit::to_yaml(std::slice::from_ref(&client.document));
        if !document.starts_with("---") {
            out.push_str("---\n");
        }
        out.push_str(&document);
        for comment in client.comments.iter().flat_map(|comment| comment.lines()) {
            out.push_str("# ");
            out.push_str(comment);
            out.push('\n');
        }
    }
    // Names and descriptions come from the server; YAML quotes control characters in them.
    console.print(&out, Format::Json)?;
    console.say(&format!("Imported {} of {} `{}`.\n", imported.len(), args.kind, args.target));
    Ok(Exit::Done)
}

/// The Home Assistant of that name.
fn home(manifests: &Manifests, name: &str, common: &Common) -> Result<HomeAssistantProvider, Failure> {
    let spec = session::home_assistant(manifests, name)?;
    Ok(HomeAssistantProvider::new(session::home_assistant_api(spec, common)?, String::new(), common.owner()))
}

/// The realm of that name.
fn realm(manifests: &Manifests, name: &str, common: &Common) -> Result<RealmProvider, Failure> {
    let (_, spec) =
        session::realms(manifests).find(|(realm, _)| *realm == name).ok_or_else(|| session::no_realm(name))?;
    Ok(RealmProvider::new(session::realm_api(spec, common)?, String::new(), common.owner()))
}

//! `provisor ha catalog`: the fields of every integration, read from an installed Home Assistant.

use std::path::PathBuf;

use crate::cli::console::Console;
use crate::cli::exit::{Exit, Failure};
use crate::cli::render::Format;
use crate::diagnostic::Problem;
use crate::home_assistant::catalog::scan::scan;

const AFTER: &str = "\
Examples:
  provisor ha catalog --from /srv/homeassistant/lib/python3.14/site-packages --out catalog.json
  provisor ha catalog --from .venv/lib/python3.14/site-packages | jq '.integrations.tado'

Reads files only: nothing of Home Assistant is imported or run. The catalogue of one release is part
of provisor, and is what `validate` looks into.

Exit codes: 0 written; 1 there is no Home Assistant, or a file could not be read or written.";

/// List the fields of every integration of an installed Home Assistant
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(super) struct Args {
    /// The folder in which `homeassistant` is installed
    #[arg(long, value_name = "SITE_PACKAGES")]
    from: PathBuf,
    /// Write this file instead of printing
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn run(args: &Args, console: &Console) -> Result<Exit, Failure> {
    let catalog = scan(&args.from).map_err(|error| error.to_problem())?;
    let text = catalog.to_json().map_err(|error| {
        Problem::new("provisor::ha::catalog", format!("the catalogue cannot be written as JSON: {error}"))
    })?;
    let Some(path) = &args.out else {
        console.print(&text, Format::Json)?;
        return Ok(Exit::Done);
    };
    std::fs::write(path, text)
        .map_err(|error| Problem::new("provisor::ha::file", format!("cannot write `{}`: {error}", path.display())))?;
    let complete = catalog.integrations.values().filter(|integration| integration.complete).count();
    console.say(&format!(
        "Home Assistant {}: {} integrations, {complete} of them complete, in `{}`.\n",
        catalog.home_assistant,
        catalog.integrations.len(),
        path.display()
    ));
    Ok(Exit::Done)
}

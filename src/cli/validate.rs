//! `provisor validate`: every fault of every file.

use super::console::Console;
use super::exit::{Exit, Failure};
use super::options::{Files, PlainFormat};
use super::render::{self, Format};
use crate::manifest;

const AFTER: &str = "\
Examples:
  provisor validate -f manifests
  provisor validate -f manifests -o json | jq '.errors[].code'
  generate-manifests | provisor validate -f -

All faults of all files are reported at once, each with file, line, column, path and a remedy. Nothing
is contacted and no secret is resolved.

Exit codes: 0 valid; 1 not valid.";

/// Check manifests; contacts nothing
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(super) struct Args {
    #[command(flatten)]
    files: Files,
    /// How faults are printed
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub(super) output: PlainFormat,
}

pub(super) fn run(args: &Args, console: &Console) -> Result<Exit, Failure> {
    let manifests = manifest::load(&args.files.files)?;
    let format = Format::from(args.output);
    console.say(&render::warnings(&manifests.warnings));
    let text = match format {
        Format::Json => render::json::errors(&[], &manifests.warnings),
        Format::Text | Format::Markdown => render::valid(manifests.resources.len(), manifests.targets.len()),
    };
    if manifests.skipped > 0 {
        tracing::info!("skipped {} documents of another apiVersion", manifests.skipped);
    }
    console.print(&text, format)?;
    Ok(Exit::Done)
}

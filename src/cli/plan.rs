//! `provisor plan`: what an apply would do.

use std::path::PathBuf;

use super::console::Console;
use super::exit::{Exit, Failure};
use super::options::{AnyFormat, Common, Files, Pruning};
use super::render::{self, Format};
use super::{saved, session, signals};
use crate::reconcile::engine::Prepared;

const AFTER: &str = "\
Examples:
  provisor plan -f manifests
  provisor plan -f manifests -f extra.yaml --only Device/sensor-01
  provisor plan -f manifests --without-secrets -o markdown      on a pull-request runner
  provisor plan -f manifests --out plan.json && provisor apply plan.json

Symbols: + create, ~ update, - delete, > adopt, o orphan (owned, no longer declared), ! conflict,
? unknown (could not be read), = unchanged.

Exit codes: 0 planned; 1 something is in the way (a conflict, a target that could not be read, a bad
manifest); 2 only with `--detailed-exitcode`: there are changes.";

/// Show what an apply would do; writes nothing
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(super) struct Args {
    #[command(flatten)]
    files: Files,
    /// How the plan is printed
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub(super) output: AnyFormat,
    /// Take over objects that are there already and that nobody owns
    #[arg(long)]
    adopt: bool,
    /// Save the plan for `provisor apply PLAN`; it holds no secret
    #[arg(long, value_name = "PLAN", conflicts_with = "without_secrets")]
    out: Option<PathBuf>,
    /// Exit with 2 where there are changes
    #[arg(long)]
    detailed_exitcode: bool,
    #[command(flatten)]
    pruning: Pruning,
    /// Resolve no secret but those that targets need to be read; the others are not compared
    #[arg(long)]
    without_secrets: bool,
}

pub(super) fn run(args: &Args, common: &Common, console: &Console) -> Result<Exit, Failure> {
    let manifests = session::load(&args.files.files, console)?;
    let options = common.engine(&args.pruning, args.adopt, args.without_secrets);
    let Prepared { plan, timings, .. } = session::block_on(async {
        let stop = signals::watch(console)?;
        stop.or(session::prepare(&manifests, &options, None, common, console)).await?
    })?;
    if let Some(path) = &args.out {
        saved::write(path, &saved::SavedPlan::new(plan.clone(), &manifests, &options))?;
    }
    let format = Format::from(args.output);
    let text = match format {
        Format::Text => render::plan(&plan, console.layout()),
        Format::Json => render::json::plan(&plan),
        Format::Markdown => render::markdown(&plan),
    };
    console.print(&text, format)?;
    if let Some(path) = &args.out {
        let path = path.display();
        console.say(&format!("Saved as `{path}`. To apply exactly this: provisor apply {path}\n"));
    }
    if console.is_verbose() {
        console.say(&render::timings(&timings));
    }
    Ok(match (plan.has_failures(), plan.has_changes()) {
        (true, _) => Exit::Failed,
        (false, true) if args.detailed_exitcode => Exit::Changes,
        _ => Exit::Done,
    })
}

//! `provisor apply`: show the plan, ask, carry it out, verify.

use std::io::BufRead as _;
use std::path::PathBuf;

use super::console::Console;
use super::exit::{Exit, Failure};
use super::options::{Common, PlainFormat, Pruning};
use super::progress::Writing;
use super::render::{self, Format};
use super::saved::{self, SavedPlan};
use super::session;
use super::signals::{self, Stop};
use crate::diagnostic::{Diagnostic, Problem};
use crate::manifest::{self, Manifests};
use crate::providers;
use crate::reconcile::engine::Prepared;
use crate::reconcile::options::Options;
use crate::reconcile::plan::{Action, Change, Plan};

const AFTER: &str = "\
Examples:
  provisor apply -f manifests                 shows the plan and asks
  provisor apply -f manifests --yes           in a pipeline
  provisor apply plan.json                    exactly what `provisor plan --out plan.json` showed
  provisor apply -f manifests --prune --max-delete 5

A saved plan is applied only where nothing moved since; it needs no manifests, and `--owner`, `--only`,
`--adopt` and `--prune` are fixed in it. The first interrupt finishes what is being written and prints
the report; the second leaves at once. Whatever happened, the next apply converges.

Exit codes: 0 as declared; 1 something failed, or was not confirmed.";

/// Make the targets hold what is declared
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(super) struct Args {
    /// A plan saved by `provisor plan --out`
    #[arg(value_name = "PLAN", required_unless_present = "files",
          conflicts_with_all = ["files", "prune", "max_delete", "adopt"])]
    plan: Option<PathBuf>,
    /// A manifest, a folder of them, or `-` for standard input; may be repeated
    #[arg(short = 'f', long = "file", value_name = "PATH")]
    files: Vec<String>,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    pruning: Pruning,
    /// Take over objects that are there already and that nobody owns
    #[arg(long)]
    adopt: bool,
    /// How the report is printed
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub(super) output: PlainFormat,
}

/// What is applied.
struct Work {
    manifests: Manifests,
    options: Options,
    /// The plan that was reviewed, where one is applied.
    reviewed: Option<SavedPlan>,
}

pub(super) fn run(args: &Args, common: &Common, console: &Console) -> Result<Exit, Failure> {
    let work = match &args.plan {
        Some(path) => of_saved(path, common)?,
        None => Work {
            manifests: session::load(&args.files, console)?,
            options: common.engine(&args.pruning, args.adopt, false),
            reviewed: None,
        },
    };
    session::block_on(apply(args, work, common, console))
}

fn of_saved(path: &std::path::Path, common: &Common) -> Result<Work, Failure> {
    for (given, name) in [(common.owner.is_some(), "--owner"), (!common.only.is_empty(), "--only")] {
        if given {
            let message = format!("`{name}` cannot be used with a saved plan");
            return Err(Failure::usage(message, "it is fixed in the plan; make a new plan to change it"));
        }
    }
    let saved = saved::read(path)?;
    let options = saved.options(common.parallelism);
    let manifests = manifest::from_documents(&saved.saved.documents)?;
    Ok(Work { manifests, options, reviewed: Some(saved) })
}

async fn apply(args: &Args, work: Work, common: &Common, console: &Console) -> Result<Exit, Failure> {
    let stop = signals::watch(console)?;
    let Work { manifests, options, reviewed } = work;
    providers::remove_leftovers(&manifests);
    let prepared = stop.or(session::prepare(&manifests, &options, Some(session::locks()), common, console)).await?;
    if let Some(reviewed) = &reviewed {
        refuse_stale(reviewed, &prepared.plan)?;
    }
    confirm(args, &prepared.plan, console, &stop).await?;
    let (report, timings) = carry_out(prepared, console, &stop).await?;
    let format = Format::from(args.output);
    let text = match format {
        Format::Json => render::json::plan(&report),
        Format::Text | Format::Markdown => render::report(&report, console.layout()),
    };
    console.print(&text, format)?;
    if console.is_verbose() {
        console.say(&render::timings(&timings));
    }
    let incomplete = report.has_failures() || stop.gently.is_cancelled();
    Ok(if incomplete { Exit::Failed } else { Exit::Done })
}

fn refuse_stale(reviewed: &SavedPlan, fresh: &Plan) -> Result<(), Failure> {
    // What cannot be read now has not moved: its own cause is to be told.
    let unread: Vec<Diagnostic> = fresh
        .changes
        .iter()
        .filter(|change| change.action == Action::Unknown && was_read(reviewed, change))
        .filter_map(|change| Some(Diagnostic::from(change.error.clone()?).on(change.resource.clone())))
        .collect();
    if !unread.is_empty() {
        return Err(unread.into());
    }
    let moved = saved::stale(reviewed, fresh);
    if moved.is_empty() { Ok(()) } else { Err(saved::stale_faults(moved).into()) }
}

/// Whether the reviewed plan could read what `change` is about.
fn was_read(reviewed: &SavedPlan, change: &Change) -> bool {
    let same = |before: &&Change| before.resource == change.resource && before.target == change.target;
    reviewed.plan.changes.iter().find(same).is_none_or(|before| before.action != Action::Unknown)
}

/// Shows the plan, and asks where somebody can be asked. Nothing to do needs no answer.
async fn confirm(args: &Args, plan: &Plan, console: &Console, stop: &Stop) -> Result<(), Failure> {
    let asks = plan.has_changes() && !args.yes && console.can_ask();
    let text = render::plan(plan, console.layout());
    if args.output == PlainFormat::Text {
        console.print(&format!("{text}\n"), Format::Text)?;
    }
    if asks && (args.output == PlainFormat::Json || !console.terminal.output) {
        console.say(&text);
    }
    if !plan.has_changes() || args.yes {
        return Ok(());
    }
    if asks && stop.or(ask(console)).await? {
        return Ok(());
    }
    let message = if asks { "the plan was not confirmed" } else { "there is nobody to confirm the plan" };
    let hint = "answer `yes`, or run with `--yes`";
    Err(Problem::new("provisor::apply::not_confirmed", format!("{message}; nothing was written"))
        .with_hint(hint)
        .into())
}

/// Asks on the terminal; anything but `yes` means no.
async fn ask(console: &Console) -> bool {
    console.say("Apply this plan? Only `yes` is taken as consent: ");
    let answer = tokio::task::spawn_blocking(|| {
        let mut answer = String::new();
        std::io::stdin().lock().read_line(&mut answer).map(|_| answer)
    });
    matches!(answer.await, Ok(Ok(answer)) if answer.trim() == "yes")
}

/// Applies the plan. The first signal ends it early and still gives a report; the second gives none.
async fn carry_out(
    prepared: Prepared,
    console: &Console,
    stop: &Stop,
) -> Result<(Plan, crate::reconcile::provider::Timings), Failure> {
    let progress = Writing::new(console);
    tokio::select! {
        done = prepared.apply(&progress, &stop.gently) => Ok(done),
        () = stop.at_once.cancelled() => {
            let message = "left in the middle of an apply; what was written is not known";
            let hint = "run `provisor plan` to see where things stand; the next apply converges";
            Err(Problem::new("provisor::interrupted", message).with_hint(hint).into())
        }
    }
}

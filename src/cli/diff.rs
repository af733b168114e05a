//! `provisor diff`: what a change of the manifests means, with nothing contacted.

use std::path::PathBuf;

use super::console::Console;
use super::exit::{Exit, Failure};
use super::options::{AnyFormat, Common};
use super::render::{self, Format};
use crate::diagnostic::{Diagnostic, Problem};
use crate::manifest::{Faults, Manifests, load};
use crate::reconcile::declared::{Side, compare};
use crate::reconcile::plan::Plan;

const AFTER: &str = "\
Examples:
  provisor diff main/manifests manifests
  provisor diff main/manifests manifests -o markdown       for a comment on the pull request

No target is contacted and no secret is resolved: two references that differ are shown as a changed
secret. Naming a default is no change. Drift, and what targets hold already, do not show; the output
says so (`basis: declared`).

Exit codes: 0 compared; 1 a bad manifest; 2 only with `--detailed-exitcode`: there are changes.";

/// Show what changes between two revisions of the manifests; contacts nothing
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(super) struct Args {
    /// The manifests before: a manifest, a folder of them, or `-` for standard input
    old: String,
    /// The manifests after
    new: String,
    /// How the difference is printed
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub(super) output: AnyFormat,
    /// Exit with 2 where there are changes
    #[arg(long)]
    detailed_exitcode: bool,
}

pub(super) fn run(args: &Args, common: &Common, console: &Console) -> Result<Exit, Failure> {
    if args.old == "-" && args.new == "-" {
        return Err(Failure::usage("standard input can be read only once", "name a file or a folder for OLD or NEW"));
    }
    let (old, new) = load_both(args)?;
    console.say(&render::warnings(&new.warnings));
    let (old_root, new_root) = (root(&args.old)?, root(&args.new)?);
    let (old, new) = (Side { manifests: &old, root: &old_root }, Side { manifests: &new, root: &new_root });
    let mut plan = compare(old, new, common.owner());
    if !common.only.is_empty() {
        plan.changes.retain(|change| common.only.contains(&change.resource));
        plan = Plan::new(plan.basis, plan.owner, plan.changes);
    }
    let format = Format::from(args.output);
    let text = match format {
        Format::Text => render::plan(&plan, console.layout()),
        Format::Json => render::json::plan(&plan),
        Format::Markdown => render::markdown(&plan),
    };
    console.print(&text, format)?;
    Ok(if args.detailed_exitcode && plan.has_changes() { Exit::Changes } else { Exit::Done })
}

/// Loads both, with the faults of both.
fn load_both(args: &Args) -> Result<(Manifests, Manifests), Failure> {
    match (load(std::slice::from_ref(&args.old)), load(std::slice::from_ref(&args.new))) {
        (Ok(old), Ok(new)) => Ok((old, new)),
        (old, new) => {
            let mut faults: (Vec<Diagnostic>, Vec<Diagnostic>) = Default::default();
            for Faults(errors, warnings) in [old.err(), new.err()].into_iter().flatten() {
                faults.0.extend(errors);
                faults.1.extend(warnings);
            }
            Err(Faults(faults.0, faults.1).into())
        }
    }
}

/// The folder that paths are compared from.
fn root(path: &str) -> Result<PathBuf, Failure> {
    let fail = |error: std::io::Error| {
        Failure::from(Problem::new("provisor::manifest::file", format!("cannot tell where `{path}` is: {error}")))
    };
    if path == "-" {
        return std::env::current_dir().map_err(fail);
    }
    let path = std::path::absolute(path).map_err(fail)?;
    if path.is_dir() { Ok(path) } else { Ok(path.parent().map_or(path.clone(), std::path::Path::to_path_buf)) }
}

//! `provisor diff`: what a change of the manifests means, with nothing contacted.

use std::path::{Path, PathBuf};

use super::console::Console;
use super::exit::{Exit, Failure};
use super::options::{AnyFormat, Common};
use super::render::{self, Format};
use super::session;
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
    /// The manifests before: a manifest, a folder of them (which may be empty), or `-` for standard input
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
    let mut warned = new.warnings.clone();
    let (old_root, new_root) = (root(&args.old)?, root(&args.new)?);
    let (old, new) = (Side { manifests: &old, root: &old_root }, Side { manifests: &new, root: &new_root });
    let mut plan = compare(old, new, common.owner());
    if !common.only.is_empty() {
        warned.extend(session::strangers(&plan, &common.only)?);
        plan.changes.retain(|change| common.only.contains(&change.resource));
        plan = Plan::new(plan.basis, plan.owner, plan.changes);
    }
    console.say(&render::warnings(&warned));
    plan.warnings = warned.iter().map(session::in_plan).collect();
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
    match (load_side(&args.old, "OLD"), load_side(&args.new, "NEW")) {
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

/// Loads one side. A folder without a document is a side with nothing on it: the first manifests of all can be shown, and
/// the last ones that go.
fn load_side(path: &str, side: &str) -> Result<Manifests, Faults> {
    let mut faults = match load(&[path.to_owned()]) {
        Ok(manifests) => return Ok(manifests),
        Err(faults) => faults,
    };
    for fault in &mut faults.0 {
        match &*fault.code {
            "provisor::manifest::no_documents" if Path::new(path).is_dir() => return Ok(Manifests::default()),
            "provisor::manifest::no_documents" => {
                fault.message = format!("there is no document of provisor in {side}, `{path}`");
            }
            "provisor::manifest::unreadable" if fault.file.as_deref() == Some(path) => {
                fault.message = format!("{side}: {}", fault.message);
                fault.hint = Some("a side with nothing on it is an empty folder".to_owned());
            }
            _ => {}
        }
    }
    Err(faults)
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
    if path.is_dir() { Ok(path) } else { Ok(path.parent().map_or(path.clone(), Path::to_path_buf)) }
}

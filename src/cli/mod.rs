//! The command line: arguments in, results to standard output, everything else to standard error, an exit code.
//!
//! No command holds logic of its own: it loads, calls the engine, and hands what came back to [`render`].

mod apply;
mod completions;
mod console;
mod diff;
mod exit;
mod ha;
mod import;
mod keycloak;
mod logs;
mod man;
mod options;
mod panics;
mod plan;
mod progress;
pub mod reference;
pub mod render;
pub mod saved;
pub mod schema;
mod session;
mod signals;
mod validate;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

use crate::diagnostic::Diagnostic;
use console::Console;
use exit::{Exit, Failure};
use options::{Color, Common};
use render::Format;

const AFTER: &str = "\
Examples:
  provisor validate -f manifests              every fault of every file; contacts nothing
  provisor plan -f manifests                  what an apply would do; writes nothing
  provisor apply -f manifests                 shows the plan, asks, applies, verifies
  provisor diff main/manifests manifests      what a pull request changes; contacts nothing

PATH is a manifest, a folder of them, or `-` for standard input. In a folder, `*.yaml`, `*.yml` and
`*.json` count, recursively; folders whose name begins with a dot are left out.

Exit codes: 0 done, or nothing to do; 1 something failed; 2 only with `--detailed-exitcode`: there
are changes; 64 the command line is wrong.";

/// Makes Keycloak realms and farm hubs hold what manifests declare
///
/// provisor compares what manifests declare with what targets hold, shows the difference, and carries it out. It keeps
/// no state of its own: what it manages is marked in the targets, and only fields that a manifest names are touched.
#[derive(Debug, Parser)]
#[command(name = "provisor", version, propagate_version = true, max_term_width = 110, after_help = AFTER)]
pub(crate) struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Plan(plan::Args),
    Apply(apply::Args),
    Validate(validate::Args),
    Diff(diff::Args),
    Import(import::Args),
    Schema(schema::Args),
    Keycloak(keycloak::Args),
    Ha(Box<ha::Args>),
    Completions(completions::Args),
    Man(man::Args),
}

impl Command {
    /// What the command's results, and its failure, are printed as.
    fn format(&self) -> Format {
        match self {
            Self::Plan(args) => args.output.into(),
            Self::Apply(args) => args.output.into(),
            Self::Validate(args) => args.output.into(),
            Self::Diff(args) => args.output.into(),
            Self::Import(_)
            | Self::Schema(_)
            | Self::Keycloak(_)
            | Self::Ha(_)
            | Self::Completions(_)
            | Self::Man(_) => Format::Text,
        }
    }

    fn run(&self, common: &Common, console: &Console) -> Result<Exit, Failure> {
        match self {
            Self::Plan(args) => plan::run(args, common, console),
            Self::Apply(args) => apply::run(args, common, console),
            Self::Validate(args) => validate::run(args, console),
            Self::Diff(args) => diff::run(args, common, console),
            Self::Import(args) => import::run(args, common, console),
            Self::Schema(args) => schema::run(args, console),
            Self::Keycloak(args) => keycloak::run(args, common, console),
            Self::Ha(args) => ha::run(args, common, console),
            Self::Completions(args) => completions::run(args, console),
            Self::Man(args) => man::run(args, console),
        }
    }
}

/// The whole program.
pub fn main() -> ExitCode {
    panics::install();
    if let Err(error) = crate::process::disable_core_dumps() {
        let fault = Diagnostic::new("provisor::process::core_dumps", format!("cannot disable core dumps: {error}"));
        Console::with_color(Color::Auto, false).say(&render::diagnostics(&[fault]));
        return Exit::Failed.into();
    }
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let asked_for_json = asks_for_json(&arguments);
    let ended = std::panic::catch_unwind(|| match Cli::try_parse_from(arguments) {
        Ok(cli) => run(&cli),
        Err(error) => explain(&error, asked_for_json),
    });
    ended.unwrap_or(Exit::Failed).into()
}

fn run(cli: &Cli) -> Exit {
    let console = Console::new(&cli.common);
    logs::start(&cli.common, &console);
    match cli.command.run(&cli.common, &console) {
        Ok(exit) => exit,
        Err(failure) => fail(&failure, cli.command.format(), &console),
    }
}

/// Says why there is no result: to people on standard error, to programs in the format that they asked for.
fn fail(failure: &Failure, format: Format, console: &Console) -> Exit {
    console.say(&render::warnings(&failure.warnings));
    console.say(&render::diagnostics(&failure.errors));
    let printed = match format {
        Format::Text => Ok(()),
        Format::Json => console.print(&render::json::errors(&failure.errors, &failure.warnings), format),
        Format::Markdown => console.print(&render::markdown_diagnostics(&failure.errors), format),
    };
    or_say(printed, failure.exit, console)
}

/// How the program ends; that standard output cannot be written has to be said elsewhere.
fn or_say(printed: Result<(), Failure>, exit: Exit, console: &Console) -> Exit {
    match printed {
        Ok(()) => exit,
        Err(failure) => {
            console.say(&render::diagnostics(&failure.errors));
            Exit::Failed
        }
    }
}

/// What clap has to say: help and version are results, everything else is a wrong command line.
fn explain(error: &clap::Error, as_json: bool) -> Exit {
    let console = Console::with_color(Color::Auto, false);
    let text = error.render().ansi().to_string();
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return or_say(console.print(&text, Format::Text), Exit::Done, &console);
    }
    console.say(&text);
    if as_json {
        let plain = error.render().to_string();
        // The sentence, without usage and tips below it.
        let lines = plain.lines().take_while(|line| !line.is_empty()).map(str::trim);
        let message = lines.collect::<Vec<_>>().join(" ");
        let message = message.trim_start_matches("error: ");
        let fault = Diagnostic::new("provisor::usage", message).with_hint("`provisor help` and `--help` tell more");
        return or_say(console.print(&render::json::errors(&[fault], &[]), Format::Json), Exit::Usage, &console);
    }
    Exit::Usage
}

/// Whether a command line that cannot be read asks for JSON all the same: programs get one document also then.
fn asks_for_json(arguments: &[OsString]) -> bool {
    let texts: Vec<&str> = arguments.iter().filter_map(|argument| argument.to_str()).collect();
    texts.windows(2).any(|pair| matches!(pair, ["-o" | "--output", "json"]))
        || texts.iter().any(|text| matches!(*text, "-ojson" | "-o=json" | "--output=json"))
}

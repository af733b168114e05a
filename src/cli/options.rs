//! Options that several commands share: what was typed, as the program understands it.

use std::path::PathBuf;

use clap::{ArgAction, Args, ValueEnum};

use super::render::Format;
use crate::diagnostic::closest;
use crate::id::ResourceId;
use crate::manifest::kinds::Kind;
use crate::manifest::kinds::common::Span;
use crate::reconcile::options::{DEFAULT_OWNER, DEFAULT_PARALLELISM, MaxDelete, Options};

const HEADING: &str = "Common options";

/// Options that every command takes.
#[derive(Debug, Clone, Args)]
pub(super) struct Common {
    /// Look at this resource only, such as `Device/sensor-01`; may be repeated
    #[arg(long, global = true, value_name = "KIND/NAME", value_parser = resource, help_heading = HEADING)]
    pub(super) only: Vec<ResourceId>,
    /// How long to wait for a target to answer, such as `60s`
    #[arg(long, global = true, value_name = "DURATION", default_value = "0s", help_heading = HEADING)]
    pub(super) wait: Span,
    /// Who marks what it manages [default: `default`]
    #[arg(long, global = true, value_name = "NAME", value_parser = owner, help_heading = HEADING)]
    pub(super) owner: Option<String>,
    /// The folder of `credential` secrets; default: `$CREDENTIALS_DIRECTORY`, which systemd sets
    #[arg(long, global = true, value_name = "DIR", help_heading = HEADING)]
    pub(super) credentials_dir: Option<PathBuf>,
    /// How many requests one target sees at a time
    #[arg(long, global = true, value_name = "N", default_value_t = DEFAULT_PARALLELISM,
          value_parser = parallelism, help_heading = HEADING)]
    pub(super) parallelism: usize,
    /// When to use colours; `NO_COLOR` counts, too
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", help_heading = HEADING)]
    pub(super) color: Color,
    /// How log lines are written (to standard error)
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text", help_heading = HEADING)]
    pub(super) log_format: LogFormat,
    /// Say more: unchanged resources, all fields, timings; `-vv` and `-vvv` log more
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = HEADING)]
    pub(super) verbose: u8,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    /// On a terminal.
    Auto,
    /// Also where the output is no terminal.
    Always,
    /// Nowhere.
    Never,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Which manifests.
#[derive(Debug, Clone, Args)]
pub(super) struct Files {
    /// A manifest, a folder of them, or `-` for standard input; may be repeated
    #[arg(short = 'f', long = "file", value_name = "PATH", required = true)]
    pub(super) files: Vec<String>,
}

/// What pruning may do.
#[derive(Debug, Clone, Args)]
pub(super) struct Pruning {
    /// Remove what this owner manages and no manifest declares any more
    #[arg(long)]
    pub(super) prune: bool,
    /// Remove nothing where pruning would remove more than this: a number, or a part of what is owned
    /// [default: 10%, at least 1]
    #[arg(long, value_name = "N|N%", requires = "prune")]
    pub(super) max_delete: Option<MaxDelete>,
}

/// Output for people, programs and pull requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum AnyFormat {
    /// For a terminal.
    Text,
    /// One document, in a documented and versioned format.
    Json,
    /// For a pull-request comment.
    Markdown,
}

/// Output for people and programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum PlainFormat {
    /// For a terminal.
    Text,
    /// One document, in a documented and versioned format.
    Json,
}

impl From<AnyFormat> for Format {
    fn from(format: AnyFormat) -> Self {
        match format {
            AnyFormat::Text => Self::Text,
            AnyFormat::Json => Self::Json,
            AnyFormat::Markdown => Self::Markdown,
        }
    }
}

impl From<PlainFormat> for Format {
    fn from(format: PlainFormat) -> Self {
        match format {
            PlainFormat::Text => Self::Text,
            PlainFormat::Json => Self::Json,
        }
    }
}

impl Common {
    /// The owner, named or not.
    pub(super) fn owner(&self) -> &str {
        self.owner.as_deref().unwrap_or(DEFAULT_OWNER)
    }

    /// What the engine is told.
    pub(super) fn engine(&self, pruning: &Pruning, adopt: bool, without_secrets: bool) -> Options {
        Options {
            owner: self.owner().to_owned(),
            prune: pruning.prune,
            max_delete: pruning.max_delete.unwrap_or_default(),
            adopt,
            only: self.only.clone(),
            without_secrets,
            parallelism: self.parallelism,
        }
    }
}

/// `KIND/NAME` of a kind that there is.
fn resource(text: &str) -> Result<ResourceId, String> {
    let id: ResourceId = text.parse().map_err(|_| "write KIND/NAME, such as `Device/sensor-01`".to_owned())?;
    if id.kind.parse::<Kind>().is_ok() {
        return Ok(id);
    }
    let known = Kind::ALL.map(Kind::name);
    Err(match closest(&id.kind, known) {
        Some(kind) => format!("there is no kind `{}`; did you mean `{kind}`?", id.kind),
        None => format!("there is no kind `{}`; kinds: {}", id.kind, known.join(", ")),
    })
}

/// An owner's name, as it can stand in every target.
fn owner(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if (1..=63).contains(&text.len()) && text.chars().all(fits) {
        return Ok(text.to_owned());
    }
    Err("write 1 to 63 letters, digits, `.`, `_` or `-`".to_owned())
}

fn parallelism(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number @ 1..=256) => Ok(number),
        _ => Err("write a number from 1 to 256".to_owned()),
    }
}

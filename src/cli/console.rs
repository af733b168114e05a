//! The only door to the terminal: results to standard output, everything else to standard error.
//!
//! Renderers always write colours; the streams drop them where they are not wanted. A reader that hangs up
//! (`provisor plan | head`) is no failure.

use std::io::{self, IsTerminal as _, Write};

use anstream::{AutoStream, ColorChoice};
use indicatif::MultiProgress;
use serde_json::json;

use super::exit::Failure;
use super::options::{Color, Common, LogFormat};
use super::render::{Format, Layout};
use crate::clock::Clock;
use crate::diagnostic::Problem;
use crate::secret::Secret;

/// The width of text that goes to no terminal.
const WIDTH: usize = 120;

/// Standard output and standard error.
#[derive(Debug, Clone)]
pub(super) struct Console {
    choice: ColorChoice,
    verbose: bool,
    /// What is said goes into the log, a line of JSON each.
    json_log: bool,
    /// Who is there.
    pub(super) terminal: Terminal,
    /// The bars on standard error, which stand aside while something else is written there.
    pub(super) bars: MultiProgress,
}

/// Which of the streams are a terminal.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terminal {
    /// Somebody can answer.
    pub(super) input: bool,
    /// Somebody sees results.
    pub(super) output: bool,
    /// Somebody sees progress and questions.
    pub(super) errors: bool,
}

impl Console {
    /// The console that `common` asks for.
    pub(super) fn new(common: &Common) -> Self {
        Self { json_log: common.log_format == LogFormat::Json, ..Self::with_color(common.color, common.verbose > 0) }
    }

    /// A console before, or without, a readable command line.
    pub(super) fn with_color(color: Color, verbose: bool) -> Self {
        let choice = match color {
            Color::Auto => ColorChoice::Auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        };
        let terminal = Terminal {
            input: io::stdin().is_terminal(),
            output: io::stdout().is_terminal(),
            errors: io::stderr().is_terminal(),
        };
        Self { choice, verbose, json_log: false, terminal, bars: MultiProgress::new() }
    }

    /// Whether `-v` was given.
    pub(super) fn is_verbose(&self) -> bool {
        self.verbose
    }

    /// Whether somebody can be asked: questions go to standard error, answers come from standard input.
    pub(super) fn can_ask(&self) -> bool {
        self.terminal.input && self.terminal.errors
    }

    /// How text is laid out.
    pub(super) fn layout(&self) -> Layout {
        let width = if self.terminal.output { terminal_width().unwrap_or(WIDTH) } else { WIDTH };
        Layout { verbose: self.verbose, width }
    }

    /// Whether standard error takes colours.
    pub(super) fn colors_errors(&self) -> bool {
        match self.choice {
            ColorChoice::Auto => AutoStream::choice(&io::stderr()) != ColorChoice::Never,
            choice => choice != ColorChoice::Never,
        }
    }

    /// Writes a result: text with colours where they are wanted, anything else exactly as it is. That nobody reads it any
    /// more is no failure.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(super) fn print(&self, text: &str, format: Format) -> Result<(), Failure> {
        let choice = if format == Format::Text { self.choice } else { ColorChoice::AlwaysAnsi };
        let written = self.bars.suspend(|| {
            let mut out = AutoStream::new(io::stdout().lock(), choice);
            out.write_all(text.as_bytes()).and_then(|()| out.flush())
        });
        match written {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                let message = format!("cannot write to standard output: {error}");
                Err(Problem::new("provisor::output", message).into())
            }
            _ => Ok(()),
        }
    }

    /// Writes a secret to standard output, exactly and unbuffered. Here a reader that hangs up is a failure: the secret is
    /// nowhere then.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(super) fn hand_over(secret: &Secret) -> Result<(), Failure> {
        let write = || {
            let mut out = std::fs::File::from(rustix::stdio::stdout().try_clone_to_owned()?);
            out.write_all(secret.expose().as_bytes())
        };
        write().map_err(|error| {
            Problem::new("provisor::output", format!("cannot write to standard output: {error}")).into()
        })
    }

    /// Writes to standard error; where that fails, there is nobody left to tell.
    pub(super) fn say(&self, text: &str) {
        let as_log;
        let text = if self.json_log && !text.trim().is_empty() {
            as_log = log_line(text);
            &as_log
        } else {
            text
        };
        let write = || {
            let mut err = AutoStream::new(io::stderr().lock(), self.choice);
            err.write_all(text.as_bytes()).and_then(|()| err.flush())
        };
        drop(self.bars.suspend(write));
    }
}

/// What is said as a line of the log, in the form of the others.
fn log_line(text: &str) -> String {
    let plain = anstream::adapter::strip_str(text).to_string();
    let line = json!({
        "timestamp": Clock::system().now().to_string(),
        "level": "INFO",
        "fields": {"message": plain.trim_end()},
        "target": "provisor",
    });
    format!("{line}\n")
}

fn terminal_width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    (size.ws_col >= 40).then_some(usize::from(size.ws_col))
}

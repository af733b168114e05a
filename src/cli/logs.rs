//! Log lines to standard error: ours by `-v`, those of libraries from `warn` on.
//!
//! Libraries are held at `warn` whatever `-v` says: below it, HTTP and database clients would print bodies, headers and
//! statements, and `-vvv` is given exactly when somebody will paste the output into an issue.

use std::io::{self, Write};

use indicatif::MultiProgress;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::console::Console;
use super::options::{Common, LogFormat};

/// Starts logging for the rest of the process.
pub(super) fn start(common: &Common, console: &Console) {
    let ours = match common.verbose {
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let filter = Targets::new().with_default(LevelFilter::WARN).with_target("provisor", ours);
    let writer = Lines(console.bars.clone());
    let registry = tracing_subscriber::registry().with(filter);
    let lines = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(console.colors_errors());
    let started = match common.log_format {
        LogFormat::Text => registry.with(lines.with_target(common.verbose > 1)).try_init(),
        LogFormat::Json => registry.with(lines.json()).try_init(),
    };
    // A second start in one process (in tests) keeps the first.
    drop(started);
}

/// Standard error, with the progress bars standing aside.
#[derive(Debug, Clone)]
struct Lines(MultiProgress);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.suspend(|| io::stderr().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

//! Progress on a terminal; nothing at all elsewhere.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::console::Console;
use crate::reconcile::engine::Progress;
use crate::reconcile::plan::{Change, Outcome};

const TICK: Duration = Duration::from_millis(120);

/// Shown while targets are read; gone when dropped.
#[derive(Debug)]
pub(super) struct Reading(ProgressBar);

impl Reading {
    pub(super) fn start(console: &Console, targets: usize) -> Self {
        if !console.terminal.errors || targets == 0 {
            return Self(ProgressBar::hidden());
        }
        let bar = console.bars.add(ProgressBar::new_spinner());
        bar.set_style(style("{spinner} {msg} {elapsed}"));
        bar.set_message(format!("reading {targets} target{}", if targets == 1 { "" } else { "s" }));
        bar.enable_steady_tick(TICK);
        Self(bar)
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// A bar that counts writes.
#[derive(Debug)]
pub(super) struct Writing {
    bar: ProgressBar,
}

impl Writing {
    pub(super) fn new(console: &Console) -> Self {
        if !console.terminal.errors {
            return Self { bar: ProgressBar::hidden() };
        }
        let bar = console.bars.add(ProgressBar::new(0));
        bar.set_style(style("applying {bar:30} {pos}/{len} {elapsed} {msg}"));
        Self { bar }
    }
}

impl Progress for Writing {
    fn begin(&self, total: usize) {
        self.bar.set_length(u64::try_from(total).unwrap_or(u64::MAX));
        if total > 0 {
            self.bar.enable_steady_tick(TICK);
        }
    }

    fn finished(&self, change: &Change) {
        self.bar.inc(1);
        if change.outcome == Some(Outcome::Failed) {
            // Names come from manifests, or were marked by us: still, nothing unseen may reach the terminal.
            let name: String = change.resource.to_string().chars().filter(|c| !c.is_control()).take(60).collect();
            self.bar.set_message(format!("(failed: {name})"));
        }
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// A template of ours; a broken one would be shown plainly rather than end the program.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

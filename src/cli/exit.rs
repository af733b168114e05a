//! How the program ends: its exit codes, and what is said when it fails.

use std::process::ExitCode;

use crate::diagnostic::{Diagnostic, Problem};
use crate::manifest::Faults;

/// The exit codes that scripts rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    /// As declared: nothing to do, or all done.
    Done,
    /// Something failed: a bad manifest, a conflict, a refusal, an unreachable target.
    Failed,
    /// Only under `--detailed-exitcode`: there are changes.
    Changes,
    /// The command line is wrong.
    Usage,
}

impl Exit {
    /// The code.
    pub(super) const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Changes => 2,
            Self::Usage => 64,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

/// Why there is no plan or report to print.
#[derive(Debug)]
pub(super) struct Failure {
    /// Every fault.
    pub(super) errors: Vec<Diagnostic>,
    /// What the reader should know besides.
    pub(super) warnings: Vec<Diagnostic>,
    /// How the program ends.
    pub(super) exit: Exit,
}

impl Failure {
    /// The command line is wrong in a way that clap cannot see.
    pub(super) fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        let fault = Diagnostic::new("provisor::usage", message).with_hint(hint);
        Self { errors: vec![fault], warnings: Vec::new(), exit: Exit::Usage }
    }
}

impl From<Faults> for Failure {
    fn from(Faults(errors, warnings): Faults) -> Self {
        Self { errors, warnings, exit: Exit::Failed }
    }
}

impl From<Diagnostic> for Failure {
    fn from(fault: Diagnostic) -> Self {
        Self { errors: vec![fault], warnings: Vec::new(), exit: Exit::Failed }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Diagnostic::from(problem).into()
    }
}

impl From<Vec<Diagnostic>> for Failure {
    fn from(errors: Vec<Diagnostic>) -> Self {
        Self { errors, warnings: Vec::new(), exit: Exit::Failed }
    }
}

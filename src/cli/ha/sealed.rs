//! Encrypted files as these commands write them.

use std::path::PathBuf;

use clap::ValueEnum;

use crate::clock::Clock;
use crate::diagnostic::Problem;
use crate::secret::reference::{AgeSink, SinkRef};
use crate::secret::{Secret, sink, sops};

/// How a file is encrypted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    /// An age file, as agenix takes it
    #[default]
    Age,
    /// A document that sops decrypts, as sops-nix takes it (with `format = "binary"`)
    Sops,
}

/// A file for recipients that are keys, in a folder that is there.
#[derive(Debug)]
pub(super) struct Sealed {
    sink: AgeSink,
    form: Form,
}

impl Sealed {
    /// The file; nothing is written yet.
    ///
    /// # Errors
    /// A recipient is no key, or the folder is not there.
    pub(super) fn new(file: PathBuf, recipients: Vec<String>, form: Form) -> Result<Self, Problem> {
        let sink = AgeSink { file, recipients };
        sink::check(&SinkRef::Age(sink.clone())).map_err(|error| error.to_problem())?;
        Ok(Self { sink, form })
    }

    /// Writes the value, durably.
    ///
    /// # Errors
    /// The file could not be written; what was there before is untouched.
    pub(super) fn write(&self, value: &Secret) -> Result<(), Problem> {
        let value = value.expose().as_bytes();
        let written = match self.form {
            Form::Age => sink::write(&SinkRef::Age(self.sink.clone()), value),
            Form::Sops => sops::write(&self.sink, value, Clock::system().now()),
        };
        written.map_err(|error| error.to_problem())
    }

    /// What it is written to.
    pub(super) fn file(&self) -> &std::path::Path {
        &self.sink.file
    }

    /// Who can decrypt it.
    pub(super) fn recipients(&self) -> &[String] {
        &self.sink.recipients
    }

    /// How it is encrypted.
    pub(super) fn form(&self) -> Form {
        self.form
    }
}

//! Makes a catalogue of an installed Home Assistant by reading its files.
//!
//! Nothing of it is imported or run: an integration can be read whose libraries are not there, and reading cannot do
//! harm. Python is read by tree-sitter and not by text search, since a key is nearly always a constant of some other
//! file, and a form is nearly always put together from parts.
//!
//! What must hold: an integration is `complete` only where every place that stores something could be followed to
//! names. Whatever the scanner does not understand makes it incomplete, never wrong.

mod family;
mod fields;
mod finder;
mod integration;
mod modules;
mod parse;
mod reads;
mod resolve;
mod syntax;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::{Catalog, Format, Integration};
use crate::diagnostic::{Class, Problem};
use modules::Modules;
use syntax::Expression;

/// Expressions are followed through many functions, one call for each; the stack of a thread is small by default.
const STACK_BYTES: usize = 64 << 20;

/// Why there is no catalogue.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScanError {
    /// There is no such folder.
    #[error("`{}` is not a folder", .path.display())]
    NotAFolder {
        /// What was named.
        path: PathBuf,
    },
    /// The folder is there, and no Home Assistant in it.
    #[error("there is no Home Assistant in `{}`", .path.display())]
    NoHomeAssistant {
        /// What was named.
        path: PathBuf,
    },
    /// `homeassistant/const.py` does not say which version it is.
    #[error("`{}` does not tell the version of Home Assistant", .path.display())]
    NoVersion {
        /// The file.
        path: PathBuf,
    },
    /// A file or folder could not be read.
    #[error("cannot read `{}`", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is not the JSON that it should be.
    #[error("`{}` is not as Home Assistant writes it", .path.display())]
    NotJson {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
}

impl ScanError {
    /// The stable code, as in `docs/errors.md`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotAFolder { .. } => "provisor::ha::not_a_folder",
            Self::NoHomeAssistant { .. } => "provisor::ha::no_home_assistant",
            Self::NoVersion { .. } => "provisor::ha::no_version",
            Self::Unreadable { .. } => "provisor::ha::unreadable",
            Self::NotJson { .. } => "provisor::ha::not_json",
        }
    }

    /// What kind of failure it is.
    pub fn class(&self) -> Class {
        match self {
            Self::NotAFolder { .. } | Self::NoHomeAssistant { .. } => Class::Usage,
            Self::NoVersion { .. } | Self::NotJson { .. } => Class::Conflict,
            Self::Unreadable { .. } => Class::Unreachable,
        }
    }

    /// What the reader can do.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotAFolder { .. } | Self::NoHomeAssistant { .. } => Some(
                "name the folder that holds `homeassistant`, such as `/srv/homeassistant/lib/python3.14/site-packages`",
            ),
            _ => None,
        }
    }

    /// The same as every JSON output carries it, with the cause.
    pub fn to_problem(&self) -> Problem {
        let message = match std::error::Error::source(self) {
            Some(cause) => format!("{self}: {cause}"),
            None => self.to_string(),
        };
        let problem = Problem::new(self.code(), message);
        match self.hint() {
            Some(hint) => problem.with_hint(hint),
            None => problem,
        }
    }
}

/// Scans the Home Assistant that is installed in a `site-packages` folder.
pub fn scan(site_packages: &Path) -> Result<Catalog, ScanError> {
    if !site_packages.is_dir() {
        return Err(ScanError::NotAFolder { path: site_packages.to_owned() });
    }
    let package = site_packages.join("homeassistant");
    if !package.join("const.py").is_file() || !package.join("components").is_dir() {
        return Err(ScanError::NoHomeAssistant { path: site_packages.to_owned() });
    }
    let modules = Modules::below(&package)?;
    let Some(version) = version(&modules) else {
        return Err(modules.into_fault().unwrap_or(ScanError::NoVersion { path: package.join("const.py") }));
    };
    let integrations = integrations(&modules, &package.join("components"))?;
    match modules.into_fault() {
        Some(fault) => Err(fault),
        None => Ok(Catalog { format: Format::V1, home_assistant: version, integrations }),
    }
}

/// All of them, by as many threads as there are processors.
fn integrations(modules: &Modules, components: &Path) -> Result<BTreeMap<String, Integration>, ScanError> {
    let own = modules.by_integration();
    let domains = domains(components)?;
    let next = AtomicUsize::new(0);
    let work = || {
        let mut found = Vec::new();
        while let Some(domain) = domains.get(next.fetch_add(1, Ordering::Relaxed)) {
            let own = own.get(domain).map(Vec::as_slice).unwrap_or_default();
            let scanned = integration::scan(modules, own, &components.join(domain), domain)?;
            found.extend(scanned.map(|integration| (domain.clone(), integration)));
        }
        Ok(found)
    };
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(4);
    let found: Result<Vec<_>, ScanError> = thread::scope(|scope| {
        let spawn = |_| thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work);
        let threads: Result<Vec<_>, _> = (0..threads).map(spawn).collect();
        let threads = threads.map_err(|source| ScanError::Unreadable { path: components.to_owned(), source })?;
        let joined =
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        joined.collect()
    });
    Ok(found?.into_iter().flatten().collect())
}

/// The names of all integrations: their folders.
fn domains(components: &Path) -> Result<Vec<String>, ScanError> {
    let unreadable = |source| ScanError::Unreadable { path: components.to_owned(), source };
    let mut domains = Vec::new();
    for entry in std::fs::read_dir(components).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        if entry.path().join("manifest.json").is_file() {
            domains.extend(entry.file_name().to_str().map(str::to_owned));
        }
    }
    Ok(domains)
}

/// The version in `homeassistant/const.py`.
fn version(modules: &Modules) -> Option<String> {
    let constants = modules.get("homeassistant.const")?;
    let part = |name: &str| match constants.body.assigned(name).last()? {
        Expression::Number(number) => Some(number.to_string()),
        Expression::Text(text) => Some(text.clone()),
        _ => None,
    };
    Some(format!("{}.{}.{}", part("MAJOR_VERSION")?, part("MINOR_VERSION")?, part("PATCH_VERSION")?))
}

//! The Python files of an installed Home Assistant, each read when somebody first asks for it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use super::ScanError;
use super::parse::parse;
use super::syntax::Module;

/// All modules below `homeassistant`, by their names.
///
/// The files are known from the start, so that a module once read can be borrowed for as long as the scan lasts, from
/// any thread.
#[derive(Debug)]
pub(super) struct Modules {
    files: HashMap<String, File>,
    /// The first file that could not be read; the scan fails with it.
    fault: Mutex<Option<ScanError>>,
}

#[derive(Debug)]
struct File {
    path: PathBuf,
    is_package: bool,
    module: OnceLock<Module>,
}

impl Modules {
    /// Looks for files, and reads none.
    pub(super) fn below(package: &Path) -> Result<Self, ScanError> {
        let mut files = HashMap::new();
        find(package, "homeassistant", &mut files)?;
        Ok(Self { files, fault: Mutex::new(None) })
    }

    /// The module of that name; none where Home Assistant has none, as with a library.
    pub(super) fn get(&self, name: &str) -> Option<&Module> {
        let file = self.files.get(name)?;
        Some(file.module.get_or_init(|| {
            let source = self.source(file);
            parse(name, file.is_package, &source)
        }))
    }

    /// The module of that name, if it may have to do with entries.
    ///
    /// Parsing is what takes time, and most files of most integrations are entities that never see an entry's data.
    pub(super) fn touching_entries(&self, name: &str) -> Option<&Module> {
        self.may_touch_entries(name).then(|| self.get(name)).flatten()
    }

    fn may_touch_entries(&self, name: &str) -> bool {
        let Some(file) = self.files.get(name) else { return false };
        // Not "or somebody has read it already": what a scan finds may not depend on which thread is first.
        let source = self.source(file);
        source.contains("async_update_entry")
            || source.contains("entry_data")
            || (source.contains(".data") && (source.contains("entry") || source.contains("Entry")))
    }

    /// The names of all modules of each integration, in order.
    pub(super) fn by_integration(&self) -> HashMap<String, Vec<String>> {
        let mut domains: HashMap<String, Vec<String>> = HashMap::new();
        for name in self.files.keys() {
            if let Some(rest) = name.strip_prefix("homeassistant.components.") {
                let domain = rest.split('.').next().unwrap_or(rest);
                domains.entry(domain.to_owned()).or_default().push(name.clone());
            }
        }
        for names in domains.values_mut() {
            names.sort();
        }
        domains
    }

    fn source(&self, file: &File) -> String {
        std::fs::read_to_string(&file.path).unwrap_or_else(|source| {
            let mut fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
            fault.get_or_insert(ScanError::Unreadable { path: file.path.clone(), source });
            String::new()
        })
    }

    /// What could not be read, if anything.
    pub(super) fn into_fault(self) -> Option<ScanError> {
        self.fault.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

fn find(folder: &Path, name: &str, files: &mut HashMap<String, File>) -> Result<(), ScanError> {
    let unreadable = |source| ScanError::Unreadable { path: folder.to_owned(), source };
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let path = entry.path();
        let Some(file) = path.file_name().and_then(|file| file.to_str()) else { continue };
        if let Some(stem) = file.strip_suffix(".py") {
            let is_package = stem == "__init__";
            let name = if is_package { name.to_owned() } else { format!("{name}.{stem}") };
            files.insert(name, File { path, is_package, module: OnceLock::new() });
        } else if !file.contains('.') && !matches!(file, "__pycache__" | "translations" | "LICENSE") && path.is_dir() {
            find(&path, &format!("{name}.{file}"), files)?;
        }
    }
    Ok(())
}

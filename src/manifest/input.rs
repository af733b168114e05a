//! Finding and reading what `-f` names: files, folders, standard input.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::diagnostic::Diagnostic;

/// Larger than any honest fleet.
const MAX_BYTES: u64 = 256 * 1024 * 1024;

/// One text with where it is from.
#[derive(Debug)]
pub(super) struct Input {
    /// As faults name it; `-` for standard input.
    pub(super) name: String,
    /// What relative paths in it are relative to.
    pub(super) folder: PathBuf,
    pub(super) text: String,
    pub(super) is_json: bool,
    /// Named directly, so that a document of another `apiVersion` is an error.
    pub(super) is_named: bool,
}

/// Reads every text that the paths mean, in a stable order, each file once.
pub(super) fn read(paths: &[String]) -> (Vec<Input>, Vec<Diagnostic>) {
    let (mut inputs, mut faults) = (Vec::new(), Vec::new());
    let mut seen = BTreeSet::new();
    for path in paths {
        if path == "-" {
            match read_stdin() {
                Ok(bytes) => take(&mut inputs, &mut faults, "-", Path::new("."), bytes, true),
                Err(error) => faults.push(unreadable("-", &error)),
            }
            continue;
        }
        let mut files = Vec::new();
        let is_folder = Path::new(path).is_dir();
        if is_folder {
            if let Err(fault) = list(Path::new(path), &mut files, &mut BTreeSet::new()) {
                faults.push(fault);
            }
        } else {
            files.push(PathBuf::from(path));
        }
        for file in files {
            if seen.insert(file.canonicalize().unwrap_or_else(|_| file.clone())) {
                let name = file.display().to_string();
                match read_file(&file) {
                    Ok(bytes) => {
                        let folder = file.parent().unwrap_or(Path::new("."));
                        take(&mut inputs, &mut faults, &name, folder, bytes, !is_folder);
                    }
                    Err(error) => faults.push(unreadable(&name, &error)),
                }
            }
        }
    }
    (inputs, faults)
}

/// One text from bytes at hand.
pub(super) fn from_bytes(name: &str, bytes: &[u8]) -> (Vec<Input>, Vec<Diagnostic>) {
    let (mut inputs, mut faults) = (Vec::new(), Vec::new());
    take(&mut inputs, &mut faults, name, Path::new("."), bytes.to_vec(), true);
    (inputs, faults)
}

fn take(
    inputs: &mut Vec<Input>,
    faults: &mut Vec<Diagnostic>,
    name: &str,
    folder: &Path,
    bytes: Vec<u8>,
    is_named: bool,
) {
    match String::from_utf8(bytes) {
        Ok(text) => {
            let is_json = Path::new(name).extension().is_some_and(|ending| ending == "json")
                || (name == "-" && text.trim_start().starts_with(['{', '[']) && is_json(&text));
            let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
            inputs.push(Input { name: name.to_owned(), folder, text, is_json, is_named });
        }
        Err(error) => {
            let valid = error.utf8_error().valid_up_to();
            let before = String::from_utf8_lossy(&error.as_bytes()[..valid]).into_owned();
            let message = "the file is not UTF-8 text".to_owned();
            let mut fault = Diagnostic::new("provisor::manifest::invalid_utf8", message)
                .with_hint("save it as UTF-8, without a byte order of its own");
            fault.file = Some(name.to_owned());
            fault.line = Some(before.matches('\n').count() as u64 + 1);
            fault.column = Some(before.rsplit('\n').next().unwrap_or_default().chars().count() as u64 + 1);
            faults.push(fault);
        }
    }
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

/// The manifests of a folder, recursively, sorted; dot folders left out, and no folder twice, so that links may loop.
fn list(folder: &Path, files: &mut Vec<PathBuf>, visited: &mut BTreeSet<PathBuf>) -> Result<(), Diagnostic> {
    let failed = |error: std::io::Error| unreadable(&folder.display().to_string(), &error);
    if !visited.insert(folder.canonicalize().map_err(failed)?) {
        return Ok(());
    }
    let mut entries = std::fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>())
        .map_err(failed)?;
    entries.sort();
    for path in entries {
        let is_hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if path.is_dir() {
            if !is_hidden {
                list(&path, files, visited)?;
            }
        } else if path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml" || ending == "json") {
            files.push(path);
        }
    }
    Ok(())
}

fn read_file(path: &Path) -> std::io::Result<Vec<u8>> {
    let file = std::fs::File::open(path)?;
    limited(file)
}

fn read_stdin() -> std::io::Result<Vec<u8>> {
    limited(std::io::stdin().lock())
}

fn limited(reader: impl std::io::Read) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(std::io::Error::new(std::io::ErrorKind::FileTooLarge, "larger than 256 MiB"));
    }
    Ok(bytes)
}

fn unreadable(name: &str, error: &std::io::Error) -> Diagnostic {
    let code = match error.kind() {
        std::io::ErrorKind::FileTooLarge => "provisor::manifest::too_large",
        _ => "provisor::manifest::unreadable",
    };
    let mut fault = Diagnostic::new(code, format!("cannot read `{name}`: {error}"));
    fault.file = Some(name.to_owned());
    fault
}

//! Finding and reading a storage file.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::{Error, VERSION};

/// Thousands of entries are a few megabytes; more is not what we are looking for.
const LIMIT: u64 = 256 * 1024 * 1024;

/// The storage file `name`: in `path`, in `.storage` below it, or beside it where it is a file.
pub(super) fn find(path: &Path, name: &str) -> Result<Option<PathBuf>, Error> {
    let unreadable = |source| Error::Unreadable { path: path.display().to_string(), source };
    if !path.metadata().map_err(unreadable)?.is_dir() {
        // The file itself may have any name; others are found beside it by theirs.
        let is_other = name != super::ENTRIES;
        let place = if is_other { path.with_file_name(name) } else { path.to_owned() };
        return Ok(is_there(&place)?.then_some(place));
    }
    for place in [path.join(".storage").join(name), path.join(name)] {
        if is_there(&place)? {
            return Ok(Some(place));
        }
    }
    Ok(None)
}

/// A folder that may not be entered is no proof that nothing is in it.
fn is_there(place: &Path) -> Result<bool, Error> {
    place.try_exists().map_err(|source| Error::Unreadable { path: place.display().to_string(), source })
}

/// What every storage file states of itself.
#[derive(Deserialize)]
struct Head {
    version: u64,
}

pub(super) fn read<T: DeserializeOwned>(path: &Path) -> Result<T, Error> {
    let name = path.display().to_string();
    let bytes = bytes(path).map_err(|source| Error::Unreadable { path: name.clone(), source })?;
    // The error's own text can quote what it met.
    let malformed =
        |error: serde_json::Error| Error::Malformed { path: name.clone(), line: error.line(), column: error.column() };
    let Head { version } = serde_json::from_slice(&bytes).map_err(malformed)?;
    if version != VERSION {
        return Err(Error::Version { path: name, version });
    }
    serde_json::from_slice(&bytes).map_err(malformed)
}

fn bytes(path: &Path) -> std::io::Result<Zeroizing<Vec<u8>>> {
    // Without blocking: opening a pipe would wait for a writer.
    let nonblocking = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or(0);
    let file = File::options().read(true).custom_flags(nonblocking).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(std::io::Error::other("it is not a regular file"));
    }
    if metadata.len() > LIMIT {
        return Err(std::io::Error::other("it is too large for a storage file"));
    }
    // Room for all of it from the start: a buffer that grows leaves copies behind. Home Assistant replaces the file as a
    // whole, so it does not grow while it is open.
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0) + 1));
    file.take(metadata.len()).read_to_end(&mut bytes)?;
    Ok(bytes)
}

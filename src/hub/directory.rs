//! The hub's folder: 0700, with the store and, below `credentials/`, the secrets that nobody gave it.
//!
//! ```text
//! DIR/                       0700
//! DIR/hub.db                 0600   the store, and SQLite's -wal and -shm beside it with the same mode
//! DIR/credentials/           0700
//! DIR/credentials/hub.pepper 0600   made where no pepper is given
//! ```

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::Error;
use crate::otpk::Pepper;

/// The rights of the group and of everybody else.
const OTHERS: u32 = 0o077;

/// The store's file.
pub(super) fn database(directory: &Path) -> PathBuf {
    directory.join("hub.db")
}

/// Where the pepper is when none was given.
pub(super) fn pepper(directory: &Path) -> PathBuf {
    directory.join("credentials").join("hub.pepper")
}

/// Makes the folder and an empty file for the store, with their modes, where they are missing.
pub(super) fn prepare(directory: &Path) -> Result<(), Error> {
    private_folder(directory)?;
    let database = database(directory);
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&database) {
        Ok(_) => sync(directory),
        Err(source) if source.kind() == ErrorKind::AlreadyExists => restrict(&database, 0o600),
        Err(source) => Err(Error::File { action: "make the store", path: database, source }),
    }
}

/// The pepper that lies in the folder, if one does.
pub(super) fn read_pepper(directory: &Path) -> Result<Option<Pepper>, Error> {
    let path = pepper(directory);
    match fs::read(&path) {
        Ok(bytes) => Ok(Some(Pepper::new(bytes)?)),
        Err(source) if source.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::File { action: "read the pepper", path, source }),
    }
}

/// Makes a pepper; where another process was faster, its pepper is the answer.
pub(super) fn make_pepper(directory: &Path) -> Result<Pepper, Error> {
    let path = pepper(directory);
    let fail = |source| Error::File { action: "write the pepper", path: path.clone(), source };
    let folder = directory.join("credentials");
    private_folder(&folder)?;
    let draft = folder.join(format!(".hub.pepper.{}", Uuid::new_v4().simple()));
    let made = write_private(&draft, Pepper::generate()?.expose()).and_then(|()| fs::hard_link(&draft, &path));
    let cleared = fs::remove_file(&draft);
    match made {
        Err(source) if source.kind() != ErrorKind::AlreadyExists => return Err(fail(source)),
        _ => cleared.map_err(fail)?,
    }
    sync(&folder)?;
    read_pepper(directory)?.ok_or_else(|| fail(ErrorKind::NotFound.into()))
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes a 0700 folder, or takes the rights of others on an existing one, unless it holds other people's things.
fn private_folder(path: &Path) -> Result<(), Error> {
    let fail = |action| move |source| Error::File { action, path: path.to_owned(), source };
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(fail("make the folder"))?;
    let mode = fs::metadata(path).map_err(fail("read the folder"))?.mode();
    if mode & OTHERS != 0 && !is_ours(path).map_err(fail("read the folder"))? {
        return Err(Error::DirectoryShared(path.to_owned()));
    }
    restrict(path, 0o700)
}

/// Takes the rights of others on a file or folder, where they have any.
fn restrict(path: &Path, mode: u32) -> Result<(), Error> {
    let fail = |source| Error::File { action: "restrict", path: path.to_owned(), source };
    if fs::metadata(path).map_err(fail)?.mode() & OTHERS == 0 {
        return Ok(());
    }
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(fail)
}

/// Whether a folder is empty, or a hub's already.
fn is_ours(path: &Path) -> io::Result<bool> {
    let names =
        fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.file_name())).collect::<io::Result<Vec<_>>>()?;
    Ok(names.is_empty() || names.iter().any(|name| name == "hub.db" || name == "hub.pepper" || name == "credentials"))
}

/// A new name in a folder is durable once the folder itself is.
fn sync(folder: &Path) -> Result<(), Error> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|source| Error::File {
        action: "sync the folder",
        path: folder.to_owned(),
        source,
    })
}

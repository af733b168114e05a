//! Where secrets go: a file of mode 0600, or a file encrypted with age.
//!
//! A sink receives exactly the value, with no line end. It is written beside its place under a fixed name
//! (`.NAME.provisor-new`, 0600), synced, and renamed, so that a reader sees the old value or the new one and never half;
//! what a crash leaves under that name is removed by the next run. Plain text is written only to a sink that asks for it.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use age::Recipient;
use age::armor::{ArmoredWriter, Format};
use zeroize::Zeroizing;

use super::Secret;
use super::error::Error;
use super::reference::{AgeSink, SinkRef};

/// Whether the sink could be written: its folder is there, nothing but a file stands at its place, and its recipients are
/// keys. Writes nothing.
///
/// # Errors
/// What stands in the way.
pub fn check(sink: &SinkRef) -> Result<(), Error> {
    if let SinkRef::Age(age) = sink {
        recipients(age)?;
    }
    check_folder(file(sink)?)?;
    check_place(file(sink)?)
}

/// Whether nothing but a regular file stands where a sink writes; a link is followed.
///
/// # Errors
/// A folder, a pipe or a device is there, or the place cannot be looked at.
pub fn check_place(path: &Path) -> Result<(), Error> {
    match std::fs::metadata(path) {
        Ok(found) if found.is_file() => Ok(()),
        Ok(_) => Err(Error::SinkTaken { path: path.to_owned() }),
        Err(source) if source.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(Error::Io { action: "look at", path: path.to_owned(), source }),
    }
}

/// Whether something is where the sink writes.
///
/// # Errors
/// The place cannot be looked at.
pub fn exists(sink: &SinkRef) -> Result<bool, Error> {
    let path = file(sink)?;
    path.try_exists().map_err(|source| Error::Io { action: "look at", path: path.to_owned(), source })
}

/// Whether the sink holds `value`; none for a sink that only its recipients can read.
///
/// # Errors
/// The file cannot be read.
pub fn holds(sink: &SinkRef, value: &Secret) -> Result<Option<bool>, Error> {
    let SinkRef::File(path) = sink else { return Ok(None) };
    let bytes = std::fs::read(path).map_err(|source| Error::Io { action: "read", path: path.clone(), source })?;
    Ok(Some(*Zeroizing::new(bytes) == *value.expose().as_bytes()))
}

/// What the sink holds; none where there is nothing, or nothing that could be a secret, and for a sink that only its
/// recipients can read.
///
/// # Errors
/// The file cannot be read.
pub fn read(sink: &SinkRef) -> Result<Option<Secret>, Error> {
    let SinkRef::File(path) = sink else { return Ok(None) };
    match std::fs::read(path) {
        Ok(bytes) => {
            let bytes = Zeroizing::new(bytes);
            Ok(std::str::from_utf8(&bytes)
                .ok()
                .filter(|text| !text.is_empty())
                .map(|text| Secret::new(text.to_owned())))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::Io { action: "read", path: path.clone(), source }),
    }
}

/// Writes `value`, durably: when this returns, it survives a loss of power.
///
/// # Errors
/// The file could not be written; what was there before is untouched.
pub fn write(sink: &SinkRef, value: &[u8]) -> Result<(), Error> {
    match sink {
        SinkRef::Age(age) => write_private(&age.file, &encrypt(age, value)?),
        _ => write_private(file(sink)?, value),
    }
}

/// Writes a file of mode 0600 in the manner of a sink, such as a card.
///
/// # Errors
/// As [`write()`].
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let path = &place(path);
    check_folder(path)?;
    check_place(path)?;
    let new = beside(path);
    let result = write_new(&new, bytes).and_then(|()| {
        std::fs::rename(&new, path).map_err(|source| Error::Io { action: "replace", path: path.clone(), source })
    });
    if result.is_err() {
        remove(&new);
        return result;
    }
    let folder = folder(path);
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|source| Error::Io { action: "sync", path: folder.to_owned(), source })
}

/// Removes what a crash left beside the sink.
pub fn remove_leftover(sink: &SinkRef) {
    if let Ok(path) = file(sink) {
        remove(&beside(&place(path)));
    }
}

/// Where the file of a sink really is: a link is written through, so that it goes on to be one.
fn place(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

fn file(sink: &SinkRef) -> Result<&Path, Error> {
    sink.path().ok_or(Error::OperatorOnly)
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn check_folder(path: &Path) -> Result<(), Error> {
    if folder(path).is_dir() { Ok(()) } else { Err(Error::MissingFolder { path: folder(path).to_owned() }) }
}

/// The fixed name beside a sink, under which its new content is written.
fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.provisor-new"))
}

fn write_new(new: &Path, bytes: &[u8]) -> Result<(), Error> {
    remove(new);
    let failed = |source| Error::Io { action: "write", path: new.to_owned(), source };
    // Exclusive and 0600 from the first byte, whatever the umask: nobody else can have it open.
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(new).map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed)
}

fn remove(new: &Path) {
    if let Err(error) = std::fs::remove_file(new)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!("cannot remove `{}`: {error}", new.display());
    }
}

fn recipients(sink: &AgeSink) -> Result<Vec<Box<dyn Recipient>>, Error> {
    let parse = |(at, text): (usize, &String)| -> Result<Box<dyn Recipient>, Error> {
        let text = text.trim();
        if let Ok(recipient) = age::x25519::Recipient::from_str(text) {
            return Ok(Box::new(recipient));
        }
        match age::ssh::Recipient::from_str(text) {
            Ok(recipient) => Ok(Box::new(recipient)),
            Err(_) => Err(Error::Recipient { path: sink.file.clone(), number: at + 1 }),
        }
    };
    sink.recipients.iter().enumerate().map(parse).collect()
}

/// Which recipients are no key that age can encrypt to, from 0.
pub fn bad_recipients(sink: &AgeSink) -> Vec<usize> {
    let alone = |recipient: &String| AgeSink { file: sink.file.clone(), recipients: vec![recipient.clone()] };
    let is_bad = |recipient: &String| matches!(recipients(&alone(recipient)), Err(Error::Recipient { .. }));
    let all = sink.recipients.iter().enumerate();
    all.filter(|(_, recipient)| is_bad(recipient)).map(|(at, _)| at).collect()
}

/// Armoured, since such files live in repositories: age, agenix and rage read both forms.
pub(super) fn encrypt(sink: &AgeSink, value: &[u8]) -> Result<Vec<u8>, Error> {
    let failed = || Error::Encrypt { path: sink.file.clone() };
    let recipients = recipients(sink)?;
    let encryptor =
        age::Encryptor::with_recipients(recipients.iter().map(|recipient| &**recipient)).map_err(|_| failed())?;
    let mut out = Vec::new();
    let armor = ArmoredWriter::wrap_output(&mut out, Format::AsciiArmor).map_err(|_| failed())?;
    let mut writer = encryptor.wrap_output(armor).map_err(|_| failed())?;
    writer.write_all(value).map_err(|_| failed())?;
    writer.finish().and_then(ArmoredWriter::finish).map_err(|_| failed())?;
    Ok(out)
}

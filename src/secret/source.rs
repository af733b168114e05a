//! Where secrets come from: systemd credentials, files, the environment, a prompt.
//!
//! This is the one place that reads the environment for secrets. A reference is resolved once in a run: a prompt is not
//! asked twice, and a file that is replaced in the middle of a run does not yield two values.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io::{IsTerminal as _, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use zeroize::Zeroizing;

use super::Secret;
use super::error::Error;
use super::reference::SecretRef;
use crate::diagnostic::Warning;

/// What systemd delivers at the most.
const LIMIT: u64 = 1024 * 1024;

/// Where credentials are, and who put them there.
#[derive(Debug)]
enum Credentials {
    /// Nothing says so.
    Nowhere,
    /// `$CREDENTIALS_DIRECTORY`: group bits are normal there (an ACL shows as one).
    Delivered(PathBuf),
    /// `--credentials-dir`: an operator's own folder.
    Named(PathBuf),
}

/// Resolves references to secrets.
#[derive(Debug)]
pub struct Sources {
    credentials: Credentials,
    /// The credentials folder without links, once it was looked at.
    root: OnceLock<PathBuf>,
    resolved: Mutex<HashMap<SecretRef, Secret>>,
    warnings: Mutex<Vec<Warning>>,
}

impl Sources {
    /// Credentials from `named` (`--credentials-dir`), else from `$CREDENTIALS_DIRECTORY`.
    pub fn from_environment(named: Option<PathBuf>) -> Self {
        let credentials = match (named, variable("CREDENTIALS_DIRECTORY")) {
            (Some(folder), _) => Credentials::Named(folder),
            (None, Some(folder)) => Credentials::Delivered(folder.into()),
            (None, None) => Credentials::Nowhere,
        };
        Self { credentials, root: OnceLock::new(), resolved: Mutex::default(), warnings: Mutex::default() }
    }

    /// The secret that a reference means, without one final line end.
    ///
    /// # Errors
    /// It is not there, is empty, or can be read by others.
    pub fn resolve(&self, reference: &SecretRef) -> Result<Secret, Error> {
        if let Some(secret) = self.resolved.lock().unwrap_or_else(PoisonError::into_inner).get(reference) {
            return Ok(secret.clone());
        }
        let secret = match reference {
            SecretRef::Credential(name) => text(&self.credential(name)?, &describe(reference))?,
            SecretRef::File(path) => text(&self.file(path, &describe(reference))?, &describe(reference))?,
            SecretRef::Env(name) => {
                let value = variable(name).ok_or_else(|| Error::Missing { what: describe(reference) })?;
                let value = value.into_string().map_err(|_| Error::NotText { what: describe(reference) })?;
                text(&Zeroizing::new(value.into_bytes()), &describe(reference))?
            }
            SecretRef::Prompt(question) => ask(question)?,
            SecretRef::SecretKeyRef(_) => return Err(Error::OperatorOnly),
        };
        self.resolved.lock().unwrap_or_else(PoisonError::into_inner).insert(reference.clone(), secret.clone());
        Ok(secret)
    }

    /// The bytes of a credential, none trimmed, where there is one of this name; such as `hub.pepper`, which is no text.
    ///
    /// # Errors
    /// It is there and cannot be used.
    pub fn optional_credential(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        match self.credential(name) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(Error::MissingCredential { .. } | Error::NoCredentialsDirectory { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What is amiss with what was read so far, and no reason to stop.
    pub fn warnings(&self) -> Vec<Warning> {
        self.warnings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn credential(&self, name: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '@');
        if name.is_empty() || name.len() > 255 || !name.chars().all(is_plain) || matches!(name, "." | "..") {
            return Err(Error::BadName { name: name.to_owned() });
        }
        let is_delivered = matches!(self.credentials, Credentials::Delivered(_));
        let root = self.root(name)?;
        let what = format!("the credential `{name}`");
        let path = root.join(name);
        // Kubernetes mounts secrets as trees of links: follow them, but not out of the folder.
        let missing = |_| Error::MissingCredential { name: name.to_owned() };
        let is_link = path.symlink_metadata().map_err(missing)?.is_symlink();
        let real = if is_link { path.canonicalize().map_err(missing)? } else { path };
        if !real.starts_with(root) {
            return Err(Error::LeadsOut { what });
        }
        let (bytes, metadata) = read(&real, &what)?;
        match mode(&metadata) {
            bits if bits & 0o007 != 0 => return Err(Error::Permissions { what, how: "read" }),
            bits if bits & 0o070 != 0 && !is_delivered => self.warn(&format!("{what} can be read by its group")),
            _ => {}
        }
        Ok(bytes)
    }

    /// The credentials folder, looked at once.
    fn root(&self, name: &str) -> Result<&Path, Error> {
        if let Some(root) = self.root.get() {
            return Ok(root);
        }
        let (folder, is_named) = match &self.credentials {
            Credentials::Nowhere => return Err(Error::NoCredentialsDirectory { name: name.to_owned() }),
            Credentials::Delivered(folder) => (folder, false),
            Credentials::Named(folder) => (folder, true),
        };
        let root = folder.canonicalize().map_err(|_| Error::MissingDirectory { path: folder.clone() })?;
        if is_named {
            refuse_shared_folder(&root)?;
        }
        Ok(self.root.get_or_init(|| root))
    }

    fn file(&self, path: &Path, what: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
        let (bytes, metadata) = read(path, what)?;
        // A group may be let in on purpose: agenix and sops-nix do so, and so does the component with its token.
        if mode(&metadata) & 0o007 != 0 {
            self.warn(&format!("{what} can be read by others; `chmod 0600` it"));
        }
        Ok(bytes)
    }

    fn warn(&self, message: &str) {
        let warning = Warning::new("provisor::secret::permissions", message);
        let mut warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        if !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment for secrets")]
fn variable(name: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

fn describe(reference: &SecretRef) -> String {
    format!("the {reference}")
}

fn mode(metadata: &Metadata) -> u32 {
    metadata.permissions().mode() & 0o777
}

/// A folder that others can write can be given other files at any moment.
fn refuse_shared_folder(folder: &Path) -> Result<(), Error> {
    let metadata = folder.metadata().map_err(|_| Error::MissingDirectory { path: folder.to_owned() })?;
    let is_sticky = metadata.mode() & 0o1000 != 0;
    if mode(&metadata) & 0o002 != 0 && !is_sticky {
        return Err(Error::Permissions { what: format!("the folder `{}`", folder.display()), how: "replaced" });
    }
    Ok(())
}

fn read(path: &Path, what: &str) -> Result<(Zeroizing<Vec<u8>>, Metadata), Error> {
    let failed = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::NotFound => Error::Missing { what: what.to_owned() },
        _ => Error::Io { action: "read", path: path.to_owned(), source },
    };
    // Without blocking: opening a pipe would wait for a writer.
    let nonblocking = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or(0);
    let file = File::options().read(true).custom_flags(nonblocking).open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(Error::NotAFile { what: what.to_owned() });
    }
    if metadata.len() > LIMIT {
        return Err(Error::TooLarge { what: what.to_owned() });
    }
    // Room for all of it from the start: a buffer that grows leaves copies behind.
    let room = usize::try_from(metadata.len()).unwrap_or(0) + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    file.take(LIMIT + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > LIMIT {
        return Err(Error::TooLarge { what: what.to_owned() });
    }
    Ok((bytes, metadata))
}

/// The text of a secret, without one final `\n` or `\r\n`.
fn text(bytes: &[u8], what: &str) -> Result<Secret, Error> {
    let text = std::str::from_utf8(bytes).map_err(|_| Error::NotText { what: what.to_owned() })?;
    let text = text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text));
    if text.is_empty() {
        return Err(Error::Empty { what: what.to_owned() });
    }
    Ok(Secret::new(text.to_owned()))
}

fn ask(question: &str) -> Result<Secret, Error> {
    if !std::io::stdin().is_terminal() {
        return Err(Error::NoTerminal { text: question.to_owned() });
    }
    let answer = rpassword::prompt_password(format!("{question}: "))
        .map_err(|source| Error::Prompt { text: question.to_owned(), source })?;
    if answer.is_empty() {
        return Err(Error::Empty { what: format!("the answer to `{question}`") });
    }
    Ok(Secret::new(answer))
}

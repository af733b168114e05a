//! One lock for each owner and target, so that two applies keep out of each other's way.
//!
//! An advisory lock on a file: the kernel lets go of it however its holder ends. The file itself stays, since removing
//! it would let two holders lock two files of one name.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::clock::Clock;
use crate::diagnostic::Problem;

/// How long a second apply waits for the first.
pub const WAIT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(200);

/// A held lock; dropping it lets go.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "held until dropped")] File);

/// Takes the lock `name` in `directory` (made where missing), waiting up to `wait`.
///
/// # Errors
/// Somebody holds it still, or the folder cannot be written.
pub async fn acquire(directory: &Path, name: &str, wait: Duration, clock: &Clock) -> Result<Lock, Problem> {
    let path = path(directory, name);
    let mut file = open(&path).map_err(|error| {
        Problem::new("provisor::apply::lock", format!("cannot open the lock `{}`: {error}", path.display()))
            .with_hint("set XDG_RUNTIME_DIR to a folder that this user can write")
    })?;
    let mut left = wait;
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) if !left.is_zero() => {
                let step = left.min(POLL);
                tokio::time::sleep(step).await;
                left -= step;
            }
            Err(TryLockError::WouldBlock) => return Err(held(&mut file, name, wait)),
            Err(TryLockError::Error(error)) => {
                let message = format!("cannot take the lock `{}`: {error}", path.display());
                return Err(Problem::new("provisor::apply::lock", message));
            }
        }
    }
    // Who holds it is for the reader of an error only; the lock holds without it.
    let note = format!("process {} since {}\n", std::process::id(), clock.now().strftime("%Y-%m-%dT%H:%M:%SZ"));
    let written = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(note.as_bytes()));
    if let Err(error) = written {
        tracing::warn!("cannot note who holds the lock `{}`: {error}", path.display());
    }
    Ok(Lock(file))
}

fn path(directory: &Path, name: &str) -> PathBuf {
    let digest = Sha256::digest(name.as_bytes());
    directory.join(format!("{}.lock", data_encoding::HEXLOWER.encode(&digest[..16])))
}

fn open(path: &Path) -> std::io::Result<File> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

fn held(file: &mut File, name: &str, wait: Duration) -> Problem {
    let mut holder = String::new();
    let known = file.read_to_string(&mut holder).is_ok() && !holder.trim().is_empty();
    let holder = if known { holder.trim().to_owned() } else { "another apply".to_owned() };
    let message = format!("{name} is being applied by {holder}; waited {} s", wait.as_secs());
    Problem::new("provisor::apply::locked", message).with_hint("run again when that one is done")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// REC-13: a second apply waits, then says who holds the lock; a lock ends with its holder.
    #[tokio::test]
    async fn the_second_is_told_who_holds_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::system();
        let first = acquire(folder.path(), "realm `home`", Duration::ZERO, &clock).await.unwrap();
        let problem = acquire(folder.path(), "realm `home`", Duration::from_millis(10), &clock).await.unwrap_err();
        assert_eq!(problem.code, "provisor::apply::locked");
        assert!(problem.message.contains(&format!("process {}", std::process::id())), "{}", problem.message);
        let other = acquire(folder.path(), "realm `office`", Duration::ZERO, &clock).await;
        assert!(other.is_ok());
        drop(first);
        assert!(acquire(folder.path(), "realm `home`", Duration::ZERO, &clock).await.is_ok());
    }
}

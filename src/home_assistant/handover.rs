//! Taking a credential out of a live entry, and the entry with it, without a moment at which the credential is nowhere.
//!
//! An integration may replace its token at any time, so the copy is taken of an entry at rest: switched off first, read
//! once storage shows that, written, and only then is the entry deleted. Whatever fails before that leaves an entry that
//! is switched off and whole.

use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

use super::api::Api;
use super::stored::{Entries, Error as StoredError};
use crate::diagnostic::Problem;
use crate::secret::Secret;

/// How long Home Assistant is given.
#[derive(Debug, Clone, Copy)]
pub struct Waits {
    /// Until what was under way when the entry was switched off is on disk, too.
    settled: Duration,
    /// Until storage must show that the entry is off.
    patience: Duration,
    /// Between two looks.
    interval: Duration,
}

impl Default for Waits {
    /// Home Assistant writes a change one second later.
    fn default() -> Self {
        Self {
            settled: Duration::from_secs(2),
            patience: Duration::from_secs(20),
            interval: Duration::from_millis(200),
        }
    }
}

/// What is done to entries of a running Home Assistant.
pub trait LiveEntries: Sync {
    /// Switches an entry off; returns when it is unloaded.
    fn disable(&self, entry_id: &str) -> impl Future<Output = Result<(), Problem>> + Send;
    /// Deletes an entry; one that is gone already is no failure.
    fn delete(&self, entry_id: &str) -> impl Future<Output = Result<(), Problem>> + Send;
}

impl LiveEntries for Api {
    async fn disable(&self, entry_id: &str) -> Result<(), Problem> {
        Self::disable(self, entry_id).await.map_err(|error| error.to_problem())
    }

    async fn delete(&self, entry_id: &str) -> Result<(), Problem> {
        Self::delete(self, entry_id).await.map_err(|error| error.to_problem())
    }
}

/// Why the credential was not handed over.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nothing has happened.
    #[error("the entry {entry} cannot be switched off: {problem}")]
    Disable {
        /// The entry.
        entry: String,
        /// What Home Assistant said.
        problem: Problem,
    },
    /// Storage belongs to another Home Assistant, or is a copy.
    #[error("storage does not show that the entry {entry} was switched off")]
    NotShown {
        /// The entry.
        entry: String,
    },
    /// It is switched off.
    #[error(transparent)]
    Stored(#[from] StoredError),
    /// It is switched off.
    #[error("{0}")]
    Write(Problem),
    /// The copy is safe.
    #[error("the credential is written, but the entry {entry} cannot be deleted: {problem}")]
    Delete {
        /// The entry.
        entry: String,
        /// What Home Assistant said.
        problem: Problem,
    },
}

impl Error {
    /// The error as reports carry it, with what is left to do.
    pub fn to_problem(&self) -> Problem {
        const OFF: &str = "the entry is switched off and whole; switch it on in Home Assistant, or run this again";
        let with = |problem: &Problem, message: String, hint: &str| {
            let hint = problem.hint.as_ref().map_or_else(|| hint.to_owned(), |first| format!("{first}; {hint}"));
            Problem::new(problem.code.clone(), message).with_hint(hint)
        };
        match self {
            Self::Disable { problem, .. } => with(problem, self.to_string(), "nothing was changed"),
            Self::NotShown { .. } => Problem::new("provisor::home_assistant::not_shown", self.to_string()).with_hint(
                format!("is `--storage` that of the Home Assistant named in the manifests, and no copy? {OFF}"),
            ),
            Self::Stored(error) => with(&error.to_problem(), self.to_string(), OFF),
            Self::Write(problem) => with(problem, self.to_string(), OFF),
            Self::Delete { problem, .. } => with(problem, self.to_string(), "delete it in Home Assistant"),
        }
    }
}

/// Hands the credential at `path` of an entry to `write`, which must have made it safe when it returns; the entry is gone
/// then.
///
/// # Errors
/// What stands in the way, and how far it came.
pub async fn take_out(
    live: &impl LiveEntries,
    storage: &Path,
    (entry_id, entry): (&str, String),
    path: &str,
    waits: Waits,
    write: impl FnOnce(&Secret) -> Result<(), Problem>,
) -> Result<(), Error> {
    let disabled = live.disable(entry_id).await;
    disabled.map_err(|problem| Error::Disable { entry: entry.clone(), problem })?;
    let since = Instant::now();
    tokio::time::sleep(waits.settled).await;
    let entries = loop {
        let entries = Entries::read(storage)?;
        if entries.by_id(entry_id).is_some_and(|entry| entry.disabled_by.is_some()) {
            break entries;
        }
        if since.elapsed() > waits.patience {
            return Err(Error::NotShown { entry });
        }
        tokio::time::sleep(waits.interval).await;
    };
    // The loop ended on it.
    let stored = entries.by_id(entry_id).ok_or_else(|| Error::NotShown { entry: entry.clone() })?;
    write(stored.credential(path)?).map_err(Error::Write)?;
    live.delete(entry_id).await.map_err(|problem| Error::Delete { entry, problem })
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use serde_json::json;

    use super::*;

    /// A Home Assistant of one entry, whose storage follows when told to.
    struct Fake {
        storage: tempfile::TempDir,
        calls: Mutex<Vec<String>>,
        refuses: Option<&'static str>,
        shows: bool,
    }

    impl Fake {
        fn new(refuses: Option<&'static str>, shows: bool) -> Self {
            let fake = Self { storage: tempfile::tempdir().unwrap(), calls: Mutex::default(), refuses, shows };
            fake.store(None, "first");
            fake
        }

        fn store(&self, disabled_by: Option<&str>, token: &str) {
            let entry = json!({"entry_id": "1", "domain": "tado", "title": "Home", "disabled_by": disabled_by,
                "data": {"refresh_token": token}});
            let text = json!({"version": 1, "data": {"entries": [entry]}}).to_string();
            std::fs::write(self.storage.path().join("core.config_entries"), text).unwrap();
        }

        fn call(&self, what: &str) -> Result<(), Problem> {
            self.calls.lock().unwrap().push(what.to_owned());
            match self.refuses {
                Some(refused) if refused == what => {
                    Err(Problem::new("provisor::home_assistant::refused", "no").with_hint("ask"))
                }
                _ => Ok(()),
            }
        }

        fn calls(&self) -> String {
            self.calls.lock().unwrap().join(" ")
        }

        async fn take_out(&self, write: impl FnOnce(&Secret) -> Result<(), Problem>) -> Result<(), Error> {
            let short = Duration::from_millis(1);
            let waits = Waits { settled: short, patience: 20 * short, interval: short };
            let entry = ("1", "`Home` (1)".to_owned());
            take_out(self, self.storage.path(), entry, "refresh_token", waits, write).await
        }
    }

    impl LiveEntries for Fake {
        async fn disable(&self, _: &str) -> Result<(), Problem> {
            self.call("disable")?;
            if self.shows {
                // The token was replaced while the entry was being unloaded.
                self.store(Some("user"), "rotated");
            }
            Ok(())
        }

        async fn delete(&self, _: &str) -> Result<(), Problem> {
            self.call("delete")
        }
    }

    #[tokio::test]
    async fn ha_10_the_entry_is_at_rest_when_it_is_read_and_deleted_when_the_copy_is_safe() {
        let fake = Fake::new(None, true);
        let mut written = None;
        fake.take_out(|value| {
            assert_eq!(fake.calls(), "disable", "not deleted before the copy is safe");
            written = Some(value.expose().to_owned());
            Ok(())
        })
        .await
        .unwrap();
        assert_eq!(written.as_deref(), Some("rotated"), "the one that lives, not the one seen first");
        assert_eq!(fake.calls(), "disable delete");
    }

    #[tokio::test]
    async fn ha_10_what_fails_on_the_way_never_deletes() {
        let no = || Err(Problem::new("provisor::sink::missing_folder", "no folder"));
        let fake = Fake::new(None, true);
        let error = fake.take_out(|_| no()).await.unwrap_err();
        assert_eq!(
            (error.to_problem().code.as_str(), fake.calls()),
            ("provisor::sink::missing_folder", "disable".into())
        );
        assert!(error.to_problem().hint.unwrap().contains("switched off and whole"));

        let fake = Fake::new(Some("disable"), true);
        let error = fake.take_out(|_| panic!("nothing may be written")).await.unwrap_err();
        assert_eq!(error.to_problem().hint.unwrap(), "ask; nothing was changed");

        let fake = Fake::new(None, false);
        let error = fake.take_out(|_| panic!("nothing may be written")).await.unwrap_err();
        assert_eq!(error.to_problem().code, "provisor::home_assistant::not_shown");
        assert_eq!(fake.calls(), "disable");

        let fake = Fake::new(Some("delete"), true);
        let error = fake.take_out(|_| Ok(())).await.unwrap_err();
        assert_eq!(error.to_problem().hint.unwrap(), "ask; delete it in Home Assistant");
    }
}

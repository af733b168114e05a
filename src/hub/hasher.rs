//! Argon2id off the executor: as many at once as there are cores, each with 19 MiB that are used again.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::available_parallelism;

use tokio::sync::Semaphore;

use super::Error;
use crate::otpk::{self, ProvisioningKey, hash};

/// A key on its way through a blocking thread and back.
type Carried<T> = (ProvisioningKey, T);

/// Bounds what Argon2id takes of the machine: cores in number, and 19 MiB for each.
#[derive(Clone)]
pub(super) struct Hasher {
    permits: Arc<Semaphore>,
    memories: Arc<Mutex<Vec<hash::Memory>>>,
}

impl Hasher {
    pub(super) fn new() -> Self {
        let cores = available_parallelism().map_or(1, usize::from);
        Self { permits: Arc::new(Semaphore::new(cores)), memories: Arc::default() }
    }

    /// Hashes `key`, and gives it back.
    pub(super) async fn hash(&self, key: ProvisioningKey) -> Result<Carried<String>, Error> {
        self.run(key, hash::hash).await
    }

    /// Whether `stored` is a hash of `key`; `None` costs the same and is never true.
    pub(super) async fn verify(&self, key: ProvisioningKey, stored: Option<String>) -> Result<Carried<bool>, Error> {
        self.run(key, move |key, memory| match &stored {
            Some(stored) => hash::verify(key, stored, memory),
            None => hash::verify_nothing(key, memory).map(|()| false),
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        key: ProvisioningKey,
        work: impl FnOnce(&ProvisioningKey, &mut hash::Memory) -> Result<T, otpk::Error> + Send + 'static,
    ) -> Result<Carried<T>, Error> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| Error::Interrupted)?;
        let memories = Arc::clone(&self.memories);
        let task = tokio::task::spawn_blocking(move || {
            let mut memory = memories.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
            let outcome = work(&key, &mut memory);
            memories.lock().unwrap_or_else(PoisonError::into_inner).push(memory);
            drop(permit);
            outcome.map(|value| (key, value))
        });
        Ok(task.await.map_err(|_| Error::Interrupted)??)
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Hasher({} free)", self.permits.available_permits())
    }
}

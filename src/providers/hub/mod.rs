//! A hub as a target: farms, and the one-time keys that provision them. The hub's store is embedded in this process.
//!
//! A key is shown once: it is issued, put into its sink, and the delivery is recorded. A key whose delivery was not
//! recorded is of no use to anybody, and is revoked and replaced.

mod farm;
mod key;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use tokio::sync::RwLock;
use uuid::Uuid;

use crate::clock::Clock;
use crate::diagnostic::Problem;
use crate::hub::{self, Hub, Mode, OpenOptions};
use crate::id::ResourceId;
use crate::otpk::Pepper;
use crate::reconcile::ownership::{Applied, Mark};
use crate::reconcile::provider::{Comparison, Provider, Scope, Seen, Step, Wanted, Written};
pub use farm::FarmWant;
pub(crate) use farm::key as farm_key;
pub use key::KeyWant;

/// Secret bytes that need not be text.
pub(crate) type SecretBytes = zeroize::Zeroizing<Vec<u8>>;

/// What a manifest wants of a hub.
#[derive(Debug)]
pub enum HubWant {
    /// A farm.
    Farm(FarmWant),
    /// A one-time key.
    Key(Box<KeyWant>),
}

/// What a hub holds.
#[derive(Debug, Clone)]
pub enum HubHave {
    /// A farm.
    Farm(hub::Farm),
    /// A one-time key.
    Key(hub::Key),
}

/// An embedded hub.
pub struct HubProvider {
    directory: PathBuf,
    public_url: Option<String>,
    /// Makes the store where it is missing; a plan treats that one as empty.
    writable: bool,
    pepper: Option<SecretBytes>,
    clock: Clock,
    /// The store to write to, once there is something to write. Reading without it holds the lock all the while: SQLite
    /// shares what one process maps, and a writer that opens the store beside such a reader could not write.
    store: RwLock<Option<Hub>>,
    /// The farms that resources mean, as far as they are known: read, or made in this run.
    farms: Mutex<HashMap<ResourceId, Uuid>>,
}

impl std::fmt::Debug for HubProvider {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("HubProvider").field("directory", &self.directory).finish_non_exhaustive()
    }
}

impl HubProvider {
    /// The store in `directory`; a run that is going to apply is `writable`.
    pub fn embedded(
        directory: PathBuf,
        public_url: Option<String>,
        writable: bool,
        pepper: Option<SecretBytes>,
        clock: Clock,
    ) -> Self {
        Self { directory, public_url, writable, pepper, clock, store: RwLock::default(), farms: Mutex::default() }
    }

    async fn open(&self, mode: Mode) -> Result<Hub, Problem> {
        let pepper = self.pepper.as_ref().map(|bytes| Pepper::new(bytes.to_vec())).transpose();
        let pepper = pepper.map_err(|error| error.to_problem())?;
        let options = OpenOptions { directory: self.directory.clone(), mode, pepper, clock: self.clock.clone() };
        Hub::open(options).await.map_err(|error| error.to_problem())
    }

    /// What the store holds; a missing one is empty, and is not made by reading.
    async fn read(&self) -> Result<(Vec<hub::Farm>, Vec<hub::Key>), Problem> {
        let store = self.store.read().await;
        let hub = match &*store {
            Some(hub) => hub.clone(),
            None => self.open(Mode::ReadOnly).await?,
        };
        let farms = hub.list_farms().await.map_err(|error| problem(&error))?;
        let keys = hub.list_keys().await.map_err(|error| problem(&error))?;
        Ok((farms, keys))
    }

    /// The store to write to, made where it is missing.
    async fn writer(&self) -> Result<Hub, Problem> {
        if !self.writable {
            return Err(Problem::new("provisor::bug", "a plan tried to write to the hub"));
        }
        let mut store = self.store.write().await;
        match &*store {
            Some(hub) => Ok(hub.clone()),
            None => Ok(store.insert(self.open(Mode::ReadWrite).await?).clone()),
        }
    }

    fn remember(&self, resource: &ResourceId, farm: Uuid) {
        self.farms.lock().unwrap_or_else(PoisonError::into_inner).insert(resource.clone(), farm);
    }

    fn farm_of(&self, resource: &ResourceId) -> Option<Uuid> {
        self.farms.lock().unwrap_or_else(PoisonError::into_inner).get(resource).copied()
    }
}

/// The engine's mark from a row's columns.
fn mark(owner: Option<&str>, resource: Option<&str>, lifecycle: Option<&serde_json::Value>) -> Option<Mark> {
    let applied: Applied = lifecycle.and_then(|value| serde_json::from_value(value.clone()).ok()).unwrap_or_default();
    Some(Mark { owner: owner?.to_owned(), resource: resource?.parse().ok()?, applied })
}

/// A row's columns from the engine's mark.
fn columns(mark: &Mark) -> hub::Mark {
    hub::Mark {
        owner: mark.owner.clone(),
        resource: mark.resource.to_string(),
        lifecycle: Some(serde_json::json!(mark.applied)),
    }
}

fn problem(error: &hub::Error) -> Problem {
    error.to_problem()
}

impl Provider for HubProvider {
    type Want = HubWant;
    type Have = HubHave;

    async fn observe(&self, _: &[Wanted<HubWant>], scope: Scope<'_>) -> Result<Vec<Seen<HubHave>>, Problem> {
        let (farms, keys) = self.read().await?;
        let farms: Vec<Seen<HubHave>> = farms.into_iter().map(farm::seen).collect();
        for seen in &farms {
            if let (Some(mark), HubHave::Farm(farm)) = (&seen.mark, &seen.have) {
                self.remember(&mark.resource, farm.id);
            }
        }
        let all = farms.into_iter().chain(keys.into_iter().filter_map(key::seen));
        Ok(match scope {
            Scope::All => all.collect(),
            Scope::Keys(keys) => all.filter(|object| keys.contains(&object.key)).collect(),
        })
    }

    fn compare(&self, wanted: &Wanted<HubWant>, seen: Option<&Seen<HubHave>>) -> Comparison {
        match (&wanted.want, seen.map(|seen| &seen.have)) {
            (Ok(HubWant::Farm(want)), None) => farm::compare(want, None),
            (Ok(HubWant::Farm(want)), Some(HubHave::Farm(have))) => farm::compare(want, Some(have)),
            (Ok(HubWant::Key(want)), None) => key::compare(want, None, self.farm_of(&want.farm)),
            (Ok(HubWant::Key(want)), Some(HubHave::Key(have))) => {
                key::compare(want, Some(have), self.farm_of(&want.farm))
            }
            _ => Comparison::default(),
        }
    }

    async fn write(&self, step: Step<'_, HubWant, HubHave>) -> Result<Written, Problem> {
        let hub = &self.writer().await?;
        match step {
            Step::Create { id, want: HubWant::Farm(want), mark } => {
                let made = farm::create(hub, want, &mark).await?;
                self.remember(id, made);
                Ok(Written::default())
            }
            Step::Create { want: HubWant::Key(want), mark, .. } => {
                let farm = self.farm_of(&want.farm).ok_or_else(|| farm::unknown(&want.farm))?;
                key::issue(hub, want, farm, None, &mark, self.public_url.as_deref()).await
            }
            Step::Update {
                id, want: HubWant::Farm(want), seen: Seen { have: HubHave::Farm(have), .. }, mark, ..
            } => {
                farm::update(hub, want, have, &mark).await?;
                self.remember(id, have.id);
                Ok(Written::default())
            }
            Step::Update {
                want: HubWant::Key(want),
                seen: Seen { have: HubHave::Key(have), .. },
                fields,
                mark,
                ..
            } => {
                if key::is_replaced(fields) {
                    let farm = self.farm_of(&want.farm).ok_or_else(|| farm::unknown(&want.farm))?;
                    key::issue(hub, want, farm, Some(have), &mark, self.public_url.as_deref()).await
                } else {
                    hub.set_key_mark(have.id, Some(columns(&mark))).await.map_err(|error| problem(&error))?;
                    Ok(Written::default())
                }
            }
            Step::Update { .. } => Err(Problem::new("provisor::bug", "a farm was taken for a key")),
            Step::Delete(seen) | Step::Disable(seen) => match &seen.have {
                HubHave::Farm(have) => farm::remove(hub, have, seen.mark.as_ref()).await,
                HubHave::Key(have) => key::remove(hub, have, seen.mark.as_ref()).await,
            },
            Step::Unmark(seen) => {
                match &seen.have {
                    HubHave::Farm(have) => farm::unmark(hub, have).await?,
                    HubHave::Key(have) => key::unmark(hub, have).await?,
                }
                Ok(Written::default())
            }
        }
    }

    async fn close(&self) {
        if let Some(hub) = &*self.store.read().await {
            hub.close().await;
        }
    }

    fn lock_name(&self) -> String {
        format!("hub in `{}`", self.directory.display())
    }
}

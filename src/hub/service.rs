//! What a hub does, independent of how it is asked.
//!
//! Each change is one `BEGIN IMMEDIATE` transaction with its audit entries: it happened whole, or not at all, at
//! whatever line the process dies. A dropped future rolls back. Argon2id runs before the transaction, never in it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use sqlx::{Sqlite, SqliteConnection, Transaction};
use uuid::Uuid;

use super::audit::Entry;
use super::hasher::Hasher;
use super::model::{Farm, FarmChange, FarmState, Key, KeyState, NewFarm};
use super::store::{self, Store, farms, keys, peppers};
use super::{Error, directory};
use crate::clock::Clock;
use crate::otpk::Pepper;

/// How to open a hub.
#[derive(Debug)]
pub struct OpenOptions {
    /// The hub's folder.
    pub directory: PathBuf,
    /// Whether anything may be written.
    pub mode: Mode,
    /// The pepper; where none is given, the one in the folder.
    pub pepper: Option<Pepper>,
    /// What time it is.
    pub clock: Clock,
}

/// Whether anything may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Nothing is written, not even a side file; a missing store is an empty one.
    ReadOnly,
    /// A missing store is made, and a pepper where none is given.
    ReadWrite,
}

/// A hub's farms and keys. Cheap to clone; clones share the store's connections.
#[derive(Debug, Clone)]
pub struct Hub {
    pub(super) store: Store,
    /// The pepper, with its id in the store; the id is unknown to a hub that only reads.
    pub(super) pepper: Option<Arc<(Pepper, Option<i64>)>>,
    pub(super) pepper_path: PathBuf,
    pub(super) hasher: Hasher,
    pub(super) clock: Clock,
}

impl Hub {
    /// Opens the hub in a folder.
    pub async fn open(options: OpenOptions) -> Result<Self, Error> {
        let OpenOptions { directory, mode, pepper, clock } = options;
        let database = directory::database(&directory);
        let pepper_path = directory::pepper(&directory);
        let (store, pepper) = match mode {
            Mode::ReadOnly => {
                let pepper = pepper.map_or_else(|| directory::read_pepper(&directory), |pepper| Ok(Some(pepper)))?;
                (Store::read_only(&database), pepper.map(|pepper| (pepper, None)))
            }
            Mode::ReadWrite => {
                directory::prepare(&directory)?;
                let store = Store::open(&database).await?;
                let pepper = match pepper {
                    Some(pepper) => pepper,
                    None => own_pepper(&store, &directory).await?,
                };
                let id = known_pepper(&store, &pepper, store::second(clock.now())).await?;
                (store, Some((pepper, Some(id))))
            }
        };
        Ok(Self { store, pepper: pepper.map(Arc::new), pepper_path, hasher: Hasher::new(), clock })
    }

    /// Ends what is under way and closes the store. Dropping the hub does too, but does not wait.
    pub async fn close(&self) {
        self.store.close().await;
    }

    /// Every farm, oldest first, in one query.
    pub async fn list_farms(&self) -> Result<Vec<Farm>, Error> {
        Ok(self.store.read(&farms::all).await?)
    }

    /// Registers a farm.
    pub async fn create_farm(&self, new: NewFarm) -> Result<Farm, Error> {
        let mark = new.mark;
        let farm = Farm {
            id: new.id.unwrap_or_else(Uuid::new_v4),
            display_name: new.display_name,
            farmer: new.farmer,
            lifetime: new.lifetime,
            owner: mark.as_ref().map(|mark| mark.owner.clone()),
            resource: mark.as_ref().map(|mark| mark.resource.clone()),
            lifecycle: mark.and_then(|mark| mark.lifecycle),
            state: FarmState::Active,
            created_at: recorded(self.clock.now()),
        };
        check(&farm)?;
        let mut write = self.write().await?;
        if !farms::insert(&mut write, &farm, &new.created_by).await? {
            return Err(Error::FarmExists(farm.id));
        }
        self.entry("farm-create").by(&new.created_by).farm(farm.id).append(&mut write).await?;
        write.commit().await?;
        Ok(farm)
    }

    /// Changes what it is told of a farm, and gives the farm as it is then.
    pub async fn update_farm(&self, id: Uuid, change: FarmChange) -> Result<Farm, Error> {
        let mut write = self.write().await?;
        let mut farm = farms::find(&mut write, id).await?.ok_or(Error::FarmNotFound(id))?;
        let by = change.changed_by.clone();
        apply(change, &mut farm);
        check(&farm)?;
        farms::update(&mut write, &farm, self.now()).await?;
        let entry = self.entry("farm-update").farm(id);
        let entry = if let Some(by) = by { entry.by(&by) } else { entry };
        entry.append(&mut write).await?;
        write.commit().await?;
        Ok(farm)
    }

    /// Revokes a farm with its unused keys and its certificates; a revoked farm stays as it is.
    pub async fn revoke_farm(&self, id: Uuid, by: &str) -> Result<(), Error> {
        let now = self.now();
        let mut write = self.write().await?;
        farms::find(&mut write, id).await?.ok_or(Error::FarmNotFound(id))?;
        if !farms::revoke(&mut write, id, by, now).await? {
            return Ok(());
        }
        self.entry("farm-revoke").by(by).farm(id).append(&mut write).await?;
        for key in keys::revoke_of_farm(&mut write, id, by, now).await? {
            self.entry("revoke").by(by).farm(id).key(key).append(&mut write).await?;
        }
        for serial in farms::revoke_certificates(&mut write, id, now).await? {
            let serial = data_encoding::HEXLOWER.encode(&serial);
            let entry = self.entry("certificate-revoke").by(by).farm(id).with("serialNumber", serial);
            entry.append(&mut write).await?;
        }
        Ok(write.commit().await?)
    }

    /// Every key, oldest first, in one query, each in the state that it is in now.
    pub async fn list_keys(&self) -> Result<Vec<Key>, Error> {
        let rows = self.store.read(&keys::all).await?;
        let now = self.now();
        rows.into_iter().map(|row| Ok(row.at(now)?)).collect()
    }

    /// Begins a change; nothing of it is seen unless it is committed.
    pub(super) async fn write(&self) -> Result<Transaction<'static, Sqlite>, Error> {
        self.store.begin().await?.ok_or(Error::ReadOnly)
    }

    /// The second that it is now.
    pub(super) fn now(&self) -> i64 {
        store::second(self.clock.now())
    }

    /// An audit entry of now.
    pub(super) fn entry(&self, event: &'static str) -> Entry {
        Entry::new(event, recorded(self.clock.now()))
    }

    /// A key as it stands now.
    pub(super) async fn key(&self, connection: &mut SqliteConnection, id: Uuid) -> Result<Key, Error> {
        let row = keys::find(connection, id).await?.ok_or(Error::KeyNotFound(id))?;
        Ok(row.at(self.now())?)
    }

    /// Revokes a key in the caller's transaction; says what stopped it where something did.
    pub(super) async fn revoke_in(&self, write: &mut SqliteConnection, id: Uuid, by: &str) -> Result<Revoked, Error> {
        let revoked = keys::revoke(write, id, by, self.now()).await?;
        let key = self.key(write, id).await?;
        if revoked {
            self.entry("revoke").by(by).farm(key.farm_id).key(id).append(write).await?;
        }
        Ok(if key.state == KeyState::Used { Revoked::WasUsed } else { Revoked::Done })
    }
}

/// What came of revoking a key.
#[derive(PartialEq)]
pub(super) enum Revoked {
    Done,
    WasUsed,
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// The pepper that lies in the folder, made if the store has none yet.
///
/// A pepper's file is there before its row is, so the store is asked first: what another process does meanwhile cannot
/// look like a loss.
async fn own_pepper(store: &Store, folder: &Path) -> Result<Pepper, Error> {
    let needed = store.read(&peppers::any).await?;
    match directory::read_pepper(folder)? {
        Some(pepper) => Ok(pepper),
        None if needed => Err(Error::PepperMissing(directory::pepper(folder))),
        None => directory::make_pepper(folder),
    }
}

/// The id of `pepper` in the store; a store without one takes it, one with another refuses it.
async fn known_pepper(store: &Store, pepper: &Pepper, now: i64) -> Result<i64, Error> {
    let fingerprint = pepper.fingerprint();
    let mut write = store.begin().await?.ok_or(Error::ReadOnly)?;
    let id = match peppers::find(&mut write, &fingerprint).await? {
        Some(id) => id,
        None if peppers::any(&mut write).await? => return Err(Error::PepperDiffers),
        None => peppers::insert(&mut write, &fingerprint, now).await?,
    };
    write.commit().await?;
    Ok(id)
}

/// A moment as the store will give it back.
pub(super) fn recorded(moment: Timestamp) -> Timestamp {
    Timestamp::from_second(store::second(moment)).unwrap_or(moment)
}

fn apply(change: FarmChange, farm: &mut Farm) {
    let FarmChange { display_name, farmer_name, farmer_contact, lifetime, mark, changed_by: _ } = change;
    farm.display_name = display_name.unwrap_or(std::mem::take(&mut farm.display_name));
    farm.farmer.name = farmer_name.unwrap_or(std::mem::take(&mut farm.farmer.name));
    farm.farmer.contact = farmer_contact.unwrap_or(farm.farmer.contact.take());
    farm.lifetime = lifetime.unwrap_or(farm.lifetime);
    if let Some(mark) = mark {
        farm.owner = mark.as_ref().map(|mark| mark.owner.clone());
        farm.resource = mark.as_ref().map(|mark| mark.resource.clone());
        farm.lifecycle = mark.and_then(|mark| mark.lifecycle);
    }
}

fn check(farm: &Farm) -> Result<(), Error> {
    let named = |field, name: &str| {
        if name.trim().is_empty() { Err(Error::Invalid { field, rule: "must not be empty" }) } else { Ok(()) }
    };
    named("displayName", &farm.display_name)?;
    named("farmer.name", &farm.farmer.name)?;
    if farm.lifetime.is_some_and(|lifetime| lifetime.as_secs() == 0) {
        return Err(Error::Invalid { field: "certificate.lifetime", rule: "must be at least `1s`" });
    }
    Ok(())
}

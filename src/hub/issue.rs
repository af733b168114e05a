//! The life of a provisioning key at the hub, up to its use: issued, delivered, revoked, replaced, presented.

use jiff::Timestamp;
use sqlx::SqliteConnection;
use uuid::Uuid;

use super::model::{FarmState, IssuedKey, Key, KeyState, Mark, NewKey, Presented};
use super::service::{Revoked, recorded};
use super::store::{self, farms, keys};
use super::{Error, Hub};
use crate::otpk::ProvisioningKey;

/// How often to mint anew when a selector is taken; with a million keys one in four thousand is.
const MINTINGS: usize = 8;

impl Hub {
    /// Issues a key for a farm. Its text is in the answer, and nowhere else.
    pub async fn issue_key(&self, new: NewKey) -> Result<IssuedKey, Error> {
        let pepper = self.pepper.as_deref().ok_or_else(|| Error::PepperMissing(self.pepper_path.clone()))?;
        let (pepper, Some(pepper_id)) = (&pepper.0, pepper.1) else { return Err(Error::ReadOnly) };
        let key = self.drafted(&new)?;
        for _ in 0..MINTINGS {
            let (secret, hash) = self.hasher.hash(ProvisioningKey::generate(pepper)?).await?;
            let mut write = self.write().await?;
            let stored = keys::Stored { selector: secret.selector(), hash: &hash, pepper: pepper_id };
            if self.insert(&mut write, &key, &stored, new.replaces).await? {
                write.commit().await?;
                return Ok(IssuedKey { key, secret });
            }
        }
        Err(Error::NoSelector)
    }

    /// Records that the place a key was declared for has it for good.
    pub async fn mark_delivered(&self, id: Uuid) -> Result<(), Error> {
        let mut write = self.write().await?;
        let first = keys::deliver(&mut write, id, self.now()).await?;
        let key = self.key(&mut write, id).await?;
        if first {
            self.entry("deliver").farm(key.farm_id).key(id).append(&mut write).await?;
        }
        Ok(write.commit().await?)
    }

    /// Revokes a key that was not used; a revoked key stays as it is.
    ///
    /// # Errors
    /// [`Error::AlreadyUsed`]: it bought a certificate, which can be revoked in its place.
    pub async fn revoke_key(&self, id: Uuid, by: &str) -> Result<(), Error> {
        let mut write = self.write().await?;
        if self.revoke_in(&mut write, id, by).await? == Revoked::WasUsed {
            return Err(Error::AlreadyUsed(id));
        }
        Ok(write.commit().await?)
    }

    /// Writes or removes the reconciler's mark on a key.
    pub async fn set_key_mark(&self, id: Uuid, mark: Option<Mark>) -> Result<(), Error> {
        let mut write = self.write().await?;
        if !keys::set_mark(&mut write, id, mark.as_ref()).await? {
            return Err(Error::KeyNotFound(id));
        }
        self.entry("key-mark").key(id).append(&mut write).await?;
        Ok(write.commit().await?)
    }

    /// Proves a key that somebody typed: checksum, then tag, then its row, then Argon2id; cheap first.
    ///
    /// # Errors
    /// The key is malformed; or [`Error::InvalidKey`], the same for all that was not proved.
    pub async fn verify(&self, typed: &str) -> Result<Presented, Error> {
        let pepper = self.pepper.as_deref().ok_or_else(|| Error::PepperMissing(self.pepper_path.clone()))?;
        let presented = ProvisioningKey::parse(typed)?;
        if !presented.is_minted_with(&pepper.0) {
            return Err(Error::InvalidKey);
        }
        let selector = presented.selector();
        let found = self.store.read(&move |connection| Box::pin(keys::select(connection, selector))).await?;
        let (id, hash) = found.unzip();
        let (_, proved) = self.hasher.verify(presented, hash).await?;
        let (true, Some(id)) = (proved, id) else { return Err(Error::InvalidKey) };
        let found = self.store.read(&move |connection| Box::pin(row_and_farm(connection, id))).await?;
        let (row, farm) = found.ok_or(Error::KeyNotFound(id))?;
        Ok(Presented { key: row.at(self.now())?, farm })
    }

    /// A key as it will stand in the store.
    fn drafted(&self, new: &NewKey) -> Result<Key, Error> {
        let invalid = |rule| Error::Invalid { field: "expiresIn", rule };
        if new.expires_in.as_secs() == 0 {
            return Err(invalid("must be at least `1s`"));
        }
        let now = self.clock.now();
        let expires_at = now.checked_add(new.expires_in).map_err(|_| invalid("ends after the calendar does"))?;
        let expires_at = Timestamp::from_second(store::second_after(expires_at))
            .map_err(|_| invalid("ends after the calendar does"))?;
        let mark = new.mark.as_ref();
        Ok(Key {
            id: Uuid::new_v4(),
            farm_id: new.farm_id,
            state: KeyState::Unused,
            note: new.note.clone(),
            created_by: new.created_by.clone(),
            created_at: recorded(now),
            expires_at,
            used_at: None,
            used_by_request_id: None,
            delivered_at: None,
            reissue: new.reissue.clone(),
            owner: mark.map(|mark| mark.owner.clone()),
            resource: mark.map(|mark| mark.resource.clone()),
            lifecycle: mark.and_then(|mark| mark.lifecycle.clone()),
        })
    }

    /// Writes a key, and revokes the one it replaces; `false` where its selector is taken.
    async fn insert(
        &self,
        write: &mut SqliteConnection,
        key: &Key,
        stored: &keys::Stored<'_>,
        replaces: Option<Uuid>,
    ) -> Result<bool, Error> {
        let farm = farms::find(write, key.farm_id).await?.ok_or(Error::FarmNotFound(key.farm_id))?;
        if farm.state == FarmState::Revoked {
            return Err(Error::FarmRevoked(farm.id));
        }
        if !keys::insert(write, key, stored).await? {
            return Ok(false);
        }
        if let Some(old) = replaces {
            self.revoke_in(write, old, &key.created_by).await?;
            keys::set_mark(write, old, None).await?;
        }
        let mut entry = self.entry("issue").by(&key.created_by).farm(key.farm_id).key(key.id);
        entry = entry.with("expiresAt", key.expires_at.to_string());
        if let Some(old) = replaces {
            entry = entry.with("replaces", old.to_string());
        }
        entry.append(write).await?;
        Ok(true)
    }
}

async fn row_and_farm(
    connection: &mut SqliteConnection,
    id: Uuid,
) -> Result<Option<(keys::Row, FarmState)>, sqlx::Error> {
    let Some(row) = keys::find(connection, id).await? else { return Ok(None) };
    let farm = farms::find(connection, row.farm()).await?;
    Ok(farm.map(|farm| (row, farm.state)))
}

//! The rows of `provisioning_keys`.
//!
//! Revoking is a compare-and-swap on the row that a claim swaps too: one of them wins, never both.

use futures::future::BoxFuture;
use sqlx::{FromRow, SqliteConnection};
use uuid::Uuid;
use uuid::fmt::Hyphenated;

use super::{json, moment};
use crate::hub::model::{Key, KeyState, Mark};

const COLUMNS: &str = "id, farm_id, note, created_by, created_at, expires_at, used_at, used_by_request_id, revoked, \
                       delivered_at, reissue, owner, resource, lifecycle";

/// A key as its row has it; what state it is in depends on the time.
#[derive(FromRow)]
pub(in crate::hub) struct Row {
    id: Hyphenated,
    farm_id: Hyphenated,
    note: Option<String>,
    created_by: String,
    created_at: i64,
    expires_at: i64,
    used_at: Option<i64>,
    used_by_request_id: Option<String>,
    revoked: bool,
    delivered_at: Option<i64>,
    reissue: Option<String>,
    owner: Option<String>,
    resource: Option<String>,
    lifecycle: Option<String>,
}

impl Row {
    /// The farm that the key is for.
    pub(in crate::hub) fn farm(&self) -> Uuid {
        self.farm_id.into_uuid()
    }

    /// The key as it stands at `now`.
    pub(in crate::hub) fn at(self, now: i64) -> Result<Key, sqlx::Error> {
        let state = match (self.used_at, self.revoked) {
            (Some(_), _) => KeyState::Used,
            (None, true) => KeyState::Revoked,
            (None, false) if self.expires_at <= now => KeyState::Expired,
            (None, false) => KeyState::Unused,
        };
        Ok(Key {
            id: self.id.into_uuid(),
            farm_id: self.farm_id.into_uuid(),
            state,
            note: self.note,
            created_by: self.created_by,
            created_at: moment(self.created_at)?,
            expires_at: moment(self.expires_at)?,
            used_at: self.used_at.map(moment).transpose()?,
            used_by_request_id: self.used_by_request_id,
            delivered_at: self.delivered_at.map(moment).transpose()?,
            reissue: self.reissue,
            owner: self.owner,
            resource: self.resource,
            lifecycle: json(self.lifecycle)?,
        })
    }
}

/// What only the store sees of a new key.
pub(in crate::hub) struct Stored<'k> {
    pub(in crate::hub) selector: [u8; 4],
    pub(in crate::hub) hash: &'k str,
    pub(in crate::hub) pepper: i64,
}

/// Every key, oldest first.
pub(in crate::hub) fn all(connection: &mut SqliteConnection) -> BoxFuture<'_, Result<Vec<Row>, sqlx::Error>> {
    Box::pin(async move {
        let sql = format!("SELECT {COLUMNS} FROM provisioning_keys ORDER BY created_at, id");
        sqlx::query_as(sqlx::AssertSqlSafe(sql)).fetch_all(connection).await
    })
}

/// One key.
pub(in crate::hub) async fn find(connection: &mut SqliteConnection, id: Uuid) -> Result<Option<Row>, sqlx::Error> {
    let sql = format!("SELECT {COLUMNS} FROM provisioning_keys WHERE id = $1");
    sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id.hyphenated()).fetch_optional(connection).await
}

/// The id and the hash of the key with this selector.
pub(in crate::hub) async fn select(
    connection: &mut SqliteConnection,
    selector: [u8; 4],
) -> Result<Option<(Uuid, String)>, sqlx::Error> {
    let found: Option<(Hyphenated, String)> =
        sqlx::query_as("SELECT id, key_hash FROM provisioning_keys WHERE selector = $1")
            .bind(selector.to_vec())
            .fetch_optional(connection)
            .await?;
    Ok(found.map(|(id, hash)| (id.into_uuid(), hash)))
}

/// Writes a key; `false` where another key has its selector.
pub(in crate::hub) async fn insert(
    writer: &mut SqliteConnection,
    key: &Key,
    stored: &Stored<'_>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "INSERT INTO provisioning_keys (id, farm_id, selector, key_hash, pepper_id, note, created_by, created_at,
                                        expires_at, reissue, owner, resource, lifecycle)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT (selector) DO NOTHING",
    )
    .bind(key.id.hyphenated())
    .bind(key.farm_id.hyphenated())
    .bind(stored.selector.to_vec())
    .bind(stored.hash)
    .bind(stored.pepper)
    .bind(&key.note)
    .bind(&key.created_by)
    .bind(key.created_at.as_second())
    .bind(key.expires_at.as_second())
    .bind(&key.reissue)
    .bind(&key.owner)
    .bind(&key.resource)
    .bind(key.lifecycle.as_ref().map(ToString::to_string))
    .execute(writer)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Revokes a key that was not used; `false` where it was, or where it was revoked already.
pub(in crate::hub) async fn revoke(
    writer: &mut SqliteConnection,
    id: Uuid,
    by: &str,
    now: i64,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "UPDATE provisioning_keys SET revoked = 1, revoked_at = $2, revoked_by = $3
         WHERE id = $1 AND used_at IS NULL AND revoked = 0",
    )
    .bind(id.hyphenated())
    .bind(now)
    .bind(by)
    .execute(writer)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Revokes every unused key of a farm, and gives their ids.
pub(in crate::hub) async fn revoke_of_farm(
    writer: &mut SqliteConnection,
    farm: Uuid,
    by: &str,
    now: i64,
) -> Result<Vec<Uuid>, sqlx::Error> {
    let ids: Vec<Hyphenated> = sqlx::query_scalar(
        "UPDATE provisioning_keys SET revoked = 1, revoked_at = $2, revoked_by = $3
         WHERE farm_id = $1 AND used_at IS NULL AND revoked = 0 RETURNING id",
    )
    .bind(farm.hyphenated())
    .bind(now)
    .bind(by)
    .fetch_all(writer)
    .await?;
    Ok(ids.into_iter().map(Hyphenated::into_uuid).collect())
}

/// Records that a key reached its place; `false` where that was recorded already, or there is no such key.
pub(in crate::hub) async fn deliver(writer: &mut SqliteConnection, id: Uuid, now: i64) -> Result<bool, sqlx::Error> {
    let done = sqlx::query("UPDATE provisioning_keys SET delivered_at = $2 WHERE id = $1 AND delivered_at IS NULL")
        .bind(id.hyphenated())
        .bind(now)
        .execute(writer)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Writes or removes a key's mark; `false` where there is no such key.
pub(in crate::hub) async fn set_mark(
    writer: &mut SqliteConnection,
    id: Uuid,
    mark: Option<&Mark>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query("UPDATE provisioning_keys SET owner = $2, resource = $3, lifecycle = $4 WHERE id = $1")
        .bind(id.hyphenated())
        .bind(mark.map(|mark| &mark.owner))
        .bind(mark.map(|mark| &mark.resource))
        .bind(mark.and_then(|mark| mark.lifecycle.as_ref()).map(ToString::to_string))
        .execute(writer)
        .await?;
    Ok(done.rows_affected() == 1)
}

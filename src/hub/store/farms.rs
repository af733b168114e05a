//! The rows of `farms`.

use std::time::Duration;

use futures::future::BoxFuture;
use sqlx::{FromRow, SqliteConnection};
use uuid::Uuid;
use uuid::fmt::Hyphenated;

use super::{json, moment};
use crate::hub::model::{Farm, FarmState, Farmer};

const COLUMNS: &str = "id, display_name, farmer_name, farmer_contact, lifetime_seconds, owner, resource, lifecycle, \
                       created_at, revoked_at";

#[derive(FromRow)]
struct Row {
    id: Hyphenated,
    display_name: String,
    farmer_name: String,
    farmer_contact: Option<String>,
    lifetime_seconds: Option<i64>,
    owner: Option<String>,
    resource: Option<String>,
    lifecycle: Option<String>,
    created_at: i64,
    revoked_at: Option<i64>,
}

impl TryFrom<Row> for Farm {
    type Error = sqlx::Error;

    fn try_from(row: Row) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.id.into_uuid(),
            display_name: row.display_name,
            farmer: Farmer { name: row.farmer_name, contact: row.farmer_contact },
            lifetime: row.lifetime_seconds.and_then(|seconds| u64::try_from(seconds).ok()).map(Duration::from_secs),
            owner: row.owner,
            resource: row.resource,
            lifecycle: json(row.lifecycle)?,
            state: if row.revoked_at.is_some() { FarmState::Revoked } else { FarmState::Active },
            created_at: moment(row.created_at)?,
        })
    }
}

/// Every farm, oldest first.
pub(in crate::hub) fn all(connection: &mut SqliteConnection) -> BoxFuture<'_, Result<Vec<Farm>, sqlx::Error>> {
    Box::pin(async move {
        let sql = format!("SELECT {COLUMNS} FROM farms ORDER BY created_at, id");
        let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(sql)).fetch_all(connection).await?;
        rows.into_iter().map(Farm::try_from).collect()
    })
}

/// One farm.
pub(in crate::hub) async fn find(connection: &mut SqliteConnection, id: Uuid) -> Result<Option<Farm>, sqlx::Error> {
    let sql = format!("SELECT {COLUMNS} FROM farms WHERE id = $1");
    let row: Option<Row> =
        sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id.hyphenated()).fetch_optional(connection).await?;
    row.map(Farm::try_from).transpose()
}

/// Writes a farm that is not there yet; `false` where its id is.
pub(in crate::hub) async fn insert(
    writer: &mut SqliteConnection,
    farm: &Farm,
    created_by: &str,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "INSERT INTO farms (id, display_name, farmer_name, farmer_contact, lifetime_seconds, owner, resource,
                            lifecycle, created_by, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10) ON CONFLICT (id) DO NOTHING",
    )
    .bind(farm.id.hyphenated())
    .bind(&farm.display_name)
    .bind(&farm.farmer.name)
    .bind(&farm.farmer.contact)
    .bind(lifetime(farm))
    .bind(&farm.owner)
    .bind(&farm.resource)
    .bind(farm.lifecycle.as_ref().map(ToString::to_string))
    .bind(created_by)
    .bind(farm.created_at.as_second())
    .execute(writer)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Writes what may change of a farm.
pub(in crate::hub) async fn update(writer: &mut SqliteConnection, farm: &Farm, now: i64) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE farms SET display_name = $2, farmer_name = $3, farmer_contact = $4, lifetime_seconds = $5, owner = $6,
                          resource = $7, lifecycle = $8, updated_at = $9
         WHERE id = $1",
    )
    .bind(farm.id.hyphenated())
    .bind(&farm.display_name)
    .bind(&farm.farmer.name)
    .bind(&farm.farmer.contact)
    .bind(lifetime(farm))
    .bind(&farm.owner)
    .bind(&farm.resource)
    .bind(farm.lifecycle.as_ref().map(ToString::to_string))
    .bind(now)
    .execute(writer)
    .await?;
    Ok(())
}

/// Revokes a farm; `false` where it was revoked already.
pub(in crate::hub) async fn revoke(
    writer: &mut SqliteConnection,
    id: Uuid,
    by: &str,
    now: i64,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query("UPDATE farms SET revoked_at = $2, revoked_by = $3 WHERE id = $1 AND revoked_at IS NULL")
        .bind(id.hyphenated())
        .bind(now)
        .bind(by)
        .execute(writer)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Revokes a farm's living certificates, and gives their serial numbers.
pub(in crate::hub) async fn revoke_certificates(
    writer: &mut SqliteConnection,
    id: Uuid,
    now: i64,
) -> Result<Vec<Vec<u8>>, sqlx::Error> {
    sqlx::query_scalar(
        "UPDATE certificates SET revoked_at = $2, reason = 'cessationOfOperation'
         WHERE farm_id = $1 AND revoked_at IS NULL RETURNING serial",
    )
    .bind(id.hyphenated())
    .bind(now)
    .fetch_all(writer)
    .await
}

fn lifetime(farm: &Farm) -> Option<i64> {
    farm.lifetime.map(|lifetime| i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX))
}

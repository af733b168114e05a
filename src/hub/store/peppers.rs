//! Which peppers the store's keys were minted with.

use futures::future::BoxFuture;
use sqlx::SqliteConnection;

/// The id of the pepper with this fingerprint.
pub(in crate::hub) async fn find(
    connection: &mut SqliteConnection,
    fingerprint: &[u8; 32],
) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query_scalar("SELECT id FROM peppers WHERE fingerprint = $1")
        .bind(fingerprint.to_vec())
        .fetch_optional(connection)
        .await
}

/// Whether the store knows a pepper at all.
pub(in crate::hub) fn any(connection: &mut SqliteConnection) -> BoxFuture<'_, Result<bool, sqlx::Error>> {
    Box::pin(sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM peppers)").fetch_one(connection))
}

/// Records a pepper, and gives its id.
pub(in crate::hub) async fn insert(
    writer: &mut SqliteConnection,
    fingerprint: &[u8; 32],
    now: i64,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("INSERT INTO peppers (fingerprint, created_at) VALUES ($1, $2) RETURNING id")
        .bind(fingerprint.to_vec())
        .bind(now)
        .fetch_one(writer)
        .await
}

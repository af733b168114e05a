//! The audit chain: one entry for each change, each sealed to the one before it.
//!
//! An entry is canonical JSON (names in order, no spaces) and `hash = SHA-256(prev || entry)`; the first `prev` is 32
//! zero bytes. The entry carries its own number, so that rows cannot be renumbered. It names ids, never names of
//! people, keys or secrets. Appending happens inside the transaction of the change itself: neither exists alone, and
//! the writer's lock keeps the chain from forking.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use sqlx::SqliteConnection;
use uuid::Uuid;

/// What comes before the first entry.
const GENESIS: [u8; 32] = [0; 32];

/// An entry in the making.
pub(super) struct Entry(BTreeMap<&'static str, Value>);

impl Entry {
    /// `event` at `time`.
    pub(super) fn new(event: &'static str, time: Timestamp) -> Self {
        Self(BTreeMap::from([("event", event.into()), ("time", time.to_string().into())]))
    }

    /// Who did it.
    pub(super) fn by(self, who: &str) -> Self {
        self.with("by", who)
    }

    /// The farm it was done to.
    pub(super) fn farm(self, id: Uuid) -> Self {
        self.with("farmId", id.to_string())
    }

    /// The key it was done to.
    pub(super) fn key(self, id: Uuid) -> Self {
        self.with("keyId", id.to_string())
    }

    /// Anything else that is no secret.
    pub(super) fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.0.insert(name, value.into());
        self
    }

    /// Appends the entry to the chain, in the caller's write transaction.
    pub(super) async fn append(mut self, writer: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        let last: Option<(i64, Vec<u8>)> = sqlx::query_as("SELECT seq, hash FROM audit_log ORDER BY seq DESC LIMIT 1")
            .fetch_optional(&mut *writer)
            .await?;
        let (seq, prev) = last.map_or((1, GENESIS.to_vec()), |(seq, hash)| (seq + 1, hash));
        self.0.insert("seq", seq.into());
        let entry = canonical(&self.0);
        let hash = seal(&prev, &entry);
        sqlx::query("INSERT INTO audit_log (seq, prev, entry, hash) VALUES ($1, $2, $3, $4)")
            .bind(seq)
            .bind(prev)
            .bind(entry)
            .bind(hash.to_vec())
            .execute(writer)
            .await?;
        Ok(())
    }
}

/// The members are scalars in the map's order, so that plain serialisation is canonical.
fn canonical(members: &BTreeMap<&'static str, Value>) -> String {
    let members: Vec<String> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", members.join(","))
}

fn seal(prev: &[u8], entry: &str) -> [u8; 32] {
    Sha256::new().chain_update(prev).chain_update(entry).finalize().into()
}

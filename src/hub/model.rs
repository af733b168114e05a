//! What the hub knows, as its callers see it.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use crate::otpk::ProvisioningKey;

/// A farm: one certificate holder, and whose it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Farm {
    /// The farm's id; its certificates name it.
    pub id: Uuid,
    /// The name that people see.
    pub display_name: String,
    /// Whose farm it is.
    pub farmer: Farmer,
    /// How long its certificates live, where that is not the hub's default.
    pub lifetime: Option<Duration>,
    /// Who manages it.
    pub owner: Option<String>,
    /// The resource that declares it, such as `Farm/north`.
    pub resource: Option<String>,
    /// The lifecycle policy kept with the mark.
    pub lifecycle: Option<Value>,
    /// Whether it may be provisioned.
    pub state: FarmState,
    /// When it was registered.
    pub created_at: Timestamp,
}

/// Whose farm it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Farmer {
    /// The farmer's name.
    pub name: String,
    /// How to reach the farmer.
    pub contact: Option<String>,
}

/// Whether a farm may be provisioned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FarmState {
    /// It may.
    Active,
    /// It was revoked, with its unused keys and its certificates.
    Revoked,
}

/// Who manages a row, as which resource, and the policy that counts when nothing declares it any more.
#[derive(Debug, Clone, PartialEq)]
pub struct Mark {
    /// Who manages it.
    pub owner: String,
    /// The resource that declares it, such as `Farm/north`.
    pub resource: String,
    /// Policy and guard, as the reconciler wrote them.
    pub lifecycle: Option<Value>,
}

/// A farm to register.
#[derive(Debug, Clone, PartialEq)]
pub struct NewFarm {
    /// Its id; the hub makes one where none is given.
    pub id: Option<Uuid>,
    /// The name that people see.
    pub display_name: String,
    /// Whose farm it is.
    pub farmer: Farmer,
    /// How long its certificates live, where that is not the hub's default.
    pub lifetime: Option<Duration>,
    /// Who registers it, for the record.
    pub created_by: String,
    /// The mark of the reconciler.
    pub mark: Option<Mark>,
}

/// What to change of a farm; `None` leaves a field as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FarmChange {
    /// The name that people see.
    pub display_name: Option<String>,
    /// The farmer's name.
    pub farmer_name: Option<String>,
    /// How to reach the farmer; `Some(None)` takes it away.
    pub farmer_contact: Option<Option<String>>,
    /// How long its certificates live; `Some(None)` is the hub's default.
    pub lifetime: Option<Option<Duration>>,
    /// The mark; `Some(None)` takes it away.
    pub mark: Option<Option<Mark>>,
    /// Who changes it, for the record.
    pub changed_by: Option<String>,
}

/// A provisioning key, without its text.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    /// The key's id, which says nothing about its text.
    pub id: Uuid,
    /// The farm that it is for.
    pub farm_id: Uuid,
    /// What can still be done with it, at the time it was read.
    pub state: KeyState,
    /// What it is for.
    pub note: Option<String>,
    /// Who issued it.
    pub created_by: String,
    /// When it was issued.
    pub created_at: Timestamp,
    /// When it stops being good.
    pub expires_at: Timestamp,
    /// When it bought its certificate.
    pub used_at: Option<Timestamp>,
    /// The request that used it.
    pub used_by_request_id: Option<String>,
    /// When the place it was declared for had it for good.
    pub delivered_at: Option<Timestamp>,
    /// The manifest's `reissue` when it was issued.
    pub reissue: Option<String>,
    /// Who manages it.
    pub owner: Option<String>,
    /// The resource that declares it, such as `ProvisioningKey/north`.
    pub resource: Option<String>,
    /// The lifecycle policy kept with the mark.
    pub lifecycle: Option<Value>,
}

/// What can still be done with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// It is good.
    Unused,
    /// It bought its certificate.
    Used,
    /// Its time ran out before it was used.
    Expired,
    /// It was revoked before it was used.
    Revoked,
}

/// A key to issue.
#[derive(Debug, Clone, PartialEq)]
pub struct NewKey {
    /// The farm that it is for.
    pub farm_id: Uuid,
    /// How long it is good for.
    pub expires_in: Duration,
    /// What it is for.
    pub note: Option<String>,
    /// Who issues it.
    pub created_by: String,
    /// The manifest's `reissue`.
    pub reissue: Option<String>,
    /// The mark of the reconciler.
    pub mark: Option<Mark>,
    /// A key that this one takes the place of: in the same transaction it is revoked, unless it was used, and loses its
    /// mark, so that one resource means one key at every moment.
    pub replaces: Option<Uuid>,
}

/// A key that was just issued, with its text: the only time that anybody sees it.
#[derive(Debug)]
pub struct IssuedKey {
    /// What the hub keeps.
    pub key: Key,
    /// The text, which it does not keep.
    pub secret: ProvisioningKey,
}

/// A presented key whose secret was proved: only now may its state be told.
#[derive(Debug, Clone, PartialEq)]
pub struct Presented {
    /// The key's row.
    pub key: Key,
    /// Whether its farm may still be provisioned.
    pub farm: FarmState,
}

//! A farm in the hub.

use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{HubHave, columns, mark, problem};
use crate::diagnostic::Problem;
use crate::hub::{Farm, FarmChange, FarmState, Farmer, Hub, NewFarm};
use crate::id::ResourceId;
use crate::manifest::kinds::common::Span;
use crate::manifest::kinds::hub::FarmSpec;
use crate::reconcile::ownership::Mark;
use crate::reconcile::plan::FieldChange;
use crate::reconcile::provider::{Comparison, Guard, Seen, Written};

/// A farm as it is wanted.
#[derive(Debug)]
pub struct FarmWant {
    pub(super) farm_id: Option<Uuid>,
    display_name: String,
    farmer: String,
    contact: Option<String>,
    lifetime: Option<Duration>,
}

impl FarmWant {
    /// What `spec` wants of the farm `name`.
    pub(crate) fn new(name: &str, spec: &FarmSpec) -> Self {
        Self {
            farm_id: spec.farm_id,
            display_name: spec.display_name.clone().unwrap_or_else(|| name.to_owned()),
            farmer: spec.farmer.name.clone(),
            contact: spec.farmer.contact.clone(),
            lifetime: spec.certificate.as_ref().and_then(|certificate| certificate.lifetime).map(Span::duration),
        }
    }
}

/// The key of a farm among the hub's objects.
pub(crate) fn key(farm: Uuid) -> String {
    format!("farm {farm}")
}

pub(super) fn mark_of(farm: &Farm) -> Option<Mark> {
    mark(&key(farm.id), farm.owner.as_deref(), farm.resource.as_deref(), farm.lifecycle.as_ref())
}

/// The farm as the engine sees it. An unused key under `preventDestroy` guards its farm, which is revoked with its keys.
pub(super) fn seen(farm: Farm, guards: Vec<Guard>) -> Seen<HubHave> {
    let mark = mark_of(&farm);
    Seen { key: key(farm.id), mark, revision: revision(&farm), settled: None, guards, have: HubHave::Farm(farm) }
}

fn revision(farm: &Farm) -> String {
    let text = format!("{:?}", (&farm.display_name, &farm.farmer, farm.lifetime, &farm.state));
    data_encoding::HEXLOWER.encode(&Sha256::digest(text.as_bytes())[..16])
}

fn shown(lifetime: Option<Duration>) -> Value {
    json!(lifetime.map(|lifetime| Span::from_secs(lifetime.as_secs()).to_string()))
}

pub(super) fn compare(want: &FarmWant, have: Option<&Farm>) -> Comparison {
    let mut comparison = Comparison::default();
    if let Some(have) = have.filter(|have| have.state == FarmState::Revoked) {
        let message = format!("the farm `{}` was revoked and is declared still", have.id);
        let hint = "a revoked farm stays revoked: remove the manifest, or declare a new farm under another name or id";
        comparison.conflict = Some(Problem::new("provisor::plan::conflict", message).with_hint(hint));
        return comparison;
    }
    let mut field = |path: &str, before: Value, after: Value| {
        if before != after {
            comparison.fields.push(FieldChange::plain(path, before, after));
        }
    };
    if let (Some(id), None) = (want.farm_id, have) {
        field("farmId", Value::Null, json!(id));
    }
    field("displayName", json!(have.map(|have| &have.display_name)), json!(want.display_name));
    field("farmer.name", json!(have.map(|have| &have.farmer.name)), json!(want.farmer));
    if let Some(contact) = &want.contact {
        field("farmer.contact", json!(have.and_then(|have| have.farmer.contact.as_ref())), json!(contact));
    }
    if want.lifetime.is_some() {
        field("certificate.lifetime", shown(have.and_then(|have| have.lifetime)), shown(want.lifetime));
    }
    comparison
}

pub(super) async fn create(hub: &Hub, want: &FarmWant, mark: &Mark) -> Result<Uuid, Problem> {
    let farm = NewFarm {
        id: want.farm_id,
        display_name: want.display_name.clone(),
        farmer: Farmer { name: want.farmer.clone(), contact: want.contact.clone() },
        lifetime: want.lifetime,
        mark: Some(columns(mark)),
        created_by: mark.owner.clone(),
    };
    hub.create_farm(farm).await.map(|farm| farm.id).map_err(|error| problem(&error))
}

pub(super) async fn update(hub: &Hub, want: &FarmWant, have: &Farm, mark: &Mark) -> Result<(), Problem> {
    let change = FarmChange {
        display_name: (want.display_name != have.display_name).then(|| want.display_name.clone()),
        farmer_name: (want.farmer != have.farmer.name).then(|| want.farmer.clone()),
        farmer_contact: want.contact.is_some().then(|| want.contact.clone()),
        lifetime: want.lifetime.is_some().then_some(want.lifetime),
        mark: Some(Some(columns(mark))),
        changed_by: Some(mark.owner.clone()),
    };
    hub.update_farm(have.id, change).await.map(|_| ()).map_err(|error| problem(&error))
}

/// Revokes the farm with all that it holds, and lets go of it.
pub(super) async fn remove(hub: &Hub, have: &Farm, mark: Option<&Mark>) -> Result<Written, Problem> {
    let by = mark.map_or("provisor", |mark| mark.owner.as_str());
    hub.revoke_farm(have.id, by).await.map_err(|error| problem(&error))?;
    unmark(hub, have).await?;
    Ok(Written { message: Some("revoked, with its unused keys".to_owned()), ..Written::default() })
}

pub(super) async fn unmark(hub: &Hub, have: &Farm) -> Result<(), Problem> {
    let change = FarmChange { mark: Some(None), ..FarmChange::default() };
    hub.update_farm(have.id, change).await.map(|_| ()).map_err(|error| problem(&error))
}

pub(super) fn unknown(farm: &ResourceId) -> Problem {
    Problem::new("provisor::hub::unknown_farm", format!("`{farm}` is not in the hub"))
}

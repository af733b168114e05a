//! A one-time key in the hub: issued, delivered, recorded; replaced where asked; revoked when no longer declared.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{HubHave, columns, mark, problem};
use crate::diagnostic::{Problem, Warning};
use crate::hub::{Hub, IssuedKey, Key, KeyState, NewKey};
use crate::id::ResourceId;
use crate::manifest::kinds::common::Span;
use crate::manifest::kinds::hub::ProvisioningKeySpec;
use crate::otpk::card::{Address, Card};
use crate::reconcile::ownership::Mark;
use crate::reconcile::plan::{FieldChange, Reason};
use crate::reconcile::provider::{Comparison, Seen, Written};
use crate::secret::reference::Delivery;
use crate::secret::sink;

/// Paths whose change means a new key; everything else about a key is settled when it is issued.
const REPLACING: [&str; 4] = ["deliverTo", "reissue", "expiresIn", "farmRef"];

/// A key as it is wanted.
#[derive(Debug)]
pub struct KeyWant {
    pub(super) farm: ResourceId,
    expires_in: Span,
    note: Option<String>,
    renew_expired: bool,
    reissue: Option<String>,
    deliver_to: Delivery,
    /// Whether sinks are on this machine; a plan without secrets is made elsewhere.
    looks_at_sinks: bool,
}

impl KeyWant {
    /// What `spec` wants of a key for the farm that the resource `farm` means.
    pub(crate) fn new(farm: ResourceId, spec: &ProvisioningKeySpec, looks_at_sinks: bool) -> Self {
        Self {
            farm,
            expires_in: spec.expires_in,
            note: spec.note.clone(),
            renew_expired: spec.renew_expired,
            reissue: spec.reissue.clone(),
            deliver_to: spec.deliver_to.clone(),
            looks_at_sinks,
        }
    }
}

/// The key as the engine sees it; none where no resource means it: a key cannot be adopted, since nobody can read it.
pub(super) fn seen(key: Key) -> Option<Seen<HubHave>> {
    let mark = mark(key.owner.as_deref(), key.resource.as_deref(), key.lifecycle.as_ref())?;
    let text = format!("{:?}", (key.id, &key.state, key.delivered_at, &key.reissue));
    // An expired or revoked key is let go of by pruning; a used one stays, as the record of what it bought.
    let settled = (key.state == KeyState::Used).then(|| "the key was used; there is nothing to revoke".to_owned());
    Some(Seen {
        key: format!("key {}", key.id),
        mark: Some(mark),
        revision: data_encoding::HEXLOWER.encode(&Sha256::digest(text.as_bytes())[..16]),
        settled,
        have: HubHave::Key(key),
    })
}

/// Whether the fields mean that a new key takes the place of the present one.
pub(super) fn is_replaced(fields: &[FieldChange]) -> bool {
    fields.iter().any(|field| field.is_write() && REPLACING.contains(&field.path.as_str()))
}

pub(super) fn compare(want: &KeyWant, have: Option<&Key>, farm: Option<Uuid>) -> Comparison {
    let mut comparison = compare_key(want, have, farm);
    if want.looks_at_sinks && (have.is_none() || is_replaced(&comparison.fields)) {
        comparison.conflict = check_delivery(&want.deliver_to).err();
    }
    comparison
}

fn compare_key(want: &KeyWant, have: Option<&Key>, farm: Option<Uuid>) -> Comparison {
    let mut comparison = Comparison::default();
    let Some(have) = have else {
        let plain = |path: &str, value: Value| FieldChange::plain(path, Value::Null, value);
        comparison.fields.push(plain("farmRef", json!(want.farm.name)));
        comparison.fields.push(plain("expiresIn", json!(want.expires_in.to_string())));
        comparison.fields.extend(want.note.as_ref().map(|note| plain("note", json!(note))));
        comparison.fields.extend(want.reissue.as_ref().map(|text| plain("reissue", json!(text))));
        comparison.fields.push(FieldChange::secret("deliverTo", Reason::Absent));
        return comparison;
    };
    if farm.is_some_and(|farm| farm != have.farm_id) {
        comparison.fields.push(FieldChange::plain("farmRef", json!(have.farm_id), json!(want.farm.name)));
    }
    if want.reissue != have.reissue {
        comparison.fields.push(FieldChange::plain("reissue", json!(have.reissue), json!(want.reissue)));
    }
    if comparison.writes() {
        return comparison;
    }
    match have.state {
        KeyState::Unused if have.delivered_at.is_none() => {
            comparison.message = Some("its delivery was not recorded: it is revoked and replaced".to_owned());
            comparison.fields.push(FieldChange::secret("deliverTo", Reason::Absent));
        }
        KeyState::Unused if want.looks_at_sinks => comparison.warnings.extend(missing_delivery(&want.deliver_to)),
        KeyState::Unused => {}
        KeyState::Expired if want.renew_expired => {
            let (before, after) = (json!(have.expires_at.to_string()), json!(want.expires_in.to_string()));
            comparison.message = Some("it has expired unused and is replaced".to_owned());
            comparison.fields.push(FieldChange::plain("expiresIn", before, after));
        }
        KeyState::Expired => comparison.warnings.push(Warning::new(
            "provisor::key::expired",
            "the key has expired unused; `renewExpired: true` or another `reissue` asks for a new one",
        )),
        KeyState::Revoked => comparison
            .warnings
            .push(Warning::new("provisor::key::revoked", "the key was revoked; another `reissue` asks for a new one")),
        KeyState::Used => comparison.message = Some("the key was used".to_owned()),
    }
    comparison
}

fn check_delivery(delivery: &Delivery) -> Result<(), Problem> {
    let as_sink = match delivery {
        Delivery::Card(card) => crate::secret::reference::SinkRef::File(card.file.clone()),
        other => match other.sink() {
            Some(sink) => sink,
            None => return Ok(()),
        },
    };
    sink::check(&as_sink).map_err(|error| error.to_problem())
}

fn missing_delivery(delivery: &Delivery) -> Option<Warning> {
    let path = delivery.path()?;
    let gone = matches!(path.try_exists(), Ok(false));
    gone.then(|| {
        let message = format!(
            "the key was delivered to `{}`, and nothing is there any more; another `reissue` asks for a new key",
            path.display()
        );
        Warning::new("provisor::key::delivery_missing", message)
    })
}

/// Issues a key, revoking the one that it replaces in the same transaction; delivers it; records that.
pub(super) async fn issue(
    hub: &Hub,
    want: &KeyWant,
    farm: Uuid,
    replaced: Option<&Key>,
    mark: &Mark,
    public_url: Option<&str>,
) -> Result<Written, Problem> {
    let new = NewKey {
        farm_id: farm,
        expires_in: want.expires_in.duration(),
        note: want.note.clone(),
        created_by: mark.owner.clone(),
        reissue: want.reissue.clone(),
        mark: Some(columns(mark)),
        replaces: replaced.map(|key| key.id),
    };
    let issued = hub.issue_key(new).await.map_err(|error| problem(&error))?;
    deliver(hub, want, &issued, public_url).await?;
    hub.mark_delivered(issued.key.id).await.map_err(|error| problem(&error))?;
    let place = want.deliver_to.path().map_or_else(String::new, |path| format!(" to `{}`", path.display()));
    let message =
        format!("issued key {}, good until {}, and delivered it{place}", issued.key.id, issued.key.expires_at);
    Ok(Written { message: Some(message), ..Written::default() })
}

async fn deliver(hub: &Hub, want: &KeyWant, issued: &IssuedKey, public_url: Option<&str>) -> Result<(), Problem> {
    let written = match &want.deliver_to {
        Delivery::Card(target) => {
            let farms = hub.list_farms().await.map_err(|error| problem(&error))?;
            let farm = farms.iter().find(|farm| farm.id == issued.key.farm_id);
            let farm = farm.ok_or_else(|| super::farm::unknown(&want.farm))?;
            let card = Card {
                key: &issued.secret,
                farm: &farm.display_name,
                farmer: &farm.farmer.name,
                expires_at: issued.key.expires_at,
                hub: public_url.map(|public_url| Address { public_url, pin: None }),
            };
            let is_pdf = target.file.extension().is_some_and(|ending| ending == "pdf");
            let bytes = if is_pdf { card.pdf() } else { card.svg() }.map_err(|error| error.to_problem())?;
            sink::write_private(&target.file, &bytes)
        }
        other => match other.sink() {
            Some(sink) => sink::write(&sink, issued.secret.canonical().expose().as_bytes()),
            None => Ok(()),
        },
    };
    written.map_err(|error| error.to_problem())
}

/// Revokes an unused key and lets go of it, so that one declared again is a new one; a key that was used in the meantime
/// has bought its certificate, and nothing is revoked.
pub(super) async fn remove(hub: &Hub, have: &Key, mark: Option<&Mark>) -> Result<Written, Problem> {
    let by = mark.map_or("provisor", |mark| mark.owner.as_str());
    let message = match hub.revoke_key(have.id, by).await {
        Ok(()) => "revoked",
        Err(crate::hub::Error::AlreadyUsed { .. }) => "it was used; nothing was revoked",
        Err(error) => return Err(problem(&error)),
    };
    unmark(hub, have).await?;
    Ok(Written { message: Some(message.to_owned()), ..Written::default() })
}

pub(super) async fn unmark(hub: &Hub, have: &Key) -> Result<(), Problem> {
    hub.set_key_mark(have.id, None).await.map_err(|error| problem(&error))
}

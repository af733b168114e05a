//! A Home Assistant as a target: its config entries.
//!
//! Two calls make a plan, however many entries there are. Ownership lies in the component's own store. No secret comes
//! back: the component gives digests, and what it is sent it compares itself before it writes.

mod compare;
mod import;
mod matching;
mod want;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError, RwLock};

use sha2::{Digest as _, Sha256};

use crate::diagnostic::{Problem, Warning};
use crate::home_assistant::digest::Key;
use crate::home_assistant::entry::{Entry, Listing, Removal, Upsert};
use crate::home_assistant::{Api, is_tested};
use crate::id::ResourceId;
use crate::manifest::kinds::Kind;
use crate::manifest::kinds::common::OnDrift;
use crate::reconcile::ownership::{Applied, Mark};
use crate::reconcile::provider::{Comparison, Provider, Scope, Seen, Step, Wanted, Written};
pub use want::EntryWant;
pub(crate) use want::Resolve;

/// The component that belongs to this program.
const COMPONENT: &str = env!("CARGO_PKG_VERSION");

/// An entry as it is seen.
#[derive(Debug, Clone)]
pub struct EntryHave {
    pub(super) entry: Entry,
    /// Whether it is ours, by the component's record or by its id.
    pub(super) is_marked: bool,
}

/// A Home Assistant.
pub struct HomeAssistantProvider {
    api: Api,
    owner: String,
    /// What the lock is called.
    address: String,
    key: RwLock<Option<Key>>,
    /// What is to be said once of the target.
    notes: Mutex<Vec<Warning>>,
}

impl std::fmt::Debug for HomeAssistantProvider {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("HomeAssistantProvider").field("address", &self.address).finish_non_exhaustive()
    }
}

impl HomeAssistantProvider {
    /// The Home Assistant behind `api`, whose lock is named by `address`, managed by `owner`.
    pub fn new(api: Api, address: String, owner: &str) -> Self {
        Self { api, owner: owner.to_owned(), address, key: RwLock::default(), notes: Mutex::default() }
    }

    async fn list(&self, wants: &[&EntryWant], durable: bool) -> Result<Listing, Problem> {
        let mut fields: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for want in wants {
            fields.entry(want.domain.clone()).or_default().extend(want.data.keys().cloned());
        }
        let fields = fields.into_iter().map(|(domain, paths)| (domain, paths.into_iter().collect())).collect();
        let listing = self.api.list(&fields, durable).await.map_err(|error| error.to_problem())?;
        let key = Key::parse(listing.key.expose());
        *self.key.write().unwrap_or_else(PoisonError::into_inner) = key;
        Ok(listing)
    }

    /// Says once what is unusual about the versions.
    fn note(&self, listing: &Listing) {
        let mut notes = Vec::new();
        if listing.version != COMPONENT {
            let message = format!(
                "the component `nixos_integrations` is {}, and this program's is {COMPONENT}: install that one",
                listing.version
            );
            notes.push(Warning::new("provisor::home_assistant::component_version", message));
        }
        if !is_tested(&listing.homeassistant) {
            let message =
                format!("Home Assistant {} is no release that was tested with this program", listing.homeassistant);
            notes.push(Warning::new("provisor::home_assistant::untested_version", message));
        }
        *self.notes.lock().unwrap_or_else(PoisonError::into_inner) = notes;
    }

    /// The mark of an entry whose id says that we made it, and whose record is lost.
    fn lost_mark(&self, entry: &Entry, key: &str) -> Option<Mark> {
        let is_ours = entry.owned.is_none() && entry.entry_id == matching::derived_id(&self.owner, key);
        is_ours.then(|| Mark {
            owner: self.owner.clone(),
            resource: ResourceId::new(Kind::HomeAssistantEntry.name(), key),
            applied: Applied::default(),
        })
    }

    async fn upsert(&self, want: &EntryWant, seen: Option<&Seen<EntryHave>>, mark: &Mark) -> Result<Written, Problem> {
        let credentials = want.secrets()?;
        let entry = seen.map(|seen| &seen.have.entry);
        let upsert = Upsert {
            owner: &mark.owner,
            name: &want.name,
            domain: &want.domain,
            entry_id: entry.map(|entry| entry.entry_id.as_str()),
            adopt: entry.is_some_and(|entry| entry.owned.is_none()),
            expect: entry.map(|entry| entry.modified_at.as_str()),
            title: want.title.as_deref().or(if entry.is_none() { Some(&want.name) } else { None }),
            unique_id: want.unique_id.as_deref(),
            enabled: want.enabled,
            data: &want.data,
            options: &want.options,
            credentials: &credentials,
            restore: want.on_drift == OnDrift::Restore,
            lifecycle: want.lifecycle.clone(),
        };
        let done = self.api.upsert(&upsert).await.map_err(|error| error.to_problem())?;
        let reason = done.entry.reason.map(|reason| format!(": {reason}")).unwrap_or_default();
        let unreachable = format!("applied, and not reachable at the moment{reason}");
        let message = (done.entry.state == "setup_retry").then_some(unreachable);
        Ok(Written { message, ..Written::default() })
    }

    async fn remove(&self, seen: &Seen<EntryHave>, mode: Removal) -> Result<Written, Problem> {
        let entry = &seen.have.entry;
        let removed = self.api.remove(&self.owner, &entry.entry_id, mode, &entry.modified_at).await;
        removed.map_err(|error| error.to_problem())?;
        Ok(Written::default())
    }
}

/// The engine's mark from the component's record.
fn mark(entry: &Entry) -> Option<Mark> {
    let owned = entry.owned.as_ref()?;
    let applied: Applied = serde_json::from_value(owned.lifecycle.clone()).unwrap_or_default();
    let resource = ResourceId::new(Kind::HomeAssistantEntry.name(), owned.name.clone());
    Some(Mark { owner: owned.owner.clone(), resource, applied })
}

/// A digest of what is no secret and does not change by itself.
fn revision(entry: &Entry) -> String {
    let seen = serde_json::json!([
        entry.entry_id,
        entry.domain,
        entry.title,
        entry.unique_id,
        entry.disabled_by,
        entry.options,
        entry.data
    ]);
    data_encoding::HEXLOWER.encode(&Sha256::digest(seen.to_string().as_bytes())[..16])
}

impl Provider for HomeAssistantProvider {
    type Want = EntryWant;
    type Have = EntryHave;

    async fn observe(&self, wants: &[Wanted<EntryWant>], scope: Scope<'_>) -> Result<Vec<Seen<EntryHave>>, Problem> {
        let known: Vec<&EntryWant> = wants.iter().filter_map(|want| want.want.as_ref().ok()).collect();
        let listing = self.list(&known, false).await?;
        if matches!(scope, Scope::All) {
            self.note(&listing);
        }
        let mut keys: Vec<String> = listing.entries.iter().map(|entry| format!("entry {}", entry.entry_id)).collect();
        for (want, at) in known.iter().zip(matching::matched(&known, &listing.entries, &self.owner)) {
            if let Some(at) = at {
                keys[at].clone_from(&want.name);
            }
        }
        // A want whose credentials are missing still means its entry, which is no orphan.
        for want in wants.iter().filter(|want| want.want.is_err()) {
            let is_its = |entry: &Entry| {
                entry.owned.as_ref().is_some_and(|owned| owned.owner == self.owner && owned.name == want.id.name)
            };
            if let Some(at) = listing.entries.iter().position(is_its) {
                keys[at].clone_from(&want.id.name);
            }
        }
        let all = listing.entries.into_iter().zip(keys).map(|(entry, key)| {
            let kept = entry.disabled_by.is_some();
            let mark = mark(&entry).or_else(|| self.lost_mark(&entry, &key));
            let keeps = mark.as_ref().is_some_and(|mark| {
                mark.applied.deletion_policy == crate::manifest::kinds::common::DeletionPolicy::Disable
            });
            let settled = (kept && keeps).then(|| format!("`{}` is switched off and kept", entry.title));
            let is_marked = mark.is_some();
            Seen {
                key,
                revision: revision(&entry),
                mark,
                settled,
                guards: Vec::new(),
                have: EntryHave { entry, is_marked },
            }
        });
        Ok(match scope {
            Scope::All => all.collect(),
            Scope::Keys(keys) => all.filter(|object| keys.contains(&object.key)).collect(),
        })
    }

    fn compare(&self, wanted: &Wanted<EntryWant>, seen: Option<&Seen<EntryHave>>) -> Comparison {
        let Ok(want) = &wanted.want else { return Comparison::default() };
        let key = self.key.read().unwrap_or_else(PoisonError::into_inner);
        let mut comparison = compare::compare(want, seen.map(|seen| &seen.have), key.as_ref());
        comparison.warnings.append(&mut self.notes.lock().unwrap_or_else(PoisonError::into_inner));
        comparison
    }

    async fn write(&self, step: Step<'_, EntryWant, EntryHave>) -> Result<Written, Problem> {
        match step {
            Step::Create { want, mark, .. } => self.upsert(want, None, &mark).await,
            Step::Update { want, seen, mark, .. } => self.upsert(want, Some(seen), &mark).await,
            Step::Delete(seen) => self.remove(seen, Removal::Delete).await,
            Step::Disable(seen) => self.remove(seen, Removal::Disable).await,
            Step::Unmark(seen) => self.remove(seen, Removal::Forget).await,
        }
    }

    async fn settle(&self) -> Result<(), Problem> {
        self.list(&[], true).await.map(drop)
    }

    fn lock_name(&self) -> String {
        self.address.clone()
    }

    fn requests(&self) -> Vec<(&'static str, u64)> {
        let counts = self.api.requests();
        vec![("reads", counts.reads), ("writes", counts.writes), ("tokens", counts.tokens)]
    }
}

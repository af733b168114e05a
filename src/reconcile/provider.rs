//! What the engine asks of a provider: observe in bulk, compare without touching anything, write one object.
//!
//! A provider knows one sort of target. It never prints, never decides who owns what, and never looks at plans: the
//! engine does that once for all of them.

use std::time::Duration;

use serde_json::Value;

use super::ownership::Mark;
use super::plan::FieldChange;
use crate::diagnostic::{Problem, Warning};
use crate::id::ResourceId;
use crate::manifest::kinds::common::Lifecycle;

/// One declared resource, as its provider understands it.
#[derive(Debug)]
pub struct Wanted<W> {
    /// Which resource.
    pub id: ResourceId,
    /// What identifies the object in the target, where the manifest says it: a client id, a farm id. An object
    /// without a key of its own is found by its mark.
    pub key: Option<String>,
    /// How it is created, kept and removed.
    pub lifecycle: Lifecycle,
    /// Resources that must be in place first.
    pub depends_on: Vec<ResourceId>,
    /// What is wanted, or why it cannot be known (a missing credential).
    pub want: Result<W, Problem>,
    /// What the reader should know whatever happens (a short secret).
    pub warnings: Vec<Warning>,
}

/// One object that a target holds.
#[derive(Debug, Clone)]
pub struct Seen<H> {
    /// What identifies the object in the target.
    pub key: String,
    /// The ownership mark, whoever's it is.
    pub mark: Option<Mark>,
    /// A digest of what was read, no part of it made from a secret.
    pub revision: String,
    /// What is said of an orphan that pruning need not touch, such as "already disabled".
    pub settled: Option<String>,
    /// The object.
    pub have: H,
}

/// Which objects to read.
#[derive(Debug, Clone, Copy)]
pub enum Scope<'a> {
    /// All that a want could mean or that could carry our mark.
    All,
    /// Those of these keys only.
    Keys(&'a [String]),
}

/// How a want and an object differ.
#[derive(Debug, Default)]
pub struct Comparison {
    /// The fields that differ or are worth reporting.
    pub fields: Vec<FieldChange>,
    /// A sentence for the reader.
    pub message: Option<String>,
    /// Why the change must not be made.
    pub conflict: Option<Problem>,
    /// What the resource's state says about success, whatever has to be written.
    pub failure: Option<Problem>,
    /// What the reader should know besides.
    pub warnings: Vec<Warning>,
}

impl Comparison {
    /// Whether applying would write anything.
    pub fn writes(&self) -> bool {
        self.fields.iter().any(FieldChange::is_write)
    }
}

/// One write to one object.
#[derive(Debug)]
pub enum Step<'a, W, H> {
    /// Make the object, with its mark, in one go.
    Create {
        /// Which resource.
        id: &'a ResourceId,
        /// What is wanted.
        want: &'a W,
        /// The mark to put on it; the provider adds the digests of the secrets that it writes.
        mark: Mark,
    },
    /// Write the fields that differ, and the mark.
    Update {
        /// Which resource.
        id: &'a ResourceId,
        /// What is wanted.
        want: &'a W,
        /// The object as read just now.
        seen: &'a Seen<H>,
        /// The fields that differ.
        fields: &'a [FieldChange],
        /// The mark to put on it.
        mark: Mark,
    },
    /// Remove the object; "already gone" is success.
    Delete(&'a Seen<H>),
    /// Switch the object off and keep it with its mark.
    Disable(&'a Seen<H>),
    /// Remove our mark and leave the object.
    Unmark(&'a Seen<H>),
}

/// What a write did.
#[derive(Debug, Default)]
pub struct Written {
    /// A sentence for the report.
    pub message: Option<String>,
    /// What the reader should know besides.
    pub warnings: Vec<Warning>,
}

/// A target of one sort.
pub trait Provider: Send + Sync + 'static {
    /// What a manifest wants of one object; secrets sealed.
    type Want: Send + Sync + 'static;
    /// What the target shows of one object.
    type Have: Clone + Send + Sync + 'static;

    /// Reads objects, in bulk where the target has a list. A failed read is an error, never "absent".
    fn observe(
        &self,
        wants: &[Wanted<Self::Want>],
        scope: Scope<'_>,
    ) -> impl Future<Output = Result<Vec<Seen<Self::Have>>, Problem>> + Send;

    /// Compares what is wanted with what is there; only fields that the manifest names. Touches nothing.
    fn compare(&self, want: &Wanted<Self::Want>, seen: Option<&Seen<Self::Have>>) -> Comparison;

    /// Whether the compared resource may mean `seen` under another key: a renamed object, found by its mark.
    fn may_rename(&self) -> bool {
        false
    }

    /// Makes one write. May be repeated, and dropped at any await.
    fn write(&self, step: Step<'_, Self::Want, Self::Have>) -> impl Future<Output = Result<Written, Problem>> + Send;

    /// Waits until all that was written is durable; asked once, before it is read back.
    fn settle(&self) -> impl Future<Output = Result<(), Problem>> + Send {
        async { Ok(()) }
    }

    /// Lets go of the target at the end of a run that wrote.
    fn close(&self) -> impl Future<Output = ()> + Send {
        async {}
    }

    /// Where the lock of this target is kept and what it is called, one for each owner.
    fn lock_name(&self) -> String;

    /// Requests so far, as (label, count), for `-v`.
    fn requests(&self) -> Vec<(&'static str, u64)> {
        Vec::new()
    }
}

/// How long something took, for `-v`.
#[derive(Debug, Clone, Default)]
pub struct Timings {
    /// What was done and how long it took, in order.
    pub spans: Vec<(String, Duration)>,
    /// Requests by target and sort.
    pub requests: Vec<(String, Vec<(&'static str, u64)>)>,
}

/// A JSON value for a set: sorted, without duplicates.
pub fn set<'a>(items: impl IntoIterator<Item = &'a str>) -> Value {
    let sorted: std::collections::BTreeSet<&str> = items.into_iter().collect();
    Value::from(sorted.into_iter().collect::<Vec<_>>())
}

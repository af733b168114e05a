//! Which changes are shown, and which of them are alike: the same for text and Markdown.

use std::collections::{BTreeMap, HashMap};

use crate::diagnostic::{Problem, Warning};
use crate::reconcile::plan::{Action, Change, Outcome, Plan, Reason};

/// More changes than this of one sort are a crowd, shown a line each.
pub(super) const CROWD: usize = 20;
/// Names of a crowd that all failed alike.
pub(super) const NAMES: usize = 10;

/// The changes of one target.
#[derive(Debug)]
pub(super) struct Section<'a> {
    pub(super) target: Option<&'a str>,
    pub(super) classes: Vec<Class<'a>>,
}

/// Changes of one sort: one action, one kind, one thing in the way.
#[derive(Debug)]
pub(super) struct Class<'a> {
    pub(super) action: Action,
    pub(super) outcome: Option<Outcome>,
    pub(super) kind: &'a str,
    pub(super) changes: Vec<&'a Change>,
}

/// What makes changes alike.
type Key<'a> = (Option<&'a str>, u8, Action, Option<u8>, &'a str, Option<(&'a str, Option<&'a str>)>);

impl<'a> Class<'a> {
    /// Whether there are too many to show each with its fields.
    pub(super) fn is_crowd(&self, verbose: bool) -> bool {
        !verbose && self.changes.len() > CROWD
    }

    /// What is in the way of all of them; its code and hint are the same for the class.
    pub(super) fn error(&self) -> Option<&'a Problem> {
        self.changes.first().and_then(|change| change.error.as_ref())
    }

    /// Whether the error of each is word for word the same.
    pub(super) fn shares_error(&self) -> bool {
        let message = |change: &&Change| change.error.as_ref().map(|error| error.message.clone());
        let first = self.changes.first().and_then(message);
        self.changes.len() > 1 && first.is_some() && self.changes.iter().all(|change| message(change) == first)
    }

    /// The warnings of all, each that is word for word the same once, with how often there is one.
    pub(super) fn warnings(&self) -> Vec<(&'a Warning, usize)> {
        let mut places: HashMap<(&str, &str), usize> = HashMap::new();
        let mut found: Vec<(&Warning, usize)> = Vec::new();
        for warning in self.changes.iter().flat_map(|change| &change.warnings) {
            let at = *places.entry((&warning.code, &warning.message)).or_insert_with(|| {
                found.push((warning, 0));
                found.len() - 1
            });
            found[at].1 += 1;
        }
        found
    }

    /// Whether something failed.
    pub(super) fn is_failure(&self) -> bool {
        self.changes.iter().any(|change| change.is_failure())
    }
}

/// The changes worth showing, by target and by what happens.
pub(super) fn sections(plan: &Plan, verbose: bool) -> Vec<Section<'_>> {
    let mut classes: HashMap<Key<'_>, usize> = HashMap::new();
    let mut found: Vec<(Key<'_>, Class<'_>)> = Vec::new();
    for change in plan.changes.iter().filter(|change| verbose || is_worth_showing(change)) {
        let key = key(change);
        let at = *classes.entry(key).or_insert_with(|| {
            let Change { action, outcome, ref resource, .. } = *change;
            found.push((key, Class { action, outcome, kind: &resource.kind, changes: Vec::new() }));
            found.len() - 1
        });
        found[at].1.changes.push(change);
    }
    let mut sections: BTreeMap<Option<&str>, Vec<(u8, Class<'_>)>> = BTreeMap::new();
    for (key, class) in found {
        sections.entry(key.0).or_default().push((key.1, class));
    }
    sections
        .into_iter()
        .map(|(target, mut classes)| {
            classes.sort_by_key(|(rank, _)| *rank);
            Section { target, classes: classes.into_iter().map(|(_, class)| class).collect() }
        })
        .collect()
}

fn key(change: &Change) -> Key<'_> {
    let error = change.error.as_ref().map(|error| (error.code.as_str(), error.hint.as_deref()));
    let outcome = change.outcome.map(|outcome| outcome as u8);
    (change.target.as_deref(), rank(change), change.action, outcome, &change.resource.kind, error)
}

/// What can be read without a word comes first; what needs attention stands last, beside the summary.
fn rank(change: &Change) -> u8 {
    if matches!(change.outcome, Some(Outcome::Failed | Outcome::Skipped)) {
        return if change.outcome == Some(Outcome::Failed) { 11 } else { 10 };
    }
    match change.action {
        Action::None => 0,
        Action::Create => 1,
        Action::Adopt => 2,
        Action::Update => 3,
        Action::Delete => 4,
        Action::Orphan => 5,
        Action::Unknown => 8,
        Action::Conflict => 9,
    }
}

fn is_worth_showing(change: &Change) -> bool {
    let has_news = || change.error.is_some() || !change.warnings.is_empty() || has_rotated(change);
    match change.outcome {
        None => change.action != Action::None || has_news(),
        Some(Outcome::Applied | Outcome::Failed | Outcome::Skipped) => true,
        Some(Outcome::Unchanged) => matches!(change.action, Action::Orphan | Action::Unknown) || has_news(),
    }
}

fn has_rotated(change: &Change) -> bool {
    change.fields.iter().any(|field| field.reason == Some(Reason::Rotated))
}

/// How many resources with nothing to do hold a secret that could not be compared.
pub(super) fn uncompared(plan: &Plan) -> usize {
    let unknown = |change: &&Change| change.fields.iter().any(|field| field.reason == Some(Reason::Unknown));
    plan.changes.iter().filter(|change| change.action == Action::None).filter(unknown).count()
}

//! Which object a resource means, and which of those that carry one mark is the original. Pure.

use std::collections::{HashMap, HashSet};

use super::provider::{Seen, Wanted};
use crate::id::ResourceId;

/// Objects by key, ours by the resource that means them, and what the wants mean by key.
pub(crate) struct Index<'a, H> {
    seen: &'a [Seen<H>],
    by_key: HashMap<&'a str, usize>,
    carriers: HashMap<&'a ResourceId, Carriers>,
    key_of: HashMap<&'a ResourceId, &'a str>,
    /// Objects that some want means by their key.
    meant: HashSet<usize>,
    owner: &'a str,
    /// Whether a mark that names no object may be a copy.
    marks_are_copied: bool,
}

/// The objects that carry one mark of ours; those whose mark names another object are not among them.
#[derive(Default)]
struct Carriers {
    /// Those that the mark names.
    named: Vec<usize>,
    /// Those whose mark names none, as older ones do.
    unnamed: Vec<usize>,
}

/// The object that a want means.
pub(crate) struct Found<'a, H> {
    pub(crate) at: usize,
    pub(crate) object: &'a Seen<H>,
    pub(crate) is_copy: bool,
}

/// What a mark of ours says of the object that carries it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Standing<'a> {
    /// The object is the one that was marked, as far as anybody can tell.
    Original,
    /// Somebody copied the object of this key, with its mark.
    Copy(&'a str),
    /// The mark names no object, so that it may be a copy; of which other key another one carries it, if any does.
    Unclear(Option<&'a str>),
}

impl Standing<'_> {
    pub(crate) fn is_copy(&self) -> bool {
        matches!(self, Self::Copy(_))
    }
}

impl<'a, H> Index<'a, H> {
    pub(crate) fn new<W>(wants: &'a [Wanted<W>], seen: &'a [Seen<H>], owner: &'a str, marks_are_copied: bool) -> Self {
        let by_key: HashMap<&str, usize> =
            seen.iter().enumerate().map(|(at, object)| (object.key.as_str(), at)).collect();
        let mut carriers: HashMap<&ResourceId, Carriers> = HashMap::new();
        for (at, object) in seen.iter().enumerate() {
            if let Some(mark) = object.mark_of(owner) {
                let carriers = carriers.entry(&mark.resource).or_default();
                if mark.applied.key.is_some() { &mut carriers.named } else { &mut carriers.unnamed }.push(at);
            }
        }
        let key_of: HashMap<_, _> = wants.iter().filter_map(|want| Some((&want.id, want.key.as_deref()?))).collect();
        let meant = key_of.values().filter_map(|key| by_key.get(key).copied()).collect();
        Self { seen, by_key, carriers, key_of, meant, owner, marks_are_copied }
    }

    /// The object that a want means: by its key; else by our mark, where no other want means that object by key.
    pub(crate) fn find<W>(&self, want: &Wanted<W>, may_rename: bool) -> Option<usize> {
        let by_key = want.key.as_ref().and_then(|key| self.by_key.get(key.as_str()).copied());
        by_key.or_else(|| if want.key.is_none() || may_rename { self.marked(&want.id) } else { None })
    }

    /// The object that our mark of a resource leads to; none where there are several and nothing tells the copies.
    fn marked(&self, resource: &ResourceId) -> Option<usize> {
        let carriers = self.carriers.get(resource)?;
        let candidates = match (carriers.named.as_slice(), carriers.unnamed.as_slice()) {
            ([], [_, _, ..]) => &[],
            ([], only) => only,
            (named, _) => named,
        };
        candidates.iter().copied().find(|at| !self.meant.contains(at))
    }

    /// What our mark says of an object; an original where it carries none of ours.
    pub(crate) fn standing(&self, at: usize) -> Standing<'a> {
        let object = &self.seen[at];
        let Some(mark) = object.mark.as_ref().filter(|mark| mark.owner == self.owner) else {
            return Standing::Original;
        };
        match &mark.applied.key {
            Some(key) if *key == object.key => return Standing::Original,
            Some(key) => return Standing::Copy(key),
            None => {}
        }
        let Some(Carriers { named, unnamed }) = self.carriers.get(&mark.resource) else { return Standing::Original };
        let declared = self.key_of.get(&mark.resource).and_then(|key| self.by_key.get(key));
        let original = named.first().or_else(|| declared.filter(|&original| unnamed.contains(original)));
        let other = unnamed.iter().find(|&&other| other != at);
        match (original, other) {
            (Some(&original), _) if original == at => Standing::Original,
            (Some(&original), _) => Standing::Copy(&self.seen[original].key),
            (None, Some(&other)) => Standing::Unclear(Some(&self.seen[other].key)),
            (None, None) if self.marks_are_copied => Standing::Unclear(None),
            (None, None) => Standing::Original,
        }
    }
}

//! Which entry a resource means: the one that our record names, one of the id that is derived from owner and name, one
//! that the integration itself identifies, or the only one that looks as declared.

use std::collections::BTreeSet;

use sha2::{Digest as _, Sha256};

use super::EntryWant;
use crate::home_assistant::entry::Entry;

/// The id of an entry that is made for `owner` under `name`; the component makes it in the same way.
pub(super) fn derived_id(owner: &str, name: &str) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(format!("{owner}/{name}").as_bytes())[..16])
}

/// Whether a want means an entry.
type Rule<'a> = &'a dyn Fn(&EntryWant, &Entry) -> bool;

/// For each want, the index of the entry that it means.
pub(super) fn matched(wants: &[&EntryWant], entries: &[Entry], owner: &str) -> Vec<Option<usize>> {
    let mut found = vec![None; wants.len()];
    let mut taken = BTreeSet::new();
    let rules: [Rule<'_>; 3] = [
        &|want, entry| entry.owned.as_ref().is_some_and(|owned| owned.owner == owner && owned.name == want.name),
        &|want, entry| entry.owned.is_none() && entry.entry_id == derived_id(owner, &want.name),
        &|want, entry| entry.domain == want.domain && is_identified(want, entry),
    ];
    for rule in rules {
        for (number, want) in
            wants.iter().enumerate().filter(|(number, _)| found[*number].is_none()).collect::<Vec<_>>()
        {
            let at = (0..entries.len()).find(|at| !taken.contains(at) && rule(want, &entries[*at]));
            taken.extend(at);
            found[number] = at;
        }
    }
    for (number, want) in wants.iter().enumerate() {
        if found[number].is_none() {
            found[number] = alike(want, entries, &taken);
            taken.extend(found[number]);
        }
    }
    found
}

/// Whether the integration itself would say that it is the same account or device.
fn is_identified(want: &EntryWant, entry: &Entry) -> bool {
    let declared = want.unique_id.as_deref();
    declared.is_some() && entry.unique_id.as_ref().and_then(serde_json::Value::as_str) == declared
}

/// The only entry that nobody owns and that has every declared value; for an integration that allows one entry, that one.
fn alike(want: &EntryWant, entries: &[Entry], taken: &BTreeSet<usize>) -> Option<usize> {
    let free = |at: &usize| !taken.contains(at) && entries[*at].domain == want.domain;
    if let Some(at) = (0..entries.len()).filter(free).find(|at| entries[*at].single) {
        return Some(at);
    }
    if want.unique_id.is_some() {
        return None;
    }
    let has_title = |entry: &Entry| want.title.as_ref() == Some(&entry.title);
    let says_nothing = want.data.is_empty() && want.options.is_empty();
    let has_all = |entry: &Entry| {
        want.data.iter().all(|(path, value)| entry.data.get(path) == Some(value))
            && want.options.iter().all(|(key, value)| entry.options.get(key) == Some(value))
    };
    let fits = |entry: &Entry| entry.owned.is_none() && has_all(entry) && (!says_nothing || has_title(entry));
    let fitting: Vec<usize> = (0..entries.len()).filter(free).filter(|at| fits(&entries[*at])).collect();
    let titled: Vec<usize> = fitting.iter().copied().filter(|at| has_title(&entries[*at])).collect();
    match (fitting.as_slice(), titled.as_slice()) {
        ([only], _) | (_, [only]) => Some(*only),
        _ => None,
    }
}

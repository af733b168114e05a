//! The keys of a mapping: of a dictionary that is stored, or of the schema of a form.

use std::collections::{BTreeMap, BTreeSet};

/// The keys of a mapping, with what a form says about them.
#[derive(Debug, Clone, Default)]
pub(super) struct Fields {
    pub(super) named: BTreeMap<String, Mark>,
    /// Of sections: the form shows these fields too, but the mapping has them one level down.
    pub(super) nested: BTreeMap<String, Mark>,
    /// The keys that are sections.
    pub(super) sections: BTreeSet<String>,
    /// It may have keys that are not known.
    pub(super) is_open: bool,
}

/// What a form says about a field.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "four independent facts")]
pub(super) struct Mark {
    /// A form asks for it; otherwise it is only a key.
    pub(super) is_asked: bool,
    pub(super) is_required: bool,
    pub(super) has_default: bool,
    pub(super) is_secret: bool,
}

impl Fields {
    pub(super) fn open() -> Self {
        Self { is_open: true, ..Self::default() }
    }

    /// Those keys, and no other.
    pub(super) fn of<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        let marked = names.into_iter().map(|name| (name.to_owned(), Mark::default()));
        Self { named: marked.collect(), ..Self::default() }
    }

    /// The keys of either.
    pub(super) fn merge(&mut self, other: Self) {
        self.is_open |= other.is_open;
        other.named.into_iter().for_each(|(name, mark)| add(&mut self.named, name, mark));
        self.sections.extend(other.sections);
        other.nested.into_iter().for_each(|(name, mark)| add(&mut self.nested, name, mark));
    }

    pub(super) fn add_keys(&mut self, marked: Option<Vec<(String, Mark)>>) {
        match marked {
            Some(marked) => marked.into_iter().for_each(|(name, mark)| add(&mut self.named, name, mark)),
            None => self.is_open = true,
        }
    }
}

/// A field is required where every form that asks for it requires it.
pub(super) fn add(fields: &mut BTreeMap<String, Mark>, name: String, mark: Mark) {
    let known = fields.entry(name).or_insert(mark);
    *known = Mark {
        is_asked: known.is_asked || mark.is_asked,
        is_required: (known.is_required || !known.is_asked)
            && (mark.is_required || !mark.is_asked)
            && (known.is_asked || mark.is_asked),
        has_default: known.has_default || mark.has_default,
        is_secret: known.is_secret || mark.is_secret,
    };
}

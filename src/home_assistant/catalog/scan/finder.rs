//! Which keys a mapping can have, found by following names, attributes, parameters and functions.
//!
//! Whatever cannot be followed makes the answer open, never wrong.

mod calls;
mod changes;

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use super::family::{Family, Program};
use super::fields::{Fields, Mark, add};
use super::resolve::{Meaning, Scope, meanings, member, texts};
use super::syntax::Expression;

/// One question: the keys of a name, an attribute, a parameter or a function, as seen from a family.
type Question = (usize, String, usize);

/// Finds keys.
#[derive(Debug)]
pub(super) struct Finder<'a, 'p> {
    program: &'p Program<'a>,
    answers: HashMap<Question, Fields>,
    active: HashSet<Question>,
    /// How often a question met itself. Its answer is then part of the larger one, and not to be kept by itself.
    circles: usize,
    steps: usize,
}

/// A mapping that takes more steps than this is not followed to its end.
const MOST_STEPS: usize = 20_000;
/// What the OAuth helper of Home Assistant stores.
pub(super) const OAUTH_KEYS: [&str; 2] = ["auth_implementation", "token"];

fn place<T: ?Sized>(thing: &T) -> usize {
    std::ptr::from_ref(thing).cast::<()>().addr()
}

impl<'a, 'p> Finder<'a, 'p> {
    pub(super) fn new(program: &'p Program<'a>) -> Self {
        Self { program, answers: HashMap::new(), active: HashSet::new(), circles: 0, steps: 0 }
    }

    /// The keys that the expression can have.
    pub(super) fn fields(&mut self, expression: &'a Expression, scope: &Scope<'a>) -> Fields {
        self.steps = 0;
        self.mapping(expression, scope)
    }

    /// The fields of the forms of a step; none where the flow has no form for it.
    pub(super) fn forms(&mut self, step: &str, family: &Rc<Family<'a>>) -> Option<Fields> {
        let mut found = None;
        for site in self.program.calls("async_show_form").iter().filter(|site| Program::is_in(site, family)) {
            let scope = self.program.scope_of(site, Some(family));
            let steps = site.call.argument("step_id", None).and_then(|step| texts(self.program.modules, step, &scope));
            if steps.is_none_or(|steps| steps.iter().any(|own| own == step)) {
                let fields = found.get_or_insert_with(Fields::default);
                if let Some(schema) = site.call.argument("data_schema", None) {
                    fields.merge(self.mapping(schema, &scope));
                }
            }
        }
        found
    }

    fn once(&mut self, question: Question, answer: impl FnOnce(&mut Self) -> Fields) -> Fields {
        if let Some(known) = self.answers.get(&question) {
            return known.clone();
        }
        self.steps += 1;
        if self.steps > MOST_STEPS {
            return Fields::open();
        }
        if !self.active.insert(question.clone()) {
            self.circles += 1;
            return Fields::default();
        }
        let circles = self.circles;
        let fields = answer(self);
        self.active.remove(&question);
        if self.circles == circles || self.active.is_empty() {
            self.answers.insert(question, fields.clone());
        }
        fields
    }

    fn mapping(&mut self, expression: &'a Expression, scope: &Scope<'a>) -> Fields {
        match expression {
            Expression::None => Fields::default(),
            Expression::Map(pairs) => self.pairs(pairs, scope),
            Expression::Either(options) => self.all(options, scope),
            Expression::Join(left, right) => {
                let mut fields = self.mapping(left, scope);
                fields.merge(self.mapping(right, scope));
                fields
            }
            Expression::Name(name) => self.name(name, scope),
            Expression::Member(value, name) => self.member(value, name, scope),
            Expression::Index(value, key) => self.section(value, key, scope),
            Expression::Call(call) => self.call(call, scope),
            _ => Fields::open(),
        }
    }

    fn all(&mut self, expressions: &'a [Expression], scope: &Scope<'a>) -> Fields {
        let mut fields = Fields::default();
        for one in expressions {
            fields.merge(self.mapping(one, scope));
        }
        fields
    }

    fn pairs(&mut self, pairs: &'a [(Option<Expression>, Expression)], scope: &Scope<'a>) -> Fields {
        let mut fields = Fields::default();
        for (key, value) in pairs {
            let Some(key) = key else {
                fields.merge(self.mapping(value, scope));
                continue;
            };
            let keys = self.key(key, scope);
            if let Expression::Call(call) = value
                && call.name() == Some("section")
                && let Some(schema) = call.positional(0)
            {
                let section = self.mapping(schema, scope);
                section.named.into_iter().for_each(|(name, mark)| add(&mut fields.nested, name, mark));
                fields.sections.extend(keys.iter().flatten().map(|(name, _)| name.clone()));
            }
            fields.add_keys(keys);
        }
        fields
    }

    /// The names that a key can be: a text, or a text in the marker of a schema.
    fn key(&mut self, key: &'a Expression, scope: &Scope<'a>) -> Option<Vec<(String, Mark)>> {
        if let Expression::Call(call) = key
            && let Some(word @ ("Required" | "Optional" | "Exclusive" | "Inclusive" | "Secret" | "Key")) = call.name()
        {
            let inner = self.key(call.positional(0)?, scope)?;
            let has_default = call.argument("default", None).is_some();
            let marked = inner.into_iter().map(|(name, mark)| {
                let mark = Mark {
                    is_asked: true,
                    is_required: mark.is_required || word == "Required",
                    has_default: mark.has_default || has_default,
                    is_secret: mark.is_secret || word == "Secret",
                };
                (name, mark)
            });
            return Some(marked.collect());
        }
        if let Some(names) = texts(self.program.modules, key, scope) {
            return Some(names.into_iter().map(|name| (name, Mark::default())).collect());
        }
        let Expression::Name(name) = key else { return None };
        let mut all = Vec::new();
        for meaning in meanings(self.program.modules, name, scope) {
            match meaning {
                // `KEY = Required("key")`
                Meaning::Value(value @ Expression::Call(_), at) => all.extend(self.key(value, &at)?),
                // `{key: value for key, value in other.items()}`
                Meaning::Item(source, None | Some(0), at) => {
                    let fields = self.once((place(source), "items".to_owned(), family_of(&at)), |finder| {
                        finder.mapping(source, &at)
                    });
                    if fields.is_open {
                        return None;
                    }
                    all.extend(fields.named);
                }
                _ => return None,
            }
        }
        (!all.is_empty()).then_some(all)
    }

    fn name(&mut self, name: &'a str, scope: &Scope<'a>) -> Fields {
        let here = scope.functions.last().map_or_else(|| place(scope.module), |function| place(*function));
        self.once((here, name.to_owned(), family_of(scope)), |finder| finder.name_anew(name, scope))
    }

    fn name_anew(&mut self, name: &'a str, scope: &Scope<'a>) -> Fields {
        let found = meanings(self.program.modules, name, scope);
        if found.is_empty() {
            return Fields::open();
        }
        let mut fields = Fields::default();
        for meaning in found {
            fields.merge(self.meaning(meaning, name, scope));
        }
        for (body, at) in scope.bodies() {
            fields.merge(self.changes(body, &at, &|target| target.is_name(name)));
        }
        fields
    }

    fn meaning(&mut self, meaning: Meaning<'a>, name: &str, from: &Scope<'a>) -> Fields {
        match meaning {
            Meaning::Value(value, at) => self.mapping(value, &at),
            Meaning::Item(source, Some(place), at) => self.part(source, place, &at),
            Meaning::Parameter(function, at) => self.parameter(function, name, &at),
            Meaning::Function(function, at) => self.result(function, &with_family(at, from)),
            Meaning::Item(..) | Meaning::Class(..) | Meaning::Module(_) => Fields::open(),
        }
    }

    fn member(&mut self, value: &'a Expression, name: &'a str, scope: &Scope<'a>) -> Fields {
        if matches!(name, "data" | "options") && is_entry(value, scope) {
            // What is stored already has the keys that were stored.
            return Fields::default();
        }
        if value.is_name("self") {
            return self.attribute(name, scope);
        }
        let found = member(self.program.modules, value, name, scope);
        if found.is_empty() {
            return if name == "schema" { self.mapping(value, scope) } else { Fields::open() };
        }
        let mut fields = Fields::default();
        for meaning in found {
            fields.merge(self.meaning(meaning, name, scope));
        }
        fields
    }

    fn attribute(&mut self, name: &'a str, scope: &Scope<'a>) -> Fields {
        let Some(family) = scope.family.clone() else { return Fields::open() };
        self.once((place(&*family), name.to_owned(), 0), |finder| {
            let is_attribute =
                |target: &Expression| matches!(target, Expression::Member(own, own_name) if own.is_name("self") && own_name == name);
            let mut fields = Fields::default();
            let mut is_known = false;
            for (body, at) in family.bodies() {
                let in_class = at.functions.is_empty();
                for (target, value) in &body.assignments {
                    if is_attribute(target) || (in_class && target.is_name(name)) {
                        is_known = true;
                        fields.merge(finder.mapping(value, &at));
                    } else if let Expression::Sequence(targets) = target
                        && let Some(place) = targets.iter().position(&is_attribute)
                    {
                        is_known = true;
                        fields.merge(finder.part(value, place, &at));
                    }
                }
                fields.merge(finder.changes(body, &at, &is_attribute));
            }
            for (function, at) in family.methods(name) {
                is_known = true;
                fields.merge(finder.result(function, &at));
            }
            fields.is_open |= !is_known;
            fields
        })
    }

    /// `value[key]` and `value.pop(key)` of a form with sections: the fields of the sections.
    fn section(&mut self, value: &'a Expression, key: &'a Expression, scope: &Scope<'a>) -> Fields {
        let Some(keys) = texts(self.program.modules, key, scope) else { return Fields::open() };
        let whole = self.mapping(value, scope);
        if whole.is_open || !keys.iter().all(|key| whole.sections.contains(key)) {
            return Fields::open();
        }
        Fields { named: whole.nested, ..Fields::default() }
    }
}

/// Whether the expression is an entry of the integration: by its name, or by the type of the parameter.
pub(super) fn is_entry(expression: &Expression, scope: &Scope<'_>) -> bool {
    let Some(name) = expression.last_name() else { return false };
    let lower = name.to_lowercase();
    if lower.contains("entry") {
        return !lower.contains("subentry") && !lower.contains("registry") && !lower.contains("device_entry");
    }
    let Expression::Name(name) = expression else { return false };
    let parameters = scope.functions.iter().rev().flat_map(|function| &function.parameters);
    parameters.filter(|own| own.name == *name).any(|own| own.annotation.contains("ConfigEntry"))
}

fn family_of(scope: &Scope<'_>) -> usize {
    scope.family.as_ref().map_or(0, |family| place(&**family))
}

/// A function called from a class is asked on behalf of that class.
fn with_family<'a>(mut scope: Scope<'a>, from: &Scope<'a>) -> Scope<'a> {
    if scope.family.is_none() {
        scope.family.clone_from(&from.family);
    }
    scope
}

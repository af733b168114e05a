//! Which keys a mapping can have: a dictionary that is stored, or the schema of a form.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;

use super::family::{Family, Program};
use super::resolve::{Meaning, Scope, meanings, member, texts};
use super::syntax::{Body, Call, Expression, Function};

/// The keys of a mapping, with what a form says about them.
#[derive(Debug, Clone, Default)]
pub(super) struct Fields {
    pub(super) named: BTreeMap<String, Mark>,
    /// Of sections: the form shows these fields too, but the mapping has them one level down.
    pub(super) nested: BTreeMap<String, Mark>,
    /// It may have keys that are not known.
    pub(super) is_open: bool,
}

/// What a form says about a field.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Mark {
    /// A form asks for it; otherwise it is only a key.
    pub(super) is_asked: bool,
    pub(super) is_required: bool,
    pub(super) has_default: bool,
    pub(super) is_secret: bool,
}

impl Fields {
    fn open() -> Self {
        Self { is_open: true, ..Self::default() }
    }

    /// Those keys, and no other.
    pub(super) fn of<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        let named = names.into_iter().map(|name| (name.to_owned(), Mark::default())).collect();
        Self { named, ..Self::default() }
    }

    /// The keys of either.
    pub(super) fn merge(&mut self, other: Self) {
        self.is_open |= other.is_open;
        other.named.into_iter().for_each(|(name, mark)| add(&mut self.named, name, mark));
        other.nested.into_iter().for_each(|(name, mark)| add(&mut self.nested, name, mark));
    }

    fn add(&mut self, marked: Option<Vec<(String, Mark)>>) {
        match marked {
            Some(marked) => marked.into_iter().for_each(|(name, mark)| add(&mut self.named, name, mark)),
            None => self.is_open = true,
        }
    }
}

/// A field is required where every form that asks for it requires it.
fn add(fields: &mut BTreeMap<String, Mark>, name: String, mark: Mark) {
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

/// One question: the keys of a name, an attribute, a parameter or a function, as seen from a family.
type Question = (usize, String, usize);

/// Finds keys. Whatever cannot be followed makes the answer open, never wrong.
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
            Expression::Index(value, _) => self.section(value, scope),
            Expression::Call(call) => self.call(call, scope),
            _ => Fields::open(),
        }
    }

    fn all(&mut self, expressions: &'a [Expression], scope: &Scope<'a>) -> Fields {
        let mut fields = Fields::default();
        expressions.iter().for_each(|one| fields.merge(self.mapping(one, scope)));
        fields
    }

    fn pairs(&mut self, pairs: &'a [(Option<Expression>, Expression)], scope: &Scope<'a>) -> Fields {
        let mut fields = Fields::default();
        for (key, value) in pairs {
            let Some(key) = key else {
                fields.merge(self.mapping(value, scope));
                continue;
            };
            fields.add(self.key(key, scope));
            if let Expression::Call(call) = value
                && call.name() == Some("section")
                && let Some(schema) = call.positional(0)
            {
                let section = self.mapping(schema, scope);
                section.named.into_iter().for_each(|(name, mark)| add(&mut fields.nested, name, mark));
            }
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

    /// What is put into a mapping later: `target[key] = value`, `target.update(other)`, also by another name of it and
    /// by a function that is given it.
    fn changes(&mut self, body: &'a Body, scope: &Scope<'a>, is_target: &dyn Fn(&Expression) -> bool) -> Fields {
        let others = body.assignments.iter().filter(|(_, value)| is_target(value));
        let others: Vec<&str> = others.filter_map(|(target, _)| target.as_name()).collect();
        let is_target = |one: &Expression| is_target(one) || one.as_name().is_some_and(|name| others.contains(&name));
        let mut fields = Fields::default();
        for (target, _) in &body.assignments {
            if let Expression::Index(value, key) = target
                && is_target(value)
            {
                fields.add(self.key(key, scope));
            }
        }
        let mut calls = Vec::new();
        body.walk(&mut |expression| calls.extend(expression.as_call()));
        for call in calls {
            match &call.function {
                Expression::Member(value, method) if is_target(value) => match (method.as_str(), call.positional(0)) {
                    ("setdefault", Some(key)) => fields.add(self.key(key, scope)),
                    ("update", _) => fields.merge(self.made_of(call, scope)),
                    _ => {}
                },
                _ if call.arguments.iter().any(|argument| is_target(&argument.value)) => {
                    fields.merge(self.changes_by(call, scope, &is_target));
                }
                _ => {}
            }
        }
        fields
    }

    /// What a function puts into a mapping that it is given.
    fn changes_by(&mut self, call: &'a Call, scope: &Scope<'a>, is_target: &dyn Fn(&Expression) -> bool) -> Fields {
        let mut fields = Fields::default();
        for (function, at) in self.called(call, scope) {
            for parameter in &function.parameters {
                let Some(index) = function.place_of(&parameter.name) else { continue };
                if call.argument(&parameter.name, Some(index)).is_some_and(is_target) {
                    let question = (place(function), format!("changes {}", parameter.name), family_of(&at));
                    fields.merge(self.once(question, |finder| {
                        let inner = at.within(function);
                        finder.changes(&function.body, &inner, &|target| target.is_name(&parameter.name))
                    }));
                }
            }
        }
        fields
    }

    /// `dict(other, name=value, **more)`
    fn made_of(&mut self, call: &'a Call, scope: &Scope<'a>) -> Fields {
        let mut fields = Fields::default();
        for argument in &call.arguments {
            match &argument.name {
                Some(name) => fields.merge(Fields::of([name.as_str()])),
                None => fields.merge(self.mapping(&argument.value, scope)),
            }
        }
        fields
    }

    /// The part of a tuple that a function returns.
    fn part(&mut self, source: &'a Expression, at: usize, scope: &Scope<'a>) -> Fields {
        let Expression::Call(call) = source else { return Fields::open() };
        let functions = self.called(call, scope);
        if functions.is_empty() {
            return Fields::open();
        }
        let mut fields = Fields::default();
        for (function, scope) in functions {
            let inner = scope.within(function);
            for returned in &function.body.returns {
                match returned {
                    Expression::Sequence(parts) if parts.len() > at => fields.merge(self.mapping(&parts[at], &inner)),
                    Expression::None => {}
                    _ => fields.is_open = true,
                }
            }
        }
        fields
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
    fn section(&mut self, value: &'a Expression, scope: &Scope<'a>) -> Fields {
        let whole = self.mapping(value, scope);
        if whole.is_open || whole.nested.is_empty() {
            return Fields::open();
        }
        Fields { named: whole.nested, ..Fields::default() }
    }

    fn call(&mut self, call: &'a Call, scope: &Scope<'a>) -> Fields {
        let Some(name) = call.name() else { return Fields::open() };
        let first = call.positional(0);
        let receiver = match &call.function {
            Expression::Member(receiver, _) => Some(&**receiver),
            _ => None,
        };
        match (name, receiver, first) {
            ("dict", None, _) => return self.made_of(call, scope),
            ("copy" | "items", Some(receiver), None) => return self.mapping(receiver, scope),
            ("extend", Some(receiver), Some(more)) => {
                let mut fields = self.mapping(receiver, scope);
                fields.merge(self.mapping(more, scope));
                return fields;
            }
            ("get" | "pop", Some(receiver), Some(_)) => return self.section(receiver, scope),
            (
                "Schema"
                | "section"
                | "All"
                | "copy"
                | "deepcopy"
                | "MappingProxyType"
                | "wait_for"
                | "add_suggested_values_to_schema",
                _,
                Some(first),
            ) => return self.mapping(first, scope),
            ("add_suggested_values_to_schema", ..) => {
                return call.argument("data_schema", None).map_or_else(Fields::open, |own| self.mapping(own, scope));
            }
            ("cast", _, Some(_)) => {
                return call.positional(1).map_or_else(Fields::open, |own| self.mapping(own, scope));
            }
            ("async_add_executor_job", _, Some(function)) => return self.mapping(function, scope),
            _ => {}
        }
        let functions = self.called(call, scope);
        if !functions.is_empty() {
            let mut fields = Fields::default();
            functions.into_iter().for_each(|(function, at)| fields.merge(self.result(function, &at)));
            return fields;
        }
        // A schema that is called lets through what it knows.
        let schema = self.mapping(&call.function, scope);
        if schema.named.values().any(|mark| mark.is_asked) { schema } else { Fields::open() }
    }

    /// The functions that a call may run.
    fn called(&self, call: &'a Call, scope: &Scope<'a>) -> Vec<(&'a Function, Scope<'a>)> {
        let modules = self.program.modules;
        let found = match &call.function {
            Expression::Member(value, name) if value.is_name("self") || value.last_name() == Some("super") => {
                return scope.family.as_ref().map(|family| family.methods(name)).unwrap_or_default();
            }
            Expression::Name(name) => meanings(modules, name, scope),
            Expression::Member(value, name) => member(modules, value, name, scope),
            _ => Vec::new(),
        };
        let functions = found.into_iter().filter_map(|meaning| match meaning {
            Meaning::Function(function, at) => Some((function, with_family(at, scope))),
            _ => None,
        });
        functions.collect()
    }

    fn result(&mut self, function: &'a Function, scope: &Scope<'a>) -> Fields {
        self.once((place(function), "return".to_owned(), family_of(scope)), |finder| {
            let inner = scope.within(function);
            let mut fields = Fields { is_open: function.body.returns.is_empty(), ..Fields::default() };
            function.body.returns.iter().for_each(|returned| fields.merge(finder.mapping(returned, &inner)));
            fields
        })
    }

    /// What a function may be given: what a form was filled in with, and what its callers give.
    fn parameter(&mut self, function: &'a Function, name: &str, scope: &Scope<'a>) -> Fields {
        let Some(index) = function.place_of(name) else { return Fields::open() };
        if function.name == "async_oauth_create_entry" {
            return Fields::of(OAUTH_KEYS);
        }
        let step = function.name.strip_prefix("async_step_").filter(|_| index == 0);
        if step == Some("reauth") || step == Some("reconfigure") || name == "entry_data" {
            return Fields::default();
        }
        let mut fields = match (step, &scope.family) {
            (Some(step), Some(family)) => self.forms(step, family),
            _ => None,
        };
        let is_import = step == Some("import");
        let is_method = scope.functions.len() <= 1 && scope.module.function(&function.name).is_none();
        for site in self.program.calls(&function.name) {
            let is_its = match &site.call.function {
                Expression::Name(_) => !is_method || scope.functions.len() > 1,
                Expression::Member(value, _) => {
                    !is_method || value.is_name("self") || value.last_name() == Some("super")
                }
                _ => false,
            };
            if !is_its || (is_method && scope.family.as_ref().is_none_or(|family| !Program::is_in(site, family))) {
                continue;
            }
            let at = self.program.scope_of(site, scope.family.as_ref());
            let given = site.call.argument(name, Some(index));
            let found = fields.get_or_insert_with(Fields::default);
            match given {
                Some(given) => found.merge(self.mapping(given, &at)),
                None => found.is_open |= site.call.has_spread(),
            }
        }
        // An import is given what stood in a file of the user's.
        let mut fields = fields.unwrap_or_else(Fields::open);
        fields.is_open |= is_import;
        fields
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

//! What a name stands for: parameters, assignments, loops, imports; and which texts an expression can be.

use std::rc::Rc;

use super::family::Family;
use super::modules::Modules;
use super::syntax::{Body, Class, Expression, Function, Module};

/// Imports and constants that lead further than this lead in a circle.
const DEEPEST: usize = 24;

/// Where an expression stands.
#[derive(Debug, Clone)]
pub(super) struct Scope<'a> {
    pub(super) module: &'a Module,
    /// The class that `self` is of.
    pub(super) family: Option<Rc<Family<'a>>>,
    /// The functions it stands in, the innermost last.
    pub(super) functions: Vec<&'a Function>,
}

impl<'a> Scope<'a> {
    /// At the top of a module.
    pub(super) fn top(module: &'a Module) -> Self {
        Self { module, family: None, functions: Vec::new() }
    }

    /// In that function of the same place.
    pub(super) fn within(&self, function: &'a Function) -> Self {
        let mut inner = self.clone();
        inner.functions.push(function);
        inner
    }

    /// The bodies in which names are looked for, the innermost first.
    pub(super) fn bodies(&self) -> impl Iterator<Item = (&'a Body, Self)> + '_ {
        let in_functions = (0..self.functions.len()).rev().map(|at| {
            let scope = Self { functions: self.functions[..=at].to_vec(), ..self.clone() };
            (&self.functions[at].body, scope)
        });
        in_functions.chain(std::iter::once((&self.module.body, Self::top(self.module))))
    }
}

/// What a name may stand for.
#[derive(Debug)]
pub(super) enum Meaning<'a> {
    Value(&'a Expression, Scope<'a>),
    /// An item of what is looped over, or unpacked; of the item, the part in that place.
    Item(&'a Expression, Option<usize>, Scope<'a>),
    Parameter(&'a Function, Scope<'a>),
    Function(&'a Function, Scope<'a>),
    Class(&'a Class, &'a Module),
    Module(&'a Module),
}

/// Everything the name may stand for; empty where that cannot be told.
pub(super) fn meanings<'a>(modules: &'a Modules, name: &str, scope: &Scope<'a>) -> Vec<Meaning<'a>> {
    meanings_within(modules, name, scope, 0)
}

fn meanings_within<'a>(modules: &'a Modules, name: &str, scope: &Scope<'a>, depth: usize) -> Vec<Meaning<'a>> {
    if depth > DEEPEST {
        return Vec::new();
    }
    for (body, at) in scope.bodies() {
        let mut found = in_body(body, name, &at);
        if let Some(function) = at.functions.last().filter(|f| f.parameters.iter().any(|own| own.name == name)) {
            found.push(Meaning::Parameter(function, at));
        }
        if !found.is_empty() {
            return found;
        }
    }
    if let Some(import) = scope.module.imports.get(name) {
        return imported(modules, &import.module, import.name.as_deref(), depth);
    }
    let wildcards = scope.module.wildcards.iter();
    let found = wildcards.map(|from| imported(modules, from, Some(name), depth)).find(|found| !found.is_empty());
    found.unwrap_or_default()
}

fn in_body<'a>(body: &'a Body, name: &str, at: &Scope<'a>) -> Vec<Meaning<'a>> {
    let mut found = Vec::new();
    for (target, value) in &body.assignments {
        match target {
            Expression::Name(own) if own == name => found.push(Meaning::Value(value, at.clone())),
            Expression::Sequence(targets) => {
                if let Some(place) = targets.iter().position(|target| target.is_name(name)) {
                    found.push(match value {
                        Expression::Sequence(values) if values.len() == targets.len() => {
                            Meaning::Value(&values[place], at.clone())
                        }
                        _ => Meaning::Item(value, Some(place), at.clone()),
                    });
                }
            }
            _ => {}
        }
    }
    for (target, source) in &body.loops {
        match target {
            Expression::Name(own) if own == name => found.push(Meaning::Item(source, None, at.clone())),
            Expression::Sequence(targets) => {
                if let Some(place) = targets.iter().position(|target| target.is_name(name)) {
                    found.push(Meaning::Item(source, Some(place), at.clone()));
                }
            }
            _ => {}
        }
    }
    let functions = body.functions.iter().filter(|function| function.name == name);
    found.extend(functions.map(|function| Meaning::Function(function, at.clone())));
    if let Some(class) = body.classes.iter().find(|class| class.name == name) {
        found.push(Meaning::Class(class, at.module));
    }
    found
}

/// What `from module import name` gives.
fn imported<'a>(modules: &'a Modules, module: &str, name: Option<&str>, depth: usize) -> Vec<Meaning<'a>> {
    let whole = |module: &str| modules.get(module).map(Meaning::Module).into_iter().collect::<Vec<_>>();
    let Some(name) = name else { return whole(module) };
    let found = modules.get(module).map(|module| meanings_within(modules, name, &Scope::top(module), depth + 1));
    match found {
        Some(found) if !found.is_empty() => found,
        _ => whole(&format!("{module}.{name}")),
    }
}

/// What `value.name` may stand for, where `value` is a module or a class; `self.name` is not answered here.
pub(super) fn member<'a>(modules: &'a Modules, value: &Expression, name: &str, scope: &Scope<'a>) -> Vec<Meaning<'a>> {
    let owners = match value {
        Expression::Name(own) => meanings(modules, own, scope),
        Expression::Member(outer, inner) => member(modules, outer, inner, scope),
        _ => Vec::new(),
    };
    owners
        .iter()
        .flat_map(|owner| match owner {
            Meaning::Module(module) => {
                let found = meanings(modules, name, &Scope::top(module));
                if found.is_empty() { imported(modules, &module.name, Some(name), 1) } else { found }
            }
            Meaning::Class(class, module) => {
                class.body.assigned(name).map(|value| Meaning::Value(value, Scope::top(module))).collect()
            }
            _ => Vec::new(),
        })
        .collect()
}

/// Every text that the expression can be; none where that cannot be told.
pub(super) fn texts<'a>(modules: &'a Modules, expression: &'a Expression, scope: &Scope<'a>) -> Option<Vec<String>> {
    Resolver { modules, depth: 0 }.texts(expression, scope)
}

struct Resolver<'a> {
    modules: &'a Modules,
    depth: usize,
}

impl<'a> Resolver<'a> {
    fn texts(&mut self, expression: &'a Expression, scope: &Scope<'a>) -> Option<Vec<String>> {
        if self.depth > DEEPEST {
            return None;
        }
        self.depth += 1;
        let found = self.texts_of(expression, scope);
        self.depth -= 1;
        found
    }

    fn texts_of(&mut self, expression: &'a Expression, scope: &Scope<'a>) -> Option<Vec<String>> {
        match expression {
            Expression::Text(text) => Some(vec![text.clone()]),
            Expression::Name(name) => self.of_meanings(meanings(self.modules, name, scope)),
            // `Key.HOST.value` of an enumeration is what `Key.HOST` is.
            Expression::Member(inner, name) if name == "value" => self.texts(inner, scope),
            Expression::Member(value, name) => self.of_meanings(member(self.modules, value, name, scope)),
            Expression::Either(options) => self.union(options.iter().map(|option| (option, scope.clone()))),
            Expression::Concatenation(parts) => {
                let mut whole = vec![String::new()];
                for part in parts {
                    let part = self.texts(part, scope)?;
                    whole =
                        whole.iter().flat_map(|left| part.iter().map(move |right| format!("{left}{right}"))).collect();
                    if whole.len() > 64 {
                        return None;
                    }
                }
                Some(whole)
            }
            Expression::Call(call) if matches!(call.name(), Some("str" | "Secret" | "cast")) => {
                self.texts(call.arguments.iter().rev().find(|own| own.name.is_none()).map(|own| &own.value)?, scope)
            }
            _ => None,
        }
    }

    fn union(&mut self, expressions: impl Iterator<Item = (&'a Expression, Scope<'a>)>) -> Option<Vec<String>> {
        let mut all = Vec::new();
        for (expression, scope) in expressions {
            all.extend(self.texts(expression, &scope)?);
        }
        (!all.is_empty()).then_some(all)
    }

    fn of_meanings(&mut self, meanings: Vec<Meaning<'a>>) -> Option<Vec<String>> {
        let mut all = Vec::new();
        for meaning in meanings {
            all.extend(match meaning {
                Meaning::Value(value, scope) => self.texts(value, &scope)?,
                Meaning::Item(source, place, scope) => self.items(source, place, &scope)?,
                _ => return None,
            });
        }
        (!all.is_empty()).then_some(all)
    }

    /// The texts of what is looped over.
    fn items(&mut self, source: &'a Expression, place: Option<usize>, scope: &Scope<'a>) -> Option<Vec<String>> {
        if self.depth > DEEPEST {
            return None;
        }
        match source {
            Expression::Sequence(items) => {
                let mut all = Vec::new();
                for item in items {
                    all.extend(match (item, place) {
                        (Expression::Splat(inner), None) => self.items(inner, None, scope)?,
                        (Expression::Sequence(parts), Some(place)) => self.texts(parts.get(place)?, scope)?,
                        (item, None) => self.texts(item, scope)?,
                        _ => return None,
                    });
                }
                Some(all)
            }
            Expression::Map(pairs) => {
                let keys = pairs.iter().map(|(key, _)| key.as_ref().map(|key| (key, scope.clone())));
                let keys: Option<Vec<_>> = keys.collect();
                if place.unwrap_or(0) == 0 { self.union(keys?.into_iter()) } else { None }
            }
            Expression::Call(call) if matches!(call.name(), Some("items" | "keys")) => match &call.function {
                Expression::Member(inner, _) => self.items(inner, place, scope),
                _ => None,
            },
            Expression::Call(call)
                if matches!(call.name(), Some("tuple" | "list" | "set" | "frozenset" | "sorted")) =>
            {
                self.items(call.positional(0)?, place, scope)
            }
            Expression::Concatenation(parts) => self.all_items(parts.iter().map(|part| (part, scope.clone())), place),
            Expression::Join(left, right) => {
                self.all_items([&**left, &**right].into_iter().map(|part| (part, scope.clone())), place)
            }
            Expression::Name(name) => {
                let found = meanings(self.modules, name, scope);
                self.items_of_meanings(found, place)
            }
            Expression::Member(value, name) => {
                let found = member(self.modules, value, name, scope);
                self.items_of_meanings(found, place)
            }
            _ => None,
        }
    }

    fn items_of_meanings(&mut self, found: Vec<Meaning<'a>>, place: Option<usize>) -> Option<Vec<String>> {
        let values: Option<Vec<_>> = found
            .into_iter()
            .map(|meaning| match meaning {
                Meaning::Value(value, scope) => Some((value, scope)),
                _ => None,
            })
            .collect();
        self.all_items(values?.into_iter(), place)
    }

    fn all_items(
        &mut self,
        sources: impl Iterator<Item = (&'a Expression, Scope<'a>)>,
        place: Option<usize>,
    ) -> Option<Vec<String>> {
        let mut all = Vec::new();
        self.depth += 1;
        for (source, scope) in sources {
            let items = self.items(source, place, &scope);
            let Some(items) = items else {
                self.depth -= 1;
                return None;
            };
            all.extend(items);
        }
        self.depth -= 1;
        (!all.is_empty()).then_some(all)
    }
}

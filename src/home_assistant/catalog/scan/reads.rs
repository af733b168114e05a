//! Which keys of an entry's data an integration reads.

use std::collections::BTreeSet;

use super::family::Program;
use super::finder::is_entry;
use super::resolve::{Meaning, Scope, meanings, texts};
use super::syntax::{Body, Expression, Function};

/// Names that are followed further than this are followed in a circle.
const DEEPEST: usize = 6;

/// What is read from entries.
#[derive(Debug, Default)]
pub(super) struct Reads {
    /// By `entry.data[key]`, which fails where there is none.
    pub(super) needed: BTreeSet<String>,
    /// By `entry.data.get(key)` or `key in entry.data`.
    pub(super) optional: BTreeSet<String>,
    /// Keys are read whose names could not be told.
    pub(super) is_unresolved: bool,
}

/// Every read in every module of the integration.
pub(super) fn reads(program: &Program<'_>) -> Reads {
    let mut reads = Reads::default();
    for module in &program.own {
        add_bodies(program, &module.body, &Scope::top(module), &mut reads);
    }
    for (_, family) in program.families() {
        for (body, scope) in family.bodies() {
            add(program, body, &scope, &mut reads);
        }
    }
    reads
}

/// Functions in functions of a module; classes have their turn with what they inherit.
fn add_bodies<'a>(program: &Program<'a>, body: &'a Body, scope: &Scope<'a>, reads: &mut Reads) {
    add(program, body, scope, reads);
    for function in &body.functions {
        add_bodies(program, &function.body, &scope.within(function), reads);
    }
}

fn add<'a>(program: &Program<'a>, body: &'a Body, scope: &Scope<'a>, reads: &mut Reads) {
    body.walk(&mut |expression| {
        let (value, key, is_needed) = match expression {
            Expression::Index(value, key) => (value, &**key, true),
            Expression::In(key, value) => (value, &**key, false),
            Expression::Call(call) => match (&call.function, call.positional(0)) {
                (Expression::Member(value, method), Some(key)) if matches!(method.as_str(), "get" | "pop") => {
                    (value, key, false)
                }
                _ => return,
            },
            _ => return,
        };
        if !is_data(program, value, scope, 0) {
            return;
        }
        match texts(program.modules, key, scope) {
            Some(names) if is_needed => reads.needed.extend(names),
            Some(names) => reads.optional.extend(names),
            None => reads.is_unresolved = true,
        }
    });
}

/// Whether the expression is the data of an entry, or a copy of it.
fn is_data<'a>(program: &Program<'a>, expression: &'a Expression, scope: &Scope<'a>, depth: usize) -> bool {
    if depth > DEEPEST {
        return false;
    }
    match expression {
        Expression::Member(value, name) if value.is_name("self") => is_kept(program, name, scope, depth),
        Expression::Member(value, name) => name == "data" && is_entry(value, scope),
        Expression::Call(call) => match (&call.function, call.positional(0)) {
            (Expression::Name(name), Some(value)) if matches!(name.as_str(), "dict" | "deepcopy") => {
                is_data(program, value, scope, depth + 1)
            }
            (Expression::Member(value, name), None) if name == "copy" => is_data(program, value, scope, depth + 1),
            _ => false,
        },
        Expression::Map(pairs) => {
            pairs.iter().any(|(key, value)| key.is_none() && is_data(program, value, scope, depth + 1))
        }
        Expression::Join(left, _) => is_data(program, left, scope, depth + 1),
        Expression::Name(name) => meanings(program.modules, name, scope).into_iter().any(|meaning| match meaning {
            Meaning::Value(value, at) => is_data(program, value, &at, depth + 1),
            Meaning::Parameter(function, at) => is_given(program, function, name, &at, depth),
            _ => false,
        }),
        _ => false,
    }
}

/// `self.name`, where a method puts the data of an entry.
fn is_kept<'a>(program: &Program<'a>, name: &str, scope: &Scope<'a>, depth: usize) -> bool {
    let Some(family) = &scope.family else { return false };
    family.bodies().into_iter().any(|(body, at)| {
        let values = body.assignments.iter().filter(|(target, _)| {
            matches!(target, Expression::Member(own, own_name) if own.is_name("self") && own_name == name)
        });
        values.into_iter().any(|(_, value)| is_data(program, value, &at, depth + 1))
    })
}

/// A parameter that a caller gives the data of an entry.
fn is_given<'a>(program: &Program<'a>, function: &'a Function, name: &str, scope: &Scope<'a>, depth: usize) -> bool {
    if name == "entry_data" || (function.name == "async_step_reauth" && function.place_of(name) == Some(0)) {
        return true;
    }
    let Some(place) = function.place_of(name) else { return false };
    program.calls(&function.name).iter().any(|site| {
        let at = program.scope_of(site, scope.family.as_ref());
        // Only what is written out: a name could be the same parameter again.
        site.call.argument(name, Some(place)).is_some_and(|given| is_data(program, given, &at, depth + 3))
    })
}

//! What functions return, and what they may be given.

use super::{Finder, OAUTH_KEYS, family_of, place, with_family};
use crate::home_assistant::catalog::scan::family::Program;
use crate::home_assistant::catalog::scan::fields::Fields;
use crate::home_assistant::catalog::scan::resolve::{Meaning, Scope, meanings, member};
use crate::home_assistant::catalog::scan::syntax::{Call, Expression, Function};

impl<'a> Finder<'a, '_> {
    pub(super) fn call(&mut self, call: &'a Call, scope: &Scope<'a>) -> Fields {
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
            ("get" | "pop", Some(receiver), Some(key)) => return self.section(receiver, key, scope),
            // Such a schema lets through what it does not know.
            ("Schema", ..) if call.argument("extra", None).is_some() => return Fields::open(),
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
            for (function, at) in functions {
                fields.merge(self.result(function, &at));
            }
            return fields;
        }
        // A schema that is called lets through what it knows.
        let schema = self.mapping(&call.function, scope);
        if schema.named.values().any(|mark| mark.is_asked) { schema } else { Fields::open() }
    }

    /// The functions that a call may run.
    pub(super) fn called(&self, call: &'a Call, scope: &Scope<'a>) -> Vec<(&'a Function, Scope<'a>)> {
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

    pub(super) fn result(&mut self, function: &'a Function, scope: &Scope<'a>) -> Fields {
        self.once((place(function), "return".to_owned(), family_of(scope)), |finder| {
            let inner = scope.within(function);
            let mut fields = Fields { is_open: function.body.returns.is_empty(), ..Fields::default() };
            function.body.returns.iter().for_each(|returned| fields.merge(finder.mapping(returned, &inner)));
            fields
        })
    }

    /// What a function may be given: what a form was filled in with, and what its callers give.
    pub(super) fn parameter(&mut self, function: &'a Function, name: &str, scope: &Scope<'a>) -> Fields {
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

    /// The part of a tuple that a function returns.
    pub(super) fn part(&mut self, source: &'a Expression, at: usize, scope: &Scope<'a>) -> Fields {
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
}

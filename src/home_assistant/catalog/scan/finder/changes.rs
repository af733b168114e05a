//! What is put into a mapping after it was made.

use super::{Finder, family_of, place};
use crate::home_assistant::catalog::scan::fields::Fields;
use crate::home_assistant::catalog::scan::resolve::Scope;
use crate::home_assistant::catalog::scan::syntax::{Body, Call, Expression};

impl<'a> Finder<'a, '_> {
    /// What is put into a mapping later: `target[key] = value`, `target.update(other)`, also by another name of it and
    /// by a function that is given it.
    pub(super) fn changes(
        &mut self,
        body: &'a Body,
        scope: &Scope<'a>,
        is_target: &dyn Fn(&Expression) -> bool,
    ) -> Fields {
        let others = body.assignments.iter().filter(|(_, value)| is_target(value));
        let others: Vec<&str> = others.filter_map(|(target, _)| target.as_name()).collect();
        let is_target = |one: &Expression| is_target(one) || one.as_name().is_some_and(|name| others.contains(&name));
        let mut fields = Fields::default();
        for (target, _) in &body.assignments {
            if let Expression::Index(value, key) = target
                && is_target(value)
            {
                fields.add_keys(self.key(key, scope));
            }
        }
        let mut calls = Vec::new();
        body.walk(&mut |expression| calls.extend(expression.as_call()));
        for call in calls {
            match &call.function {
                Expression::Member(value, method) if is_target(value) => match (method.as_str(), call.positional(0)) {
                    ("setdefault", Some(key)) => fields.add_keys(self.key(key, scope)),
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
    pub(super) fn made_of(&mut self, call: &'a Call, scope: &Scope<'a>) -> Fields {
        let mut fields = Fields::default();
        for argument in &call.arguments {
            match &argument.name {
                Some(name) => fields.merge(Fields::of([name.as_str()])),
                None => fields.merge(self.mapping(&argument.value, scope)),
            }
        }
        fields
    }
}

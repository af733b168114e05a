//! Python as the scanner needs it: expressions, and what a body assigns, returns and holds, without the order of things.
//!
//! Control flow is left out on purpose: the question is always "which keys can this have", so that every assignment to
//! a name counts, whichever branch it stands in.

use std::collections::HashMap;

/// An expression. What the scanner has no use for is `Other`, with what it is made of.
#[derive(Debug)]
pub(super) enum Expression {
    Text(String),
    Number(i64),
    None,
    Name(String),
    /// `value.name`
    Member(Box<Self>, String),
    /// `value[key]`
    Index(Box<Self>, Box<Self>),
    Call(Box<Call>),
    /// A dictionary, or one made by a comprehension; without a key it is `**value`.
    Map(Vec<(Option<Self>, Self)>),
    /// A list, a tuple or a set.
    Sequence(Vec<Self>),
    /// `*value`
    Splat(Box<Self>),
    /// One of them: `a if c else b`, `a or b`.
    Either(Vec<Self>),
    /// `a | b`
    Join(Box<Self>, Box<Self>),
    /// `a + b`, and a text with things in it.
    Concatenation(Vec<Self>),
    /// `a in b`
    In(Box<Self>, Box<Self>),
    Other(Vec<Self>),
}

/// `function(arguments)`
#[derive(Debug)]
pub(super) struct Call {
    pub(super) function: Expression,
    pub(super) arguments: Vec<Argument>,
}

/// One argument of a call.
#[derive(Debug)]
pub(super) struct Argument {
    /// `name=value`
    pub(super) name: Option<String>,
    /// `**value`
    pub(super) is_spread: bool,
    pub(super) value: Expression,
}

/// What stands in a module, a class or a function.
#[derive(Debug, Default)]
pub(super) struct Body {
    /// `target = value`, and `target |= value`.
    pub(super) assignments: Vec<(Expression, Expression)>,
    /// `for target in value`, also of comprehensions.
    pub(super) loops: Vec<(Expression, Expression)>,
    /// All other expressions.
    pub(super) expressions: Vec<Expression>,
    pub(super) returns: Vec<Expression>,
    pub(super) functions: Vec<Function>,
    pub(super) classes: Vec<Class>,
}

#[derive(Debug)]
pub(super) struct Function {
    pub(super) name: String,
    pub(super) parameters: Vec<Parameter>,
    pub(super) body: Body,
}

#[derive(Debug)]
pub(super) struct Parameter {
    pub(super) name: String,
    /// Its type, as written.
    pub(super) annotation: String,
}

#[derive(Debug)]
pub(super) struct Class {
    pub(super) name: String,
    pub(super) bases: Vec<Expression>,
    /// Whether it is registered for a domain: `class Flow(ConfigFlow, domain=DOMAIN)`.
    pub(super) has_domain: bool,
    pub(super) body: Body,
}

/// What an import binds a name to.
#[derive(Debug)]
pub(super) struct Import {
    /// Where it is from, in full.
    pub(super) module: String,
    /// What of it; none where the name is the module itself.
    pub(super) name: Option<String>,
}

/// One file.
#[derive(Debug)]
pub(super) struct Module {
    /// Such as `homeassistant.components.tado.const`.
    pub(super) name: String,
    pub(super) body: Body,
    pub(super) imports: HashMap<String, Import>,
    /// Modules of `from module import *`.
    pub(super) wildcards: Vec<String>,
    /// Something in it could not be read as Python.
    pub(super) is_broken: bool,
}

impl Call {
    /// The last name of what is called: `self.flow.async_init(...)` gives `async_init`.
    pub(super) fn name(&self) -> Option<&str> {
        self.function.last_name()
    }

    /// The argument of that name, or in that place.
    pub(super) fn argument(&self, name: &str, place: Option<usize>) -> Option<&Expression> {
        let named = self.arguments.iter().find(|argument| argument.name.as_deref() == Some(name));
        named.map(|argument| &argument.value).or_else(|| self.positional(place?))
    }

    /// The argument in that place.
    pub(super) fn positional(&self, place: usize) -> Option<&Expression> {
        let mut placed = self.arguments.iter().filter(|argument| argument.name.is_none() && !argument.is_spread);
        placed.nth(place).map(|argument| &argument.value)
    }

    /// Whether `*values` or `**values` are among the arguments.
    pub(super) fn has_spread(&self) -> bool {
        self.arguments.iter().any(|argument| argument.is_spread || matches!(argument.value, Expression::Splat(_)))
    }
}

impl Expression {
    /// `entry` of `entry`, `self.entry`, and `self.get_entry` of a call of it.
    pub(super) fn last_name(&self) -> Option<&str> {
        match self {
            Self::Name(name) | Self::Member(_, name) => Some(name),
            Self::Call(call) => call.name(),
            _ => None,
        }
    }

    /// Whether it is that name.
    pub(super) fn is_name(&self, wanted: &str) -> bool {
        self.as_name() == Some(wanted)
    }

    /// The name that it is.
    pub(super) fn as_name(&self) -> Option<&str> {
        match self {
            Self::Name(name) => Some(name),
            _ => None,
        }
    }

    /// The call that it is.
    pub(super) fn as_call(&self) -> Option<&Call> {
        match self {
            Self::Call(call) => Some(call),
            _ => None,
        }
    }

    /// It and everything in it.
    pub(super) fn walk<'a>(&'a self, visit: &mut dyn FnMut(&'a Self)) {
        visit(self);
        match self {
            Self::Text(_) | Self::Number(_) | Self::None | Self::Name(_) => {}
            Self::Member(inner, _) | Self::Splat(inner) => inner.walk(visit),
            Self::Index(left, right) | Self::Join(left, right) | Self::In(left, right) => {
                left.walk(visit);
                right.walk(visit);
            }
            Self::Call(call) => {
                call.function.walk(visit);
                call.arguments.iter().for_each(|argument| argument.value.walk(visit));
            }
            Self::Map(pairs) => {
                for (key, value) in pairs {
                    if let Some(key) = key {
                        key.walk(visit);
                    }
                    value.walk(visit);
                }
            }
            Self::Sequence(items) | Self::Either(items) | Self::Concatenation(items) | Self::Other(items) => {
                for item in items {
                    item.walk(visit);
                }
            }
        }
    }
}

impl Body {
    /// Every expression in it, without those of its functions and classes.
    pub(super) fn walk<'a>(&'a self, visit: &mut dyn FnMut(&'a Expression)) {
        for (target, value) in self.assignments.iter().chain(&self.loops) {
            target.walk(visit);
            value.walk(visit);
        }
        self.expressions.iter().chain(&self.returns).for_each(|expression| expression.walk(visit));
    }

    /// What is assigned to the name, at any place.
    pub(super) fn assigned<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = &'a Expression> + use<'a, 'n> {
        self.assignments.iter().filter(move |(target, _)| target.is_name(name)).map(|(_, value)| value)
    }
}

impl Function {
    /// The place of a parameter, `self` and `cls` not counted.
    pub(super) fn place_of(&self, name: &str) -> Option<usize> {
        let own = self.parameters.iter().filter(|parameter| !matches!(parameter.name.as_str(), "self" | "cls"));
        own.enumerate().find(|(_, parameter)| parameter.name == name).map(|(place, _)| place)
    }
}

impl Module {
    /// The function of that name at its top.
    pub(super) fn function(&self, name: &str) -> Option<&Function> {
        self.body.functions.iter().find(|function| function.name == name)
    }
}

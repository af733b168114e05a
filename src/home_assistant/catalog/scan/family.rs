//! The classes of an integration with what they inherit, and every call in it by name.

use std::collections::{HashMap, HashSet};
use std::ptr;
use std::rc::Rc;

use super::modules::Modules;
use super::resolve::{Meaning, Scope, meanings, member};
use super::syntax::{Body, Call, Class, Expression, Function, Module};

/// A class and its bases as far as integrations define them: what `self` can be asked for.
#[derive(Debug)]
pub(super) struct Family<'a> {
    pub(super) classes: Vec<(&'a Class, &'a Module)>,
    /// The bases that are Home Assistant's own, such as `ConfigFlow`, by name.
    pub(super) frameworks: Vec<&'a str>,
}

impl<'a> Family<'a> {
    fn of(modules: &'a Modules, class: &'a Class, module: &'a Module) -> Self {
        let mut family = Self { classes: Vec::new(), frameworks: Vec::new() };
        family.add(modules, class, module);
        family
    }

    fn add(&mut self, modules: &'a Modules, class: &'a Class, module: &'a Module) {
        if self.holds(class) {
            return;
        }
        self.classes.push((class, module));
        for base in &class.bases {
            let found = match base {
                // `Base[Something]`
                Expression::Index(base, _) => self::base(modules, base, module),
                base => self::base(modules, base, module),
            };
            match found {
                Some((class, module)) if module.name.starts_with("homeassistant.components.") => {
                    self.add(modules, class, module);
                }
                Some((class, _)) => self.frameworks.push(&class.name),
                None => {}
            }
        }
    }

    /// Whether the class is one of them.
    pub(super) fn holds(&self, class: &Class) -> bool {
        self.classes.iter().any(|(own, _)| ptr::eq(*own, class))
    }

    /// Whether one of its bases in Home Assistant itself has this in its name.
    pub(super) fn is_a(&self, framework: &str) -> bool {
        self.frameworks.iter().any(|own| own.contains(framework))
    }

    /// Every method of that name, each where it stands.
    pub(super) fn methods(self: &Rc<Self>, name: &str) -> Vec<(&'a Function, Scope<'a>)> {
        let all = self.classes.iter().flat_map(|(class, module)| {
            let scope = Scope { module, family: Some(Rc::clone(self)), functions: Vec::new() };
            class.body.functions.iter().map(move |function| (function, scope.clone()))
        });
        all.filter(|(function, _)| function.name == name).collect()
    }

    /// Every body in it: of the classes, of their methods, and of functions in those.
    pub(super) fn bodies(self: &Rc<Self>) -> Vec<(&'a Body, Scope<'a>)> {
        let mut found = Vec::new();
        for (class, module) in &self.classes {
            let scope = Scope { module, family: Some(Rc::clone(self)), functions: Vec::new() };
            add_bodies(&class.body, scope, &mut found);
        }
        found
    }
}

fn add_bodies<'a>(body: &'a Body, scope: Scope<'a>, found: &mut Vec<(&'a Body, Scope<'a>)>) {
    for function in &body.functions {
        add_bodies(&function.body, scope.within(function), found);
    }
    found.push((body, scope));
}

fn base<'a>(modules: &'a Modules, base: &Expression, module: &'a Module) -> Option<(&'a Class, &'a Module)> {
    let scope = Scope::top(module);
    let found = match base {
        Expression::Name(name) => meanings(modules, name, &scope),
        Expression::Member(value, name) => member(modules, value, name, &scope),
        _ => Vec::new(),
    };
    found.into_iter().find_map(|meaning| match meaning {
        Meaning::Class(class, module) => Some((class, module)),
        _ => None,
    })
}

/// A call and where it stands.
#[derive(Debug)]
pub(super) struct Site<'a> {
    pub(super) call: &'a Call,
    module: &'a Module,
    class: Option<&'a Class>,
    functions: Vec<&'a Function>,
}

/// What the scanner knows of one integration.
#[derive(Debug)]
pub(super) struct Program<'a> {
    pub(super) modules: &'a Modules,
    /// Those that may have to do with its entries, and those of what its flows inherit.
    pub(super) own: Vec<&'a Module>,
    calls: HashMap<&'a str, Vec<Site<'a>>>,
    families: Vec<(&'a Class, Rc<Family<'a>>)>,
}

impl<'a> Program<'a> {
    pub(super) fn new(modules: &'a Modules, own: Vec<&'a Module>) -> Self {
        let mut program = Self { modules, own, calls: HashMap::new(), families: Vec::new() };
        let mut known: HashSet<&str> = program.own.iter().map(|module| module.name.as_str()).collect();
        let mut at = 0;
        while let Some(module) = program.own.get(at).copied() {
            at += 1;
            for class in &module.body.classes {
                let family = Rc::new(Family::of(modules, class, module));
                for (_, module) in &family.classes {
                    if known.insert(&module.name) {
                        program.own.push(module);
                    }
                }
                program.families.push((class, family));
            }
            let mut index = Index { module, class: None, functions: Vec::new(), calls: &mut program.calls };
            index.body(&module.body);
        }
        program
    }

    /// Every call of something of that last name.
    pub(super) fn calls(&self, name: &str) -> &[Site<'a>] {
        self.calls.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// The classes of its own modules with what each inherits.
    pub(super) fn families(&self) -> impl Iterator<Item = (&'a Class, &Rc<Family<'a>>)> {
        self.families.iter().map(|(class, family)| (*class, family))
    }

    /// Where a call stands, as seen from `family`: a method that it inherits is its own.
    pub(super) fn scope_of(&self, site: &Site<'a>, family: Option<&Rc<Family<'a>>>) -> Scope<'a> {
        let family = site.class.and_then(|class| match family {
            Some(family) if family.holds(class) => Some(Rc::clone(family)),
            _ => self.families.iter().find(|(own, _)| ptr::eq(*own, class)).map(|(_, family)| Rc::clone(family)),
        });
        Scope { module: site.module, family, functions: site.functions.clone() }
    }

    /// Whether the call stands in a method of that family.
    pub(super) fn is_in(site: &Site<'a>, family: &Family<'a>) -> bool {
        site.class.is_some_and(|class| family.holds(class))
    }
}

impl Site<'_> {
    /// Whether it stands in a class.
    pub(super) fn is_in_class(&self) -> bool {
        self.class.is_some()
    }
}

struct Index<'a, 'p> {
    module: &'a Module,
    class: Option<&'a Class>,
    functions: Vec<&'a Function>,
    calls: &'p mut HashMap<&'a str, Vec<Site<'a>>>,
}

impl<'a> Index<'a, '_> {
    fn body(&mut self, body: &'a Body) {
        let (module, class) = (self.module, self.class);
        body.walk(&mut |expression| {
            let Expression::Call(call) = expression else { return };
            if let Some(name) = call.name() {
                let site = Site { call, module, class, functions: self.functions.clone() };
                self.calls.entry(name).or_default().push(site);
            }
        });
        for function in &body.functions {
            self.functions.push(function);
            self.body(&function.body);
            self.functions.pop();
        }
        for class in &body.classes {
            // A class in a function is looked into like the function.
            let outer = self.class.replace(class);
            self.body(&class.body);
            self.class = outer;
        }
    }
}

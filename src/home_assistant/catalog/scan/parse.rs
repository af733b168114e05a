//! From a Python file to [`Module`], by way of tree-sitter's syntax tree.

mod expressions;

use std::collections::HashMap;

use tree_sitter::{Node, Parser};

use super::syntax::{Body, Class, Expression, Function, Import, Module, Parameter};

/// Reads one file. `is_package` decides what `from . import x` is relative to.
pub(super) fn parse(name: &str, is_package: bool, source: &str) -> Module {
    let mut parser = Parser::new();
    parser.set_language(&tree_sitter_python::LANGUAGE.into()).expect("the grammar is of this tree-sitter's making");
    let tree = parser.parse(source, None).expect("a parser with a language, no time limit and no flag to stop it");
    let package = if is_package { name } else { name.rsplit_once('.').map_or("", |(package, _)| package) };
    let mut reader = Reader { source, package, body: Body::default(), imports: HashMap::new(), wildcards: Vec::new() };
    reader.statements(tree.root_node());
    Module {
        name: name.to_owned(),
        is_broken: tree.root_node().has_error(),
        body: reader.body,
        imports: reader.imports,
        wildcards: reader.wildcards,
    }
}

struct Reader<'s> {
    source: &'s str,
    package: &'s str,
    /// Of what is being read.
    body: Body,
    imports: HashMap<String, Import>,
    wildcards: Vec<String>,
}

fn children(node: Node<'_>) -> Vec<Node<'_>> {
    let mut cursor = node.walk();
    node.named_children(&mut cursor).filter(|child| child.kind() != "comment").collect()
}

impl Reader<'_> {
    fn text(&self, node: Node<'_>) -> String {
        self.source[node.byte_range()].to_owned()
    }

    fn field_text(&self, node: Node<'_>, field: &str) -> String {
        node.child_by_field_name(field).map(|child| self.text(child)).unwrap_or_default()
    }

    fn statements(&mut self, node: Node<'_>) {
        for child in children(node) {
            self.statement(child);
        }
    }

    fn statement(&mut self, node: Node<'_>) {
        match node.kind() {
            "assignment" | "augmented_assignment" => self.assignment(node),
            "return_statement" => {
                let returned = children(node).first().map_or(Expression::None, |value| self.expression(*value));
                self.body.returns.push(returned);
            }
            "function_definition" => self.function(node),
            "class_definition" => self.class(node),
            "import_statement" | "import_from_statement" => self.import(node),
            "for_statement" => {
                self.each(node);
                children(node).into_iter().filter(|child| is_block(*child)).for_each(|child| self.statement(child));
            }
            "with_item" => self.with_item(node),
            kind if kind.ends_with("_statement") || is_block(node) || kind == "with_clause" => self.statements(node),
            "decorated_definition" => self.statements(node),
            "decorator" | "case_pattern" | "identifier" | "type" => {}
            _ => {
                let expression = self.expression(node);
                self.body.expressions.push(expression);
            }
        }
    }

    fn assignment(&mut self, node: Node<'_>) {
        let (Some(left), Some(right)) = (node.child_by_field_name("left"), node.child_by_field_name("right")) else {
            return;
        };
        let target = self.expression(left);
        // In `a = b = value`, the right side is an assignment of its own, whose value both get.
        let mut innermost = right;
        while innermost.kind() == "assignment" {
            let Some(next) = innermost.child_by_field_name("right") else { return };
            innermost = next;
        }
        if right.kind() == "assignment" {
            self.assignment(right);
        }
        let value = self.expression(innermost);
        self.body.assignments.push((target, value));
    }

    /// The `for target in value` of a statement or a comprehension.
    fn each(&mut self, node: Node<'_>) {
        if let (Some(left), Some(right)) = (node.child_by_field_name("left"), node.child_by_field_name("right")) {
            let pair = (self.expression(left), self.expression(right));
            self.body.loops.push(pair);
        }
    }

    fn with_item(&mut self, node: Node<'_>) {
        let Some(value) = node.child_by_field_name("value") else { return };
        let expression = self.expression(value);
        self.body.expressions.push(expression);
    }

    /// `body` read as a body of its own.
    fn inner(&mut self, node: Node<'_>) -> Body {
        let outer = std::mem::take(&mut self.body);
        if let Some(body) = node.child_by_field_name("body") {
            self.statements(body);
        }
        std::mem::replace(&mut self.body, outer)
    }

    fn function(&mut self, node: Node<'_>) {
        let parameters = node.child_by_field_name("parameters").map(children).unwrap_or_default();
        let parameters = parameters.into_iter().filter_map(|parameter| self.parameter(parameter)).collect();
        let function = Function { name: self.field_text(node, "name"), parameters, body: self.inner(node) };
        self.body.functions.push(function);
    }

    fn parameter(&self, node: Node<'_>) -> Option<Parameter> {
        let name = match node.kind() {
            "identifier" | "dictionary_splat_pattern" => self.text(node),
            "default_parameter" | "typed_default_parameter" => self.field_text(node, "name"),
            "typed_parameter" => self.text(*children(node).first()?),
            _ => return None,
        };
        Some(Parameter { name, annotation: self.field_text(node, "type") })
    }

    fn class(&mut self, node: Node<'_>) {
        let mut bases = Vec::new();
        let mut has_domain = false;
        for base in node.child_by_field_name("superclasses").map(children).unwrap_or_default() {
            if base.kind() == "keyword_argument" {
                has_domain |= self.field_text(base, "name") == "domain";
            } else {
                bases.push(self.expression(base));
            }
        }
        let class = Class { name: self.field_text(node, "name"), bases, has_domain, body: self.inner(node) };
        self.body.classes.push(class);
    }

    fn import(&mut self, node: Node<'_>) {
        let from = node.child_by_field_name("module_name").map(|module| self.absolute(&self.text(module)));
        for child in children(node) {
            if child.kind() == "wildcard_import" {
                self.wildcards.extend(from.clone());
            }
        }
        let mut cursor = node.walk();
        let imported: Vec<_> = node.children_by_field_name("name", &mut cursor).collect();
        for node in imported {
            let (name, alias) = match node.kind() {
                "aliased_import" => (self.field_text(node, "name"), Some(self.field_text(node, "alias"))),
                _ => (self.text(node), None),
            };
            if let Some(module) = &from {
                let import = Import { module: module.clone(), name: Some(name.clone()) };
                self.imports.insert(alias.unwrap_or(name), import);
                continue;
            }
            // `import a.b` binds `a`; only with an alias is it `a.b`.
            let bound = alias.clone().unwrap_or_else(|| name.split('.').next().unwrap_or_default().to_owned());
            let module = if alias.is_some() { name } else { bound.clone() };
            self.imports.insert(bound, Import { module, name: None });
        }
    }

    /// `..const` of `a.b.c` is `a.b.const`.
    fn absolute(&self, written: &str) -> String {
        let rest = written.trim_start_matches('.');
        let dots = written.len() - rest.len();
        if dots == 0 {
            return rest.to_owned();
        }
        let mut package: Vec<&str> = self.package.split('.').collect();
        package.truncate(package.len().saturating_sub(dots - 1));
        package.extend((!rest.is_empty()).then_some(rest));
        package.join(".")
    }
}

fn is_block(node: Node<'_>) -> bool {
    matches!(
        node.kind(),
        "block" | "elif_clause" | "else_clause" | "except_clause" | "finally_clause" | "case_clause" | "module"
    )
}

//! From a Python file to [`Module`], by way of tree-sitter's syntax tree.

use std::collections::HashMap;

use tree_sitter::{Node, Parser};

use super::syntax::{Argument, Body, Call, Class, Expression, Function, Import, Module, Parameter};

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

fn children<'t>(node: Node<'t>) -> Vec<Node<'t>> {
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
        children(node).into_iter().for_each(|child| self.statement(child));
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
            "identifier" => self.text(node),
            "default_parameter" | "typed_default_parameter" => self.field_text(node, "name"),
            "typed_parameter" => self.text(*children(node).first()?),
            "dictionary_splat_pattern" => self.text(node),
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
            match &from {
                Some(module) => {
                    let import = Import { module: module.clone(), name: Some(name.clone()) };
                    self.imports.insert(alias.unwrap_or(name), import);
                }
                // `import a.b` binds `a`; only with an alias is it `a.b`.
                None => {
                    let bound = alias.clone().unwrap_or_else(|| name.split('.').next().unwrap_or_default().to_owned());
                    let module = if alias.is_some() { name } else { bound.clone() };
                    self.imports.insert(bound, Import { module, name: None });
                }
            }
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

    fn expression(&mut self, node: Node<'_>) -> Expression {
        match node.kind() {
            "string" | "concatenated_string" => self.string(node),
            "integer" => self.text(node).parse().map_or(Expression::Other(Vec::new()), Expression::Number),
            "none" => Expression::None,
            "identifier" => Expression::Name(self.text(node)),
            "attribute" => match node.child_by_field_name("object") {
                Some(object) => {
                    Expression::Member(Box::new(self.expression(object)), self.field_text(node, "attribute"))
                }
                None => Expression::Other(Vec::new()),
            },
            "subscript" => self.subscript(node),
            "call" => self.call(node),
            "dictionary" => Expression::Map(children(node).into_iter().map(|child| self.pair(child)).collect()),
            "dictionary_comprehension" => {
                self.comprehension(node);
                let body = node.child_by_field_name("body").map(|body| self.pair(body));
                Expression::Map(body.into_iter().collect())
            }
            "list_comprehension" | "set_comprehension" | "generator_expression" => {
                self.comprehension(node);
                let body = node.child_by_field_name("body").map(|body| self.expression(body));
                Expression::Sequence(body.into_iter().collect())
            }
            "list" | "tuple" | "set" | "expression_list" | "pattern_list" | "tuple_pattern" | "list_pattern" => {
                Expression::Sequence(self.all(node))
            }
            "list_splat" => match children(node).first() {
                Some(inner) => Expression::Splat(Box::new(self.expression(*inner))),
                None => Expression::Other(Vec::new()),
            },
            "parenthesized_expression" | "await" => match children(node).first() {
                Some(inner) => self.expression(*inner),
                None => Expression::Other(Vec::new()),
            },
            "conditional_expression" | "boolean_operator" | "binary_operator" | "comparison_operator" => {
                self.operator(node)
            }
            "named_expression" => self.named(node),
            "comment" | "type" | "ellipsis" | "true" | "false" | "float" => Expression::Other(Vec::new()),
            _ => Expression::Other(self.all(node)),
        }
    }

    fn all(&mut self, node: Node<'_>) -> Vec<Expression> {
        children(node).into_iter().map(|child| self.expression(child)).collect()
    }

    fn subscript(&mut self, node: Node<'_>) -> Expression {
        let mut cursor = node.walk();
        let keys: Vec<_> = node.children_by_field_name("subscript", &mut cursor).collect();
        match (node.child_by_field_name("value"), keys.as_slice()) {
            (Some(value), [key]) => {
                Expression::Index(Box::new(self.expression(value)), Box::new(self.expression(*key)))
            }
            _ => Expression::Other(self.all(node)),
        }
    }

    fn call(&mut self, node: Node<'_>) -> Expression {
        let Some(function) = node.child_by_field_name("function") else { return Expression::Other(Vec::new()) };
        let function = self.expression(function);
        let arguments = node.child_by_field_name("arguments");
        let arguments = match arguments {
            // `f(x for x in y)`
            Some(only) if only.kind() == "generator_expression" => {
                vec![Argument { name: None, is_spread: false, value: self.expression(only) }]
            }
            Some(list) => children(list).into_iter().filter_map(|argument| self.argument(argument)).collect(),
            None => Vec::new(),
        };
        Expression::Call(Box::new(Call { function, arguments }))
    }

    fn argument(&mut self, node: Node<'_>) -> Option<Argument> {
        let (name, is_spread, value) = match node.kind() {
            "keyword_argument" => (Some(self.field_text(node, "name")), false, node.child_by_field_name("value")?),
            "dictionary_splat" => (None, true, *children(node).first()?),
            _ => (None, false, node),
        };
        Some(Argument { name, is_spread, value: self.expression(value) })
    }

    fn pair(&mut self, node: Node<'_>) -> (Option<Expression>, Expression) {
        match (node.child_by_field_name("key"), node.child_by_field_name("value")) {
            (Some(key), Some(value)) => (Some(self.expression(key)), self.expression(value)),
            _ => match children(node).first() {
                Some(spread) => (None, self.expression(*spread)),
                None => (None, Expression::Other(Vec::new())),
            },
        }
    }

    /// The clauses of a comprehension: loops like any other.
    fn comprehension(&mut self, node: Node<'_>) {
        for child in children(node) {
            match child.kind() {
                "for_in_clause" => self.each(child),
                "if_clause" => {
                    let tests = self.all(child);
                    self.body.expressions.extend(tests);
                }
                _ => {}
            }
        }
    }

    fn operator(&mut self, node: Node<'_>) -> Expression {
        let kind = node.kind();
        let mut operands = self.all(node).into_iter();
        let (Some(first), Some(second)) = (operands.next(), operands.next()) else {
            return Expression::Other(Vec::new());
        };
        let third = operands.next();
        let operator = match kind {
            "comparison_operator" => {
                let mut cursor = node.walk();
                let operators = node.children_by_field_name("operators", &mut cursor);
                operators.map(|operator| self.text(operator)).collect::<Vec<_>>().join(" ")
            }
            _ => self.field_text(node, "operator"),
        };
        match (kind, operator.as_str(), third) {
            ("conditional_expression", _, Some(otherwise)) => {
                self.body.expressions.push(second);
                Expression::Either(vec![first, otherwise])
            }
            (_, "or", None) => Expression::Either(vec![first, second]),
            (_, "and", None) => {
                self.body.expressions.push(first);
                second
            }
            (_, "|", None) => Expression::Join(Box::new(first), Box::new(second)),
            (_, "+", None) => Expression::Concatenation(vec![first, second]),
            ("comparison_operator", "in" | "not in", None) => Expression::In(Box::new(first), Box::new(second)),
            (_, _, third) => Expression::Other([first, second].into_iter().chain(third).collect()),
        }
    }

    /// `name := value`
    fn named(&mut self, node: Node<'_>) -> Expression {
        let (Some(name), Some(value)) = (node.child_by_field_name("name"), node.child_by_field_name("value")) else {
            return Expression::Other(Vec::new());
        };
        let value = self.expression(value);
        self.body.assignments.push((Expression::Name(self.text(name)), value));
        Expression::Name(self.text(name))
    }

    fn string(&mut self, node: Node<'_>) -> Expression {
        let mut parts: Vec<Expression> = Vec::new();
        for child in children(node) {
            match child.kind() {
                "string" => parts.push(self.string(child)),
                "string_content" => parts.push(Expression::Text(self.text(child))),
                "interpolation" => {
                    let inner = child.child_by_field_name("expression").map(|inner| self.expression(inner));
                    parts.push(inner.unwrap_or(Expression::Other(Vec::new())));
                }
                _ => {}
            }
        }
        match parts.len() {
            0 => Expression::Text(String::new()),
            1 if matches!(parts[0], Expression::Text(_)) => parts.remove(0),
            _ => Expression::Concatenation(parts),
        }
    }
}

fn is_block(node: Node<'_>) -> bool {
    matches!(
        node.kind(),
        "block" | "elif_clause" | "else_clause" | "except_clause" | "finally_clause" | "case_clause" | "module"
    )
}

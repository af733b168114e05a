//! Expressions. What they bind and loop over on the way goes to the body they stand in.

use tree_sitter::Node;

use super::{Reader, children};
use crate::home_assistant::catalog::scan::syntax::{Argument, Call, Expression};

impl Reader<'_> {
    pub(super) fn expression(&mut self, node: Node<'_>) -> Expression {
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

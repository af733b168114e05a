//! A document as a tree with places: built only to explain what is wrong with it.
//!
//! Anchors, aliases and merge keys (`<<`) are resolved; what they multiply is bounded.

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, Span};

/// Nodes in all, aliases multiplied out.
const MAX_NODES: usize = 8_000_000;
/// How deep collections may nest.
const MAX_DEPTH: usize = 128;

/// A node with the place where it starts, both from 1.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) line: u64,
    pub(super) column: u64,
    pub(super) data: Data,
}

/// What a node is.
#[derive(Debug, Clone)]
pub(super) enum Data {
    /// A scalar; `plain` where it is not quoted, so that `5` may be a number.
    Scalar { text: String, plain: bool },
    /// A list.
    List(Vec<Node>),
    /// A map, in the order of the text.
    Map(Vec<(Node, Node)>),
}

/// Why no tree could be built, and where.
#[derive(Debug)]
pub(super) struct Broken {
    pub(super) line: u64,
    pub(super) column: u64,
    pub(super) is_limit: bool,
    pub(super) what: String,
}

impl Node {
    /// Whether it says nothing: empty, `~` or `null`, unquoted.
    pub(super) fn is_null(&self) -> bool {
        matches!(&self.data, Data::Scalar { text, plain: true }
            if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// The text of a scalar.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.data {
            Data::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// The value of a key of a map.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        match &self.data {
            Data::Map(entries) => entries.iter().find(|(name, _)| name.text() == Some(key)).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The node at a path such as `spec.protocolMappers[0].config["a.b"]`, or the deepest one above it.
    pub(super) fn nearest(&self, path: &str) -> &Self {
        let mut node = self;
        for step in steps(path) {
            let next = match (&node.data, step.parse::<usize>()) {
                (Data::List(items), Ok(index)) => items.get(index),
                _ => node.get(&step),
            };
            match next {
                Some(next) => node = next,
                None => break,
            }
        }
        node
    }
}

/// The names and numbers of a path.
fn steps(path: &str) -> Vec<String> {
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(quoted) = rest.strip_prefix("[\"") {
            let mut stream = serde_json::Deserializer::from_str(&rest[1..]).into_iter::<String>();
            let Some(Ok(text)) = stream.next() else { break };
            rest = quoted.get(stream.byte_offset()..).unwrap_or_default();
            steps.push(text);
        } else if let Some(inside) = rest.strip_prefix('[') {
            let (text, after) = inside.split_once(']').unwrap_or((inside, ""));
            steps.push(text.to_owned());
            rest = after;
        } else {
            rest = rest.strip_prefix('.').unwrap_or(rest);
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            if end == 0 {
                break;
            }
            steps.push(rest[..end].to_owned());
            rest = &rest[end..];
        }
    }
    steps
}

/// The documents of a text that say anything.
pub(super) fn documents(text: &str) -> (Vec<Node>, Option<Broken>) {
    let mut builder = Builder { events: Parser::new_from_str(text), anchors: HashMap::new(), nodes: 0 };
    let mut documents = Vec::new();
    loop {
        match builder.document() {
            Ok(Some(node)) if node.is_null() => {}
            Ok(Some(node)) => documents.push(node),
            Ok(None) => return (documents, None),
            Err(broken) => return (documents, Some(broken)),
        }
    }
}

type Events<'text> = Parser<'text, granit_parser::StrInput<'text>>;

struct Builder<'text> {
    events: Events<'text>,
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
}

impl<'text> Builder<'text> {
    /// The next event that says anything; comments come as events, too.
    fn next(&mut self) -> Result<Option<(Event<'text>, Span)>, Broken> {
        loop {
            let next = self.events.next_event().transpose().map_err(|error| {
                let (line, column) = place(*error.marker());
                Broken { line, column, is_limit: false, what: error.info() }
            })?;
            if !matches!(next, Some((Event::Comment(..), _))) {
                return Ok(next);
            }
        }
    }

    fn document(&mut self) -> Result<Option<Node>, Broken> {
        while let Some((event, span)) = self.next()? {
            match event {
                Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
                Event::StreamEnd => return Ok(None),
                event => return self.node(event, span, 0).map(Some),
            }
        }
        Ok(None)
    }

    fn node(&mut self, event: Event<'text>, span: Span, depth: usize) -> Result<Node, Broken> {
        let (line, column) = place(span.start);
        let limit = |what: &str| Broken { line, column, is_limit: true, what: what.to_owned() };
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(limit("the document has too many nodes, its aliases multiplied out"));
        }
        if depth > MAX_DEPTH {
            return Err(limit("the document nests too deeply"));
        }
        let before = self.nodes;
        let (anchor, data) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain && tag.is_none();
                (anchor, Data::Scalar { text: text.into_owned(), plain })
            }
            Event::SequenceStart(_, anchor, _) => (anchor, Data::List(self.list(depth)?)),
            Event::MappingStart(_, anchor, _) => (anchor, Data::Map(self.map(depth)?)),
            Event::Alias(anchor) => {
                let Some((node, size)) = self.anchors.get(&anchor) else {
                    return Err(Broken { line, column, is_limit: false, what: "unknown anchor".to_owned() });
                };
                self.nodes += size;
                if self.nodes > MAX_NODES {
                    return Err(limit("the document has too many nodes, its aliases multiplied out"));
                }
                return Ok(Node { line, column, ..node.clone() });
            }
            _ => return Err(Broken { line, column, is_limit: false, what: "unexpected end".to_owned() }),
        };
        let node = Node { line, column, data };
        if anchor != 0 {
            self.anchors.insert(anchor, (node.clone(), self.nodes - before + 1));
        }
        Ok(node)
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Node>, Broken> {
        let mut items = Vec::new();
        while let Some((event, span)) = self.next()? {
            if event == Event::SequenceEnd {
                break;
            }
            items.push(self.node(event, span, depth + 1)?);
        }
        Ok(items)
    }

    fn map(&mut self, depth: usize) -> Result<Vec<(Node, Node)>, Broken> {
        let mut entries: Vec<(Node, Node)> = Vec::new();
        let mut merged = Vec::new();
        while let Some((event, span)) = self.next()? {
            if event == Event::MappingEnd {
                break;
            }
            let key = self.node(event, span, depth + 1)?;
            let Some((event, span)) = self.next()? else { break };
            let value = self.node(event, span, depth + 1)?;
            match (&key.data, value.data) {
                (Data::Scalar { text, plain: true }, Data::Map(more)) if text == "<<" => merged.extend(more),
                (Data::Scalar { text, plain: true }, Data::List(maps)) if text == "<<" => {
                    for map in maps {
                        if let Data::Map(more) = map.data {
                            merged.extend(more);
                        }
                    }
                }
                (_, data) => entries.push((key, Node { line: value.line, column: value.column, data })),
            }
        }
        for (key, value) in merged {
            if !entries.iter().any(|(name, _)| name.text() == key.text()) {
                entries.push((key, value));
            }
        }
        Ok(entries)
    }
}

fn place(marker: granit_parser::Marker) -> (u64, u64) {
    (marker.line() as u64, marker.col() as u64 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_finds_its_place() {
        let (documents, broken) = documents("spec:\n  list:\n    - name: a\n      config: {a.b: x}\n---\n");
        assert!(broken.is_none());
        let node = documents[0].nearest(r#"spec.list[0].config["a.b"]"#);
        assert_eq!((node.text(), node.line, node.column), (Some("x"), 4, 21));
        assert_eq!(documents[0].nearest("spec.list[0].missing.more").line, 3);
    }

    #[test]
    fn what_aliases_multiply_is_bounded() {
        let mut text = "a: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let before = level - 1;
            let list = vec![format!("*a{before}"); 10].join(", ");
            text.push_str(&format!("b{level}: &a{level} [{list}]\n"));
        }
        let (_, broken) = documents(&text);
        assert!(broken.unwrap().is_limit);
    }
}

//! The marked tree of a YAML document.

use std::ops::Range;
use std::sync::Arc;

use granit_parser::{Event, Parser, ScalarStyle, Span};

use super::{Diagnostic, Place, Severity, Source, limits};

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// What it is.
    pub value: Value,
    /// Where.
    pub place: Place,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Nothing: an empty value, `~` or `null`.
    Null,
    /// A scalar; `plain` when it was written without quotes.
    Scalar {
        /// Its text.
        text: String,
        /// Without quotes.
        plain: bool,
    },
    /// A list.
    Sequence(Vec<Node>),
    /// Keys and values, in order.
    Mapping(Vec<Entry>),
}

/// One key of a mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub place: Place,
    /// Its value.
    pub value: Node,
}

impl Value {
    /// For messages: `a list`.
    pub const fn describe(&self) -> &'static str {
        match self {
            Value::Null => "nothing",
            Value::Scalar { .. } => "a single value",
            Value::Sequence(_) => "a list",
            Value::Mapping(_) => "a mapping",
        }
    }
}

/// Reads one document. Without one the diagnostics say why.
pub fn parse(source: &Arc<Source>) -> (Option<Node>, Vec<Diagnostic>) {
    let (mut documents, diagnostics) = read(source, Way::One);
    (documents.pop(), diagnostics)
}

/// Reads all documents of a file; empty ones are left out. Without any the diagnostics say why.
pub fn parse_all(source: &Arc<Source>) -> (Vec<Node>, Vec<Diagnostic>) {
    read(source, Way::All)
}

/// Reads a file as Jackson does, and so Kestra its flows (observed): an alias is the text of its name, also of one that
/// nothing is called, so that `<<` merges nothing; a value that is empty is an empty text and not nothing; and what comes
/// after the first document is not read, which is told.
pub fn parse_jackson(source: &Arc<Source>) -> (Option<Node>, Vec<Diagnostic>) {
    let (mut documents, diagnostics) = read(source, Way::Jackson);
    (documents.pop(), diagnostics)
}

/// How a file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// One document.
    One,
    /// All documents.
    All,
    /// The first document, by Jackson's rules.
    Jackson,
}

fn read(source: &Arc<Source>, way: Way) -> (Vec<Node>, Vec<Diagnostic>) {
    let text = source.text.as_str();
    let mut builder =
        Builder { source: source.clone(), way, diagnostics: Vec::new(), anchors: Vec::new(), aliases: 0, nodes: 0 };
    if text.len() > limits::FILE {
        let mib = limits::FILE >> 20;
        builder.error(0..0, format!("the file is larger than {mib} MiB"), "split it, or name flow files in `flows`");
        return (Vec::new(), builder.diagnostics);
    }
    let jackson = way == Way::Jackson;
    let options = granit_parser::options!(emit_comments: false, emit_unresolved_aliases: jackson);
    let mut parser = Parser::new_from_str_with_options(text, options);
    let documents = builder.documents(&mut parser);
    (documents.unwrap_or_default(), builder.diagnostics)
}

/// What stops the reading has been told.
struct Stop;

struct Builder {
    source: Arc<Source>,
    way: Way,
    diagnostics: Vec<Diagnostic>,
    anchors: Vec<(usize, Node)>,
    aliases: usize,
    nodes: usize,
}

type Events<'a> = Parser<'a, granit_parser::StrInput<'a>>;

impl Builder {
    fn error(&mut self, range: Range<usize>, what: impl Into<String>, advice: &str) {
        let place = Place { source: self.source.clone(), range };
        let advice = Some(advice.to_owned()).filter(|advice| !advice.is_empty());
        self.diagnostics.push(Diagnostic { severity: Severity::Error, place, what: what.into(), advice });
    }

    fn next<'a>(&mut self, parser: &mut Events<'a>) -> Result<(Event<'a>, Range<usize>), Stop> {
        let at = self.source.text.len();
        match parser.next_event() {
            Some(Ok((event, span))) => Ok((event, self.range(&span))),
            Some(Err(error)) => {
                let marker = *error.marker();
                let at = self.offset(marker.byte_offset(), marker.index());
                self.error(at..at, format!("this is no YAML: {}", error.info()), "");
                Err(Stop)
            }
            None => Ok((Event::StreamEnd, at..at)),
        }
    }

    fn offset(&self, bytes: Option<usize>, characters: usize) -> usize {
        let text = &self.source.text;
        let at = bytes.or_else(|| text.char_indices().nth(characters).map(|(at, _)| at)).unwrap_or(text.len());
        let mut at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }

    fn range(&self, span: &Span) -> Range<usize> {
        let start = self.offset(span.start.byte_offset(), span.start.index());
        let end = self.offset(span.end.byte_offset(), span.end.index());
        start..end.max(start)
    }

    fn documents(&mut self, parser: &mut Events<'_>) -> Result<Vec<Node>, Stop> {
        let mut documents: Vec<Node> = Vec::new();
        loop {
            let (event, range) = self.next(parser)?;
            match event {
                Event::StreamEnd => {
                    if documents.is_empty() {
                        let flow = self.way == Way::Jackson;
                        let begins = if flow { "a flow begins with `id:`" } else { "a scenario begins with `name:`" };
                        self.error(0..0, "the file is empty", begins);
                    }
                    return Ok(documents);
                }
                Event::StreamStart | Event::DocumentEnd => {}
                Event::DocumentStart(..) if self.way != Way::Jackson || documents.is_empty() => {}
                event => {
                    if self.way != Way::All && !documents.is_empty() {
                        self.second(range);
                        return Ok(documents);
                    }
                    let root = self.node(parser, event, range, 0)?;
                    if self.way != Way::All || root.value != Value::Null {
                        documents.push(root);
                    }
                }
            }
        }
    }

    /// Tells of a document after the first.
    fn second(&mut self, range: Range<usize>) {
        let (what, advice) = match self.way {
            Way::Jackson => {
                ("what begins here is a second document, which Kestra does not read", "give it a file of its own")
            }
            _ => ("a second document begins here", "one file holds one document"),
        };
        self.error(range, what, advice);
        if let Some(told) = self.diagnostics.last_mut().filter(|_| self.way == Way::Jackson) {
            told.severity = Severity::Warning;
        }
    }

    fn node(
        &mut self,
        parser: &mut Events<'_>,
        event: Event<'_>,
        range: Range<usize>,
        depth: usize,
    ) -> Result<Node, Stop> {
        if depth > limits::DEPTH {
            self.error(range, format!("nested more than {} deep", limits::DEPTH), "");
            return Err(Stop);
        }
        self.nodes += 1;
        if self.nodes > limits::NODES {
            self.error(range, format!("more than {} values", limits::NODES), "");
            return Err(Stop);
        }
        let start = range.start;
        let (value, anchor, end) = match event {
            Event::Alias(_) | Event::UnresolvedAlias(..) if self.way == Way::Jackson => {
                let name = self.source.text[range.clone()].trim_start_matches('*').trim_end();
                (Value::Scalar { text: name.to_owned(), plain: true }, 0, range.end)
            }
            Event::Alias(id) => return self.alias(id, range),
            Event::Scalar(text, style, anchor, _) => {
                let plain = style == ScalarStyle::Plain;
                // The parser gives `~` for what is not there at all.
                let empty =
                    plain && (text.is_empty() || &*text == "~" && !self.source.text[range.clone()].starts_with('~'));
                let value = match plain && matches!(&*text, "" | "~" | "null" | "Null" | "NULL") {
                    true if empty && self.way == Way::Jackson => Value::Scalar { text: String::new(), plain },
                    true => Value::Null,
                    false => Value::Scalar { text: text.into_owned(), plain },
                };
                (value, anchor, range.end)
            }
            Event::SequenceStart(_, anchor, _) => {
                let (items, end) = self.sequence(parser, depth)?;
                (Value::Sequence(items), anchor, end)
            }
            Event::MappingStart(_, anchor, _) => {
                let (entries, end) = self.mapping(parser, depth)?;
                (Value::Mapping(entries), anchor, end)
            }
            _ => {
                self.error(range, "the document ends too early", "");
                return Err(Stop);
            }
        };
        // The end of a block lies at the next token; what is shown ends with the text.
        let end = start + self.source.text[start..end.max(start)].trim_end().len();
        let node = Node { value, place: Place { source: self.source.clone(), range: start..end } };
        if anchor > 0 {
            self.anchors.push((anchor, node.clone()));
        }
        Ok(node)
    }

    /// The items of a sequence, and where it ends.
    fn sequence(&mut self, parser: &mut Events<'_>, depth: usize) -> Result<(Vec<Node>, usize), Stop> {
        let mut items = Vec::new();
        loop {
            match self.next(parser)? {
                (Event::SequenceEnd, range) => return Ok((items, range.end)),
                (event, range) => items.push(self.node(parser, event, range, depth + 1)?),
            }
        }
    }

    /// The entries of a mapping, and where it ends.
    fn mapping(&mut self, parser: &mut Events<'_>, depth: usize) -> Result<(Vec<Entry>, usize), Stop> {
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            match self.next(parser)? {
                (Event::MappingEnd, range) => return Ok((entries, range.end)),
                (event, range) => {
                    let key = self.node(parser, event, range, depth + 1)?;
                    let (event, range) = self.next(parser)?;
                    let value = self.node(parser, event, range, depth + 1)?;
                    self.entry(&mut entries, key, value);
                }
            }
        }
    }

    fn entry(&mut self, entries: &mut Vec<Entry>, key: Node, value: Node) {
        let name = match key.value {
            Value::Scalar { text, .. } => text,
            Value::Null => "null".into(),
            other => {
                self.error(key.place.range, format!("{} is no key", other.describe()), "keys are single words");
                return;
            }
        };
        if entries.iter().any(|entry| entry.key == name) {
            self.error(key.place.range.clone(), format!("`{name}` is here twice"), "keep one of them");
            return;
        }
        entries.push(Entry { key: name, place: key.place, value });
    }

    fn alias(&mut self, id: usize, range: Range<usize>) -> Result<Node, Stop> {
        self.aliases += 1;
        if self.aliases > limits::ALIASES {
            self.error(range, format!("more than {} aliases", limits::ALIASES), "write the values out");
            return Err(Stop);
        }
        match self.anchors.iter().rev().find(|(anchor, _)| *anchor == id) {
            Some((_, node)) => {
                let node = node.clone();
                self.nodes += size(&node);
                Ok(node)
            }
            None => {
                self.error(range, "this alias stands for something it is part of", "");
                Err(Stop)
            }
        }
    }
}

fn size(node: &Node) -> usize {
    match &node.value {
        Value::Null | Value::Scalar { .. } => 1,
        Value::Sequence(items) => 1 + items.iter().map(size).sum::<usize>(),
        Value::Mapping(entries) => 1 + entries.iter().map(|entry| size(&entry.value)).sum::<usize>(),
    }
}

//! The marked tree of a YAML document.

mod go;

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use granit_parser::{Event, Parser, ScalarStyle, Span, StructureStyle};

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

impl Node {
    /// The value of a key of a mapping, unless it is nothing.
    pub fn get(&self, key: &str) -> Option<&Node> {
        let Value::Mapping(entries) = &self.value else { return None };
        let found = entries.iter().find(|entry| entry.key == key)?;
        Some(&found.value).filter(|node| node.value != Value::Null)
    }

    /// The text of a scalar.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// The items of a list; of anything else none.
    pub fn items(&self) -> &[Node] {
        match &self.value {
            Value::Sequence(items) => items,
            _ => &[],
        }
    }
}

/// Reads one document. Without one the diagnostics say why.
pub fn parse(source: &Arc<Source>) -> (Option<Node>, Vec<Diagnostic>) {
    first(read(source, Way::One))
}

/// Reads a file as Jackson does, and so Kestra its flows (observed): an alias is the text of its name, also of one that
/// nothing is called, so that `<<` merges nothing; a value that is empty is an empty text and not nothing; and what comes
/// after the first document is not read, which is told.
pub fn parse_jackson(source: &Arc<Source>) -> (Option<Node>, Vec<Diagnostic>) {
    first(read(source, Way::Jackson))
}

/// The only document, and what is wrong with the file.
fn first(mut documents: Vec<Document>) -> (Option<Node>, Vec<Diagnostic>) {
    let diagnostics = documents.iter_mut().flat_map(|document| std::mem::take(&mut document.diagnostics)).collect();
    (documents.into_iter().find_map(|document| document.root), diagnostics)
}

/// Reads all documents of a file by the rules of our own files, merge keys not followed; empty ones are left out.
pub fn parse_all(source: &Arc<Source>) -> (Vec<Node>, Vec<Diagnostic>) {
    let (mut roots, mut diagnostics) = (Vec::new(), Vec::new());
    for document in read(source, Way::All) {
        roots.extend(document.root.filter(|root| root.value != Value::Null));
        diagnostics.extend(document.diagnostics);
    }
    (roots, diagnostics)
}

/// One of the documents of a file.
#[derive(Clone, Debug)]
pub struct Document {
    /// What it holds; none when it cannot be read.
    pub root: Option<Node>,
    /// What is wrong with it.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads all documents of a file as programs in Go do (asked of promtool): merge keys (`<<`) are followed, tags say what a
/// scalar is, a key that is null is none, an empty document is null, and an empty file has no document. The last document
/// is one without a root where the text is no YAML from there on.
pub fn parse_go(source: &Arc<Source>) -> Vec<Document> {
    read(source, Way::Go)
}

/// How a file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// One document, by the rules of our own files.
    One,
    /// All documents, by the rules of our own files.
    All,
    /// The first document, by Jackson's rules.
    Jackson,
    /// All documents, as programs in Go read them.
    Go,
}

fn read(source: &Arc<Source>, way: Way) -> Vec<Document> {
    let text = source.text.as_str();
    let (mut documents, mut builder) = (Vec::new(), Builder::new(source, way));
    if text.len() > limits::FILE {
        let mib = limits::FILE >> 20;
        builder.error(0..0, format!("the file is larger than {mib} MiB"), "split it, or name flow files in `flows`");
    } else if builder.documents(text, &mut documents).is_err() && way == Way::Go && builder.flow > 0 {
        // Inside of brackets libyaml takes tabs for blanks, and the parser does not.
        if let Some(blanks) = go::without_tabs(text) {
            (documents, builder) = (Vec::new(), Builder::new(source, way));
            // That it stopped is told by a diagnostic.
            let _ = builder.documents(&blanks, &mut documents);
        }
    }
    if !builder.diagnostics.is_empty() {
        documents.push(Document { root: None, diagnostics: builder.diagnostics });
    }
    documents
}

/// What stops the reading has been told.
struct Stop;

/// The entries of a mapping so far.
#[derive(Default)]
struct Entries {
    list: Vec<Entry>,
    keys: BTreeSet<String>,
}

impl Entries {
    /// Adds one whose key is not there yet; else gives it back.
    fn add(&mut self, entry: Entry) -> Result<(), Entry> {
        if !self.keys.insert(entry.key.clone()) {
            return Err(entry);
        }
        self.list.push(entry);
        Ok(())
    }
}

struct Builder {
    source: Arc<Source>,
    way: Way,
    diagnostics: Vec<Diagnostic>,
    anchors: Vec<(usize, Node)>,
    aliases: usize,
    nodes: usize,
    /// Collections in brackets around this place.
    flow: usize,
    /// Where the last word ended.
    end: usize,
}

type Events<'a> = Parser<'a, granit_parser::StrInput<'a>>;

impl Builder {
    fn new(source: &Arc<Source>, way: Way) -> Builder {
        Builder {
            source: source.clone(),
            way,
            diagnostics: Vec::new(),
            anchors: Vec::new(),
            aliases: 0,
            nodes: 0,
            flow: 0,
            end: 0,
        }
    }

    fn error(&mut self, range: Range<usize>, what: impl Into<String>, advice: &str) {
        let place = Place { source: self.source.clone(), range };
        let advice = Some(advice.to_owned()).filter(|advice| !advice.is_empty());
        self.diagnostics.push(Diagnostic { severity: Severity::Error, place, what: what.into(), advice, warnings: 0 });
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

    fn documents(&mut self, text: &str, documents: &mut Vec<Document>) -> Result<(), Stop> {
        let jackson = self.way == Way::Jackson;
        let options = granit_parser::options!(emit_comments: false, emit_unresolved_aliases: jackson);
        let parser = &mut Parser::new_from_str_with_options(text, options);
        loop {
            let (event, range) = self.next(parser)?;
            match event {
                Event::StreamEnd => {
                    if documents.is_empty() && matches!(self.way, Way::One | Way::Jackson) {
                        let flow = self.way == Way::Jackson;
                        let begins = if flow { "a flow begins with `id:`" } else { "a scenario begins with `name:`" };
                        self.error(0..0, "the file is empty", begins);
                    }
                    return Ok(());
                }
                Event::StreamStart if self.way == Way::Go => self.directives()?,
                Event::DocumentEnd if self.way == Way::Go && !documents.is_empty() => {
                    self.tabs(range.start);
                    if let Some(last) = documents.last_mut() {
                        last.diagnostics.append(&mut self.diagnostics);
                    }
                    self.end = range.end;
                }
                Event::StreamStart | Event::DocumentEnd => {}
                Event::DocumentStart(..) if self.way != Way::Jackson || documents.is_empty() => {}
                event => {
                    if matches!(self.way, Way::One | Way::Jackson) && !documents.is_empty() {
                        self.second(range);
                        return Ok(());
                    }
                    let root = self.node(parser, event, range, 0)?;
                    documents.push(Document { root: Some(root), diagnostics: std::mem::take(&mut self.diagnostics) });
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
        if self.way == Way::Go {
            self.as_libyaml(&event, &range);
        }
        let (value, anchor, end) = match event {
            Event::Alias(_) | Event::UnresolvedAlias(..) if self.way == Way::Jackson => {
                let name = self.source.text[range.clone()].trim_start_matches('*').trim_end();
                (Value::Scalar { text: name.to_owned(), plain: true }, 0, range.end)
            }
            Event::Alias(id) => return self.alias(id, range),
            Event::Scalar(text, style, anchor, tag) => {
                let text = text.into_owned();
                let value = match tag.filter(|_| self.way == Way::Go) {
                    Some(tag) => self.tagged(text, &tag, &range),
                    None => self.scalar(text, style == ScalarStyle::Plain, &range),
                };
                (value, anchor, range.end)
            }
            Event::SequenceStart(style, anchor, _) => {
                self.flow += usize::from(style == StructureStyle::Flow);
                let (items, end) = self.sequence(parser, depth)?;
                self.flow -= usize::from(style == StructureStyle::Flow);
                (Value::Sequence(items), anchor, end)
            }
            Event::MappingStart(style, anchor, _) => {
                self.flow += usize::from(style == StructureStyle::Flow);
                let (entries, end) = self.mapping(parser, depth)?;
                self.flow -= usize::from(style == StructureStyle::Flow);
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
            self.keep(anchor, &node);
        }
        Ok(node)
    }

    /// Keeps a value for aliases. That counts as well: anchors may lie in each other.
    fn keep(&mut self, anchor: usize, node: &Node) {
        self.nodes += size(node);
        self.anchors.push((anchor, node.clone()));
    }

    /// A scalar without a tag.
    fn scalar(&self, text: String, plain: bool, range: &Range<usize>) -> Value {
        // The parser gives `~` for what is not there at all.
        let empty = plain && (text.is_empty() || text == "~" && !self.source.text[range.clone()].starts_with('~'));
        match empty && self.way == Way::Jackson {
            true => Value::Scalar { text: String::new(), plain },
            false => untagged(text, plain),
        }
    }

    /// A bracket is the last word then; the end of a block is none.
    fn closed(&mut self, range: &Range<usize>) {
        if self.flow > 0 {
            self.end = range.end;
        }
    }

    /// The items of a sequence, and where it ends.
    fn sequence(&mut self, parser: &mut Events<'_>, depth: usize) -> Result<(Vec<Node>, usize), Stop> {
        let mut items = Vec::new();
        loop {
            match self.next(parser)? {
                (Event::SequenceEnd, range) => {
                    self.closed(&range);
                    return Ok((items, range.end));
                }
                (event, range) => items.push(self.node(parser, event, range, depth + 1)?),
            }
        }
    }

    /// The entries of a mapping, and where it ends.
    fn mapping(&mut self, parser: &mut Events<'_>, depth: usize) -> Result<(Vec<Entry>, usize), Stop> {
        let mut entries = Entries::default();
        // The value of the merge key; what is merged comes last, whatever stands first.
        let mut merged: Option<Node> = None;
        loop {
            match self.next(parser)? {
                (Event::MappingEnd, range) => {
                    merged.into_iter().for_each(|node| self.merge(&mut entries, node));
                    self.closed(&range);
                    return Ok((entries.list, range.end));
                }
                (event, range) => {
                    let key = self.node(parser, event, range, depth + 1)?;
                    let (event, range) = self.next(parser)?;
                    let alias = matches!(event, Event::Alias(_));
                    let value = self.node(parser, event, range, depth + 1)?;
                    let merges = matches!(&key.value, Value::Scalar { text, plain: true } if text == "<<");
                    match merges && self.way == Way::Go {
                        true if alias && !matches!(value.value, Value::Mapping(_)) => {
                            self.error(
                                key.place.range,
                                "`<<` takes an alias of a mapping only",
                                "write `<<: [ *one ]`",
                            );
                        }
                        true if merged.is_none() => merged = Some(value),
                        true => self.error(key.place.range, "`<<` is here twice", "write `<<: [ *one, *other ]`"),
                        false => self.entry(&mut entries, key, value),
                    }
                }
            }
        }
    }

    fn entry(&mut self, entries: &mut Entries, key: Node, value: Node) {
        let name = match key.value {
            Value::Scalar { text, .. } => text,
            Value::Null if self.way == Way::Go => return,
            Value::Null => "null".into(),
            other => {
                self.error(key.place.range, format!("{} is no key", other.describe()), "keys are single words");
                return;
            }
        };
        let place = key.place.clone();
        if let Err(entry) = entries.add(Entry { key: name, place: key.place, value }) {
            self.error(place.range, format!("`{}` is here twice", entry.key), "keep one of them");
        }
    }

    fn alias(&mut self, id: usize, range: Range<usize>) -> Result<Node, Stop> {
        self.aliases += 1;
        // Go counts what aliases stand for, not how many there are: that is bounded by the number of values.
        if self.aliases > limits::ALIASES && self.way == Way::One {
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

/// A scalar without a tag.
fn untagged(text: String, plain: bool) -> Value {
    match plain && matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL") {
        true => Value::Null,
        false => Value::Scalar { text, plain },
    }
}

fn size(node: &Node) -> usize {
    match &node.value {
        Value::Null | Value::Scalar { .. } => 1,
        Value::Sequence(items) => 1 + items.iter().map(size).sum::<usize>(),
        Value::Mapping(entries) => 1 + entries.iter().map(|entry| size(&entry.value)).sum::<usize>(),
    }
}

//! Reading a marked tree by tables of fields: one table drives the reader, its advice, and the JSON schema.

use std::ops::Range;

use serde_json::{Value as Json, json};

use super::{Diagnostic, Entry, Node, Place, Severity, Value, instead, limits};

/// One key that a mapping may have.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The key.
    pub key: &'static str,
    /// What may stand there.
    pub kind: Kind,
    /// Whether it must be there.
    pub required: bool,
    /// What it means, a sentence.
    pub doc: &'static str,
    /// For example this.
    pub example: &'static str,
}

/// What may stand at a key.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Any text.
    Text,
    /// A text and nothing else: what a scalar without quotes may be read as, JSON tells apart.
    #[cfg(feature = "server")]
    String,
    /// A number.
    Number,
    /// A whole number, not below 0.
    #[cfg(feature = "server")]
    Whole,
    /// `true` or `false`.
    Bool,
    /// A text of a certain form (a duration, a rate), matched by a regular expression in the schema.
    Pattern(&'static str),
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A mapping with these keys.
    Object(&'static [Field]),
    /// A mapping with these keys, and others that are accepted unread.
    Open(&'static [Field]),
    /// A mapping from any key to this.
    MapOf(&'static Kind),
    /// A list of this.
    List(&'static Kind),
    /// One of these.
    AnyOf(&'static [Kind]),
    /// Nothing is there: `null`.
    #[cfg(feature = "server")]
    Null,
    /// Anything.
    Any,
}

impl Field {
    /// A field that may be left out.
    pub const fn new(key: &'static str, kind: Kind, example: &'static str, doc: &'static str) -> Field {
        Field { key, kind, required: false, doc, example }
    }
    /// A field that must be there.
    pub const fn required(key: &'static str, kind: Kind, example: &'static str, doc: &'static str) -> Field {
        Field { key, kind, required: true, doc, example }
    }
}

impl Kind {
    /// As JSON schema.
    pub fn schema(&self) -> Json {
        match self {
            Kind::Text => json!({ "type": ["string", "number", "boolean"] }),
            #[cfg(feature = "server")]
            Kind::String => json!({ "type": "string" }),
            Kind::Number => json!({ "type": "number" }),
            #[cfg(feature = "server")]
            Kind::Whole => json!({ "type": "integer", "minimum": 0 }),
            Kind::Bool => json!({ "type": "boolean" }),
            Kind::Pattern(pattern) => json!({ "type": ["string", "number"], "pattern": pattern }),
            Kind::Choice(words) => json!({ "enum": words }),
            Kind::Object(fields) => object_schema(fields, json!(false)),
            Kind::Open(fields) => object_schema(fields, json!(true)),
            Kind::MapOf(kind) => json!({ "type": "object", "additionalProperties": kind.schema() }),
            Kind::List(kind) => json!({ "type": "array", "items": kind.schema() }),
            Kind::AnyOf(kinds) => json!({ "anyOf": kinds.iter().map(Kind::schema).collect::<Vec<_>>() }),
            #[cfg(feature = "server")]
            Kind::Null => json!({ "type": "null" }),
            Kind::Any => json!({}),
        }
    }
}

fn object_schema(fields: &[Field], others: Json) -> Json {
    let properties: serde_json::Map<String, Json> = fields
        .iter()
        .map(|field| {
            let mut schema = field.kind.schema();
            if let Some(schema) = schema.as_object_mut() {
                schema.insert("description".into(), format!("{} Example: {}", field.doc, field.example).into());
            }
            (field.key.to_owned(), schema)
        })
        .collect();
    let required: Vec<&str> = fields.iter().filter(|field| field.required).map(|field| field.key).collect();
    let mut schema = json!({ "type": "object", "properties": properties, "additionalProperties": others });
    if let (Some(schema), false) = (schema.as_object_mut(), required.is_empty()) {
        schema.insert("required".into(), required.into());
    }
    schema
}

/// A reading under way: it collects what is wrong and goes on.
#[derive(Debug, Default)]
pub struct Reading {
    diagnostics: Vec<Diagnostic>,
    /// How many more there were than are kept.
    more: usize,
    /// Whether one of those was an error.
    more_failed: bool,
    /// How many were warnings.
    more_warnings: usize,
}

/// A mapping whose keys were checked.
#[derive(Clone, Copy, Debug)]
pub struct Object<'n> {
    /// The mapping itself.
    pub node: &'n Node,
    entries: &'n [Entry],
}

impl<'n> Object<'n> {
    /// The value of a key, when there is one.
    pub fn get(&self, key: &str) -> Option<&'n Node> {
        self.entry(key).map(|entry| &entry.value).filter(|node| node.value != Value::Null)
    }
    /// The key itself and its value.
    pub fn entry(&self, key: &str) -> Option<&'n Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }
    /// All keys, in order.
    pub fn entries(&self) -> &'n [Entry] {
        self.entries
    }
}

/// Bytes of a sentence of a diagnostic: what a file holds is quoted in it, and that may be long.
const LONGEST: usize = 2_000;

fn shortened(text: String) -> String {
    if text.len() <= LONGEST {
        return text;
    }
    let end = (0..=LONGEST / 2).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let begin = (text.len() - LONGEST / 4..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    format!("{} ... {}", &text[..end], &text[begin..])
}

impl Reading {
    /// Whether what is told now is shown: with so many diagnostics before it, it may not be worth to look for advice.
    pub fn has_room(&self) -> bool {
        self.diagnostics.len() < limits::DIAGNOSTICS
    }

    /// Adds an error.
    pub fn error(&mut self, place: &Place, what: impl Into<String>, advice: impl Into<String>) {
        self.tell(Severity::Error, place, what.into(), advice.into());
    }

    /// Adds an error about a part of the text of a scalar: bytes of the text, from and to.
    pub fn error_within(
        &mut self,
        node: &Node,
        part: Range<usize>,
        what: impl Into<String>,
        advice: impl Into<String>,
    ) {
        self.error(&node.place_of(part), what, advice);
    }

    /// Adds a warning.
    pub fn warning(&mut self, place: &Place, what: impl Into<String>, advice: impl Into<String>) {
        self.tell(Severity::Warning, place, what.into(), advice.into());
    }

    /// Adds a word that asks for nothing.
    pub fn note(&mut self, place: &Place, what: impl Into<String>, advice: impl Into<String>) {
        self.tell(Severity::Note, place, what.into(), advice.into());
    }

    fn tell(&mut self, severity: Severity, place: &Place, what: String, advice: String) {
        let what = shortened(what);
        let advice = Some(advice).filter(|advice| !advice.is_empty()).map(shortened);
        let warnings = usize::from(severity == Severity::Warning);
        self.keep(Diagnostic { severity, place: place.clone(), what, advice, warnings });
    }

    /// Keeps what is shown. Where there is no place for all, what is worse takes the place of what is less bad.
    fn keep(&mut self, diagnostic: Diagnostic) {
        if self.diagnostics.len() < limits::DIAGNOSTICS {
            self.diagnostics.push(diagnostic);
            return;
        }
        self.more += 1;
        let least =
            self.diagnostics.iter().map(|kept| kept.severity).max().filter(|least| *least > diagnostic.severity);
        match least.and_then(|least| self.diagnostics.iter().rposition(|kept| kept.severity == least)) {
            Some(place) => {
                let dropped = std::mem::replace(&mut self.diagnostics[place], diagnostic);
                self.more_warnings += dropped.warnings;
            }
            None => {
                self.more_failed |= diagnostic.severity == Severity::Error;
                self.more_warnings += diagnostic.warnings;
            }
        }
    }

    /// Adds what another reader found.
    pub fn extend(&mut self, diagnostics: Vec<Diagnostic>) {
        diagnostics.into_iter().for_each(|diagnostic| self.keep(diagnostic));
    }

    /// Whether an error was found.
    pub fn failed(&self) -> bool {
        self.more_failed || self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// All that was found, by file and position.
    pub fn finish(mut self) -> Vec<Diagnostic> {
        self.diagnostics.sort_by(|a, b| {
            (&a.place.source.name, a.place.range.start).cmp(&(&b.place.source.name, b.place.range.start))
        });
        self.diagnostics.dedup();
        if let Some(last) = self.diagnostics.last().filter(|_| self.more > 0) {
            let severity = match self.more_failed {
                true => Severity::Error,
                false if self.more_warnings > 0 => last.severity.min(Severity::Warning),
                false => last.severity,
            };
            let what = format!("and {} more that are not shown", self.more);
            let advice = Some("mend these first".to_owned());
            let warnings = self.more_warnings;
            self.diagnostics.push(Diagnostic { severity, place: last.place.clone(), what, advice, warnings });
        }
        self.diagnostics
    }

    /// A mapping with these keys and no others.
    pub fn object<'n>(&mut self, node: &'n Node, what: &str, fields: &[Field]) -> Option<Object<'n>> {
        let object = self.open(node, what, fields)?;
        for entry in object.entries {
            if fields.iter().all(|field| field.key != entry.key) {
                self.unknown(&entry.place, &format!("key of {what}"), &entry.key, fields.iter().map(|field| field.key));
            }
        }
        Some(object)
    }

    /// A mapping, whatever its keys are: as programs in Go take it, to which a key without a value is as good as none.
    pub fn mapping<'n>(&mut self, node: &'n Node, what: &str, example: &str) -> Option<Object<'n>> {
        if let Value::Mapping(entries) = &node.value {
            return Some(Object { node, entries });
        }
        let advice = format!("write for example `{example}`");
        self.error(&node.place, format!("{what} must be a mapping, not {}", node.value.describe()), advice);
        None
    }

    /// A mapping with these keys, and others that are not looked at.
    pub fn open<'n>(&mut self, node: &'n Node, what: &str, fields: &[Field]) -> Option<Object<'n>> {
        self.opened(node, what, fields, false)
    }

    /// The same where a key without a value is as good as none.
    pub fn open_nullable<'n>(&mut self, node: &'n Node, what: &str, fields: &[Field]) -> Option<Object<'n>> {
        self.opened(node, what, fields, true)
    }

    fn opened<'n>(&mut self, node: &'n Node, what: &str, fields: &[Field], nullable: bool) -> Option<Object<'n>> {
        let Value::Mapping(entries) = &node.value else {
            // All that must be there: with less it would be refused again.
            let mut example: Vec<&Field> = fields.iter().filter(|field| field.required).collect();
            if example.is_empty() {
                example.extend(fields.first());
            }
            let written: Vec<String> =
                example.iter().map(|field| format!("{}: {}", field.key, field.example)).collect();
            let advice = match written.is_empty() {
                true => String::new(),
                false => format!("write for example `{{ {} }}`", written.join(", ")),
            };
            self.error(&node.place, format!("{what} must be a mapping, not {}", node.value.describe()), advice);
            return None;
        };
        for field in fields {
            let example = || format!("{}: {}", field.key, field.example);
            let there = |entry: &&Entry| !nullable || entry.value.value != Value::Null;
            match entries.iter().find(|entry| entry.key == field.key).filter(there) {
                None if field.required => {
                    let place = node.place.first_line();
                    self.error(&place, format!("{what} has no `{}`", field.key), format!("add `{}`", example()));
                }
                // An empty list is what is left when all its items are commented out.
                Some(Entry { value: Node { value: Value::Null, .. }, place, .. })
                    if !matches!(field.kind, Kind::List(_) | Kind::Any) =>
                {
                    self.error(
                        place,
                        format!("`{}` is empty", field.key),
                        format!("write for example `{}`", example()),
                    );
                }
                _ => {}
            }
        }
        Some(Object { node, entries })
    }

    /// Something that is not known, with the nearest that is.
    pub fn unknown<'c>(
        &mut self,
        place: &Place,
        what: &str,
        word: &str,
        known: impl IntoIterator<Item = &'c str> + Clone,
    ) {
        // What there is none of because it could not be read has been told of.
        if self.failed() && known.clone().into_iter().next().is_none() {
            return;
        }
        self.error(place, format!("`{word}` is no {what}"), instead(word, known));
    }

    /// The items of a list; a single mapping or value is told to be written as a list.
    pub fn list<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Node] {
        match &node.value {
            Value::Sequence(items) => items,
            Value::Null => &[],
            other => {
                self.error(
                    &node.place,
                    format!("{what} must be a list, not {}", other.describe()),
                    "begin each item with `- `",
                );
                &[]
            }
        }
    }

    /// A text.
    pub fn text<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n str> {
        match &node.value {
            Value::Scalar { text, .. } => Some(text),
            other => {
                self.error(&node.place, format!("{what} must be a text, not {}", other.describe()), "");
                None
            }
        }
    }

    /// `true` or `false`.
    pub fn boolean(&mut self, node: &Node, what: &str) -> Option<bool> {
        match self.text(node, what)? {
            "true" => Some(true),
            "false" => Some(false),
            other => {
                self.error(&node.place, format!("{what} is `{other}`"), "write `true` or `false`");
                None
            }
        }
    }

    /// A whole number in a range.
    pub fn count(&mut self, node: &Node, what: &str, range: std::ops::RangeInclusive<u64>) -> Option<u64> {
        let text = self.text(node, what)?;
        let (least, most) = (range.start(), range.end());
        match text.parse::<u64>() {
            Ok(value) if range.contains(&value) => Some(value),
            _ => {
                self.error(
                    &node.place,
                    format!("{what} is `{text}`"),
                    format!("write a whole number from {least} to {most}"),
                );
                None
            }
        }
    }

    /// One of some words.
    pub fn choice<T: Copy>(&mut self, node: &Node, what: &str, choices: &[(&'static str, T)]) -> Option<T> {
        let text = self.text(node, what)?;
        let found = choices.iter().find(|(word, _)| word.eq_ignore_ascii_case(text)).map(|(_, value)| *value);
        if found.is_none() {
            self.unknown(&node.place, what, text, choices.iter().map(|(word, _)| *word));
        }
        found
    }

    /// A text that a function understands; its error is the advice.
    pub fn parsed<T>(&mut self, node: &Node, what: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let text = self.text(node, what)?;
        match parse(text) {
            Ok(value) => Some(value),
            Err(advice) => {
                self.error(&node.place, format!("{what} is `{text}`"), advice);
                None
            }
        }
    }
}

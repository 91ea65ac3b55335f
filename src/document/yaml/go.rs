//! How programs in Go read YAML: what libyaml refuses, tags, and merge keys (asked of promtool).

use std::ops::Range;

use base64::Engine as _;
use granit_parser::{Event, ScalarStyle, Tag};

use super::{Builder, Entries, Node, Stop, Value, untagged};

/// A text as long as this with blanks for the tabs at the beginning of lines; none when there is none.
pub(super) fn without_tabs(text: &str) -> Option<String> {
    let line = |line: &str| {
        let indent = line.len() - line.trim_start_matches([' ', '\t']).len();
        " ".repeat(indent) + &line[indent..]
    };
    let changed: String = text.split_inclusive('\n').map(line).collect();
    (changed != text).then_some(changed)
}

impl Builder {
    /// Directives before the first document. Go knows YAML 1.1 only.
    pub(super) fn directives(&mut self) -> Result<(), Stop> {
        let source = self.source.clone();
        let text = source.text.trim_start_matches('\u{feff}');
        let mut at = source.text.len() - text.len();
        for line in text.split_inclusive('\n') {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                [] | ["%TAG", ..] | ["%YAML", "1.1", ..] => {}
                [word, ..] if word.starts_with('#') => {}
                [word, ..] if word.starts_with('%') => {
                    let what = format!("`{}` is not read by programs in Go", line.trim_end());
                    self.error(at..at + line.trim_end().len(), what, "leave the line out");
                    return Err(Stop);
                }
                _ => return Ok(()),
            }
            at += line.len();
        }
        Ok(())
    }

    /// Tells of tabs where a key or an item may begin, between the last word and a place: libyaml, and so Go, refuses them.
    pub(super) fn tabs(&mut self, to: usize) {
        let source = self.source.clone();
        let from = self.end.min(to);
        let between = |c: char| matches!(c, ' ' | '\t' | '-' | '?');
        // Blanks at the end of a line do no harm.
        let line = source.text[..from].rfind('\n').map_or(0, |at| at + 1);
        let first = match source.text[line..from].chars().all(between) {
            true => line,
            false => source.text[from..to].find('\n').map_or(to, |at| from + at + 1),
        };
        let mut at = first;
        for line in source.text[first..to].split_inclusive('\n') {
            let blank = line.find(|c| !between(c)).unwrap_or(line.len());
            if let Some(tab) = line[..blank].find('\t').map(|tab| at + tab) {
                self.error(tab..tab + 1, "a tab stands where a key or an item may begin", "write blanks");
            }
            at += line.len();
        }
    }

    /// What libyaml, and so Go, refuses of YAML where the parser does not: some tabs, and an escape of YAML 1.2.
    pub(super) fn as_libyaml(&mut self, event: &Event<'_>, range: &Range<usize>) {
        let source = self.source.clone();
        if self.flow == 0 {
            self.tabs(range.start);
        }
        if let Event::Scalar(_, ScalarStyle::DoubleQuoted, ..) = event {
            let mut escaped = false;
            for (at, c) in source.text[range.clone()].char_indices() {
                if escaped && c == '/' {
                    let at = range.start + at;
                    self.error(at - 1..at + 1, "`\\/` is no escape to programs in Go", "write `/`");
                }
                escaped = c == '\\' && !escaped;
            }
        }
        self.end = match event {
            Event::Scalar(..) | Event::Alias(_) => range.end,
            _ => range.start,
        };
    }

    /// Adds what a merge key stands for: keys that are not there yet, of several mappings the first that has one.
    pub(super) fn merge(&mut self, entries: &mut Entries, node: Node) {
        let parts = match node.value {
            Value::Mapping(found) => vec![found],
            Value::Sequence(items) => {
                let mappings = items.into_iter().map(|item| match item.value {
                    Value::Mapping(found) => Some(found),
                    _ => None,
                });
                match mappings.collect::<Option<Vec<_>>>() {
                    Some(parts) => parts,
                    None => return self.error(node.place.range, "`<<` takes mappings only", "write `<<: *anchor`"),
                }
            }
            other => {
                let what = format!("`<<` takes a mapping or a list of mappings, not {}", other.describe());
                return self.error(node.place.range, what, "write `<<: *anchor`");
            }
        };
        for entry in parts.into_iter().flatten() {
            // What is there already stays.
            let _ = entries.add(entry);
        }
    }

    /// A scalar that a tag says more about. A tag that is not one of YAML's own makes a text of it.
    pub(super) fn tagged(&mut self, text: String, tag: &Tag, range: &Range<usize>) -> Value {
        let name = tag.suffix_in_namespace("tag:yaml.org,2002:").unwrap_or_default();
        if name == "binary" {
            let packed: String = text.split_whitespace().collect();
            let bytes = base64::engine::general_purpose::STANDARD.decode(packed).ok();
            if let Some(text) = bytes.and_then(|bytes| String::from_utf8(bytes).ok()) {
                return Value::Scalar { text, plain: false };
            }
            self.error(range.clone(), "this is no text in base64, as `!!binary` says", "leave the tag out");
        }
        match fits(&name, &text) {
            Some(fits) => {
                if !fits {
                    self.error(range.clone(), format!("`{text}` is no `!!{name}`"), "leave the tag out");
                }
                untagged(text, true)
            }
            None => Value::Scalar { text, plain: false },
        }
    }
}

/// Whether a plain text may have one of YAML's own tags for scalars; none for another tag.
fn fits(tag: &str, text: &str) -> Option<bool> {
    let digits = text.trim_start_matches(['-', '+']).replace('_', "");
    Some(match tag {
        "int" | "timestamp" => digits.starts_with(|c: char| c.is_ascii_digit()),
        "float" => digits.parse::<f64>().is_ok() || digits == ".inf",
        "bool" => text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false"),
        "null" => untagged(text.to_owned(), true) == Value::Null,
        "merge" => text == "<<",
        _ => return None,
    })
}

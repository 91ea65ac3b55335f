//! The reference of what a scenario may expect, made from the tables that its reader goes by: it cannot tell anything else.

use std::fmt::Write;

use super::fields::EXPECTATIONS;
use crate::document::{Field, Kind};

/// A key, and where it may stand.
struct Line {
    of: Vec<String>,
    key: &'static str,
    example: &'static str,
    doc: String,
}

impl Line {
    /// Where it stands, in words: an entry of its own, or what has it.
    fn place(&self) -> String {
        match self.of.as_slice() {
            [one] => one.clone(),
            several => {
                let names: Vec<&str> = several.iter().map(|it| it.strip_prefix("in ").unwrap_or(it)).collect();
                format!("in {}", names.join(", "))
            }
        }
    }
}

/// The table that a key's value is read by, when it is a mapping, or may be one.
fn table(kind: &Kind) -> Option<&'static [Field]> {
    match kind {
        Kind::Object(fields) => Some(fields),
        Kind::AnyOf(kinds) => kinds.iter().find_map(table),
        _ => None,
    }
}

/// Adds a key of what is called `of`. What is the same in several is told once.
fn add(lines: &mut Vec<Line>, of: &str, field: &Field) {
    let mut doc = field.doc.to_owned();
    if let Kind::Choice(words) = field.kind {
        // Writing to a String cannot fail.
        let _ = write!(doc, " One of {}.", words.join(", "));
    }
    if field.required && field.key != of {
        doc += " Needed.";
    }
    match lines.iter_mut().find(|line| (line.key, line.doc.as_str()) == (field.key, doc.as_str())) {
        Some(line) => line.of.push(of.to_owned()),
        None => lines.push(Line { of: vec![of.to_owned()], key: field.key, example: field.example, doc }),
    }
}

/// All keys: those of one entry alone come first, entry by entry.
fn lines() -> Vec<Line> {
    let mut lines = Vec::new();
    for (name, fields) in EXPECTATIONS {
        for field in *fields {
            add(&mut lines, name, field);
            let below = table(&field.kind).unwrap_or_default();
            below.iter().for_each(|inner| add(&mut lines, &format!("in {}", field.key), inner));
        }
    }
    let mut places: Vec<String> = Vec::new();
    for line in &lines {
        let place = line.place();
        if !places.contains(&place) {
            places.push(place);
        }
    }
    places.sort_by_key(|place| place.starts_with("in "));
    // Their places are made as text: once each, for every start of the program comes by here.
    lines.sort_by_cached_key(|line| {
        let of = line.place();
        places.iter().position(|place| *place == of)
    });
    lines
}

/// The reference of `expect` as a table of Markdown.
#[cfg(feature = "internals")]
pub fn expectations_markdown() -> String {
    let mut text = "| entry | key | for example | |\n|-|-|-|-|\n".to_owned();
    let mut last = String::new();
    for line in lines() {
        let (of, Line { key, example, doc, .. }) = (line.place(), line);
        let shown = match (of == last, of.strip_prefix("in ")) {
            (true, _) => String::new(),
            (false, Some(keys)) => format!("in `{}`", keys.replace(", ", "`, `")),
            (false, None) => format!("`{of}`"),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| {shown} | `{key}` | `{example}` | {doc} |");
        last = of;
    }
    text
}

/// The same for a terminal.
#[cfg(feature = "cli")]
pub fn expectations() -> String {
    let mut text = "What a scenario may expect: entries of `expect`, and their keys\n".to_owned();
    let mut last = String::new();
    for line in lines() {
        let (of, Line { key, example, doc, .. }) = (line.place(), line);
        if of != last {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "\n  {of}");
        }
        let _ = writeln!(text, "    {:<42} {doc}", format!("{key}: {example}"));
        last = of;
    }
    text
}

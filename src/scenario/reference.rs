//! The reference of what a scenario may expect, made from the tables that its reader goes by: it cannot tell anything else.

use std::fmt::Write;

use super::fields::EXPECTATIONS;
use crate::document::{Field, Kind};

/// A line of the reference: an entry or one of its keys.
struct Line {
    /// Which entries have it.
    of: String,
    key: &'static str,
    example: &'static str,
    doc: String,
}

/// The table that a key's value is read by, when it is a mapping, or may be one.
fn table(kind: &Kind) -> Option<&'static [Field]> {
    match kind {
        Kind::Object(fields) => Some(fields),
        Kind::AnyOf(kinds) => kinds.iter().find_map(table),
        _ => None,
    }
}

fn lines() -> Vec<Line> {
    let line = |of: &str, field: &Field| {
        let mut doc = field.doc.to_owned();
        if let Kind::Choice(words) = field.kind {
            // Writing to a String cannot fail.
            let _ = write!(doc, " One of {}.", words.join(", "));
        }
        if field.required && field.key != of {
            doc += " Needed.";
        }
        Line { of: of.to_owned(), key: field.key, example: field.example, doc }
    };
    let mut lines = Vec::new();
    // Tables of values that are mappings, each with the keys where it stands.
    let mut below: Vec<(&'static [Field], Vec<&'static str>)> = Vec::new();
    for (name, fields) in EXPECTATIONS {
        for field in *fields {
            lines.push(line(name, field));
            let Some(table) = table(&field.kind) else { continue };
            match below.iter_mut().find(|(known, _)| std::ptr::eq(*known, table)) {
                Some((_, keys)) => keys.push(field.key),
                None => below.push((table, vec![field.key])),
            }
        }
    }
    for (fields, keys) in below {
        let of = format!("in {}", keys.join(", "));
        lines.extend(fields.iter().map(|field| line(&of, field)));
    }
    lines
}

/// The reference of `expect` as a table of Markdown.
#[cfg(feature = "internals")]
pub fn expectations_markdown() -> String {
    let mut text = "| entry | key | for example | |\n|-|-|-|-|\n".to_owned();
    let mut last = String::new();
    for Line { of, key, example, doc } in lines() {
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
    for Line { of, key, example, doc } in lines() {
        if of != last {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "\n  {of}");
        }
        let _ = writeln!(text, "    {:<42} {doc}", format!("{key}: {example}"));
        last = of;
    }
    text
}

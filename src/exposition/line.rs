//! One line of the text.

use super::{Kind, Sample};

/// What a line says.
pub(super) enum Line<'a> {
    /// Empty, or a remark.
    Nothing,
    Help(&'a str, String),
    Kind(&'a str, Kind),
    Sample(Sample),
}

/// Column and words.
type Wrong = (usize, String);

pub(super) fn described(name: &str, what: &str) -> Wrong {
    (1, format!("the {what} of `{name}` is told too late or twice"))
}

pub(super) fn read_line(line: &str) -> Result<Line<'_>, Wrong> {
    let line = line.strip_suffix('\r').unwrap_or(line);
    let mut cursor = Cursor { line, at: 0 };
    cursor.blank();
    if cursor.rest().is_empty() {
        return Ok(Line::Nothing);
    }
    if cursor.eat('#') {
        return remark(cursor);
    }
    sample(cursor).map(Line::Sample)
}

/// What stands after a `#`.
fn remark(mut cursor: Cursor<'_>) -> Result<Line<'_>, Wrong> {
    cursor.blank();
    let (word, rest) = cursor.rest().split_once([' ', '\t']).unwrap_or((cursor.rest(), ""));
    if word != "HELP" && word != "TYPE" {
        return Ok(Line::Nothing);
    }
    cursor.at = cursor.line.len() - rest.len();
    cursor.blank();
    let name = cursor.name(":").ok_or_else(|| cursor.wrong("the name of a metric is missing"))?;
    if word == "HELP" {
        return Ok(Line::Help(name, help(cursor.rest().trim_start_matches([' ', '\t']))));
    }
    cursor.blank();
    let word = cursor.rest().trim_end();
    let kind = Kind::WORDS.iter().find(|(known, _)| *known == word);
    kind.map(|(_, kind)| Line::Kind(name, *kind)).ok_or_else(|| {
        let known: Vec<&str> = Kind::WORDS.iter().map(|(word, _)| *word).collect();
        cursor.wrong(&format!("`{word}` is no type; one of {}", known.join(", ")))
    })
}

/// In a help text a quote needs no `\`, and what else follows one stands for itself, as Prometheus reads it.
fn help(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n') => out.push('\n'),
                Some('\\') => out.push('\\'),
                Some(other) => out.extend(['\\', other]),
                None => out.push('\\'),
            },
            other => out.push(other),
        }
    }
    out
}

fn sample(mut cursor: Cursor<'_>) -> Result<Sample, Wrong> {
    let Some(name) = cursor.name(":") else {
        return Err(cursor.wrong("a line begins with the name of a metric or with `#`"));
    };
    cursor.blank();
    let labels = if cursor.eat('{') { labels(&mut cursor)? } else { Vec::new() };
    cursor.blank();
    let rest = cursor.rest().trim_end();
    if rest.is_empty() {
        return Err(cursor.wrong("a sample has a value after its name"));
    }
    let (number, time) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
    // Of Rust's own words for what is no number Go knows these too, in any case.
    let value = number.parse().map_err(|_| cursor.wrong(&format!("`{number}` is no number")))?;
    let time = time.trim_start();
    if !time.is_empty() && time.parse::<i64>().is_err() {
        cursor.at = cursor.line.trim_end().len() - time.len();
        return Err(cursor.wrong(&format!("`{time}` is no time in milliseconds")));
    }
    Ok(Sample { name: name.to_owned(), labels, value })
}

/// What stands behind a `{`, up to its `}`.
fn labels(cursor: &mut Cursor<'_>) -> Result<Vec<(String, String)>, Wrong> {
    let mut labels: Vec<(String, String)> = Vec::new();
    loop {
        cursor.blank();
        if cursor.eat('}') {
            return Ok(labels);
        }
        let before = *cursor;
        let Some(key) = cursor.name("") else { return Err(cursor.wrong("the name of a label is missing")) };
        if labels.iter().any(|(own, _)| own == key) {
            return Err(before.wrong(&format!("the label `{key}` is there twice")));
        }
        cursor.blank();
        if !cursor.eat('=') {
            return Err(cursor.wrong(&format!("after the label `{key}` stands `=`")));
        }
        cursor.blank();
        if !cursor.eat('"') {
            return Err(cursor.wrong(&format!("the value of `{key}` does not begin with `\"`")));
        }
        let value = value(cursor, key)?;
        labels.push((key.to_owned(), value));
        cursor.blank();
        if !cursor.eat(',') && !cursor.rest().starts_with('}') {
            return Err(cursor.wrong("after a label stands `,` or `}`"));
        }
    }
}

/// The value of a label behind its `"`, up to the other one.
fn value(cursor: &mut Cursor<'_>, key: &str) -> Result<String, Wrong> {
    let mut value = String::new();
    loop {
        let rest = cursor.rest();
        let end = rest.find(['"', '\\']).unwrap_or(rest.len());
        value.push_str(&rest[..end]);
        cursor.at += end;
        if cursor.eat('"') {
            return Ok(value);
        }
        let before = *cursor;
        if !cursor.eat('\\') {
            return Err(cursor.wrong(&format!("the value of `{key}` has no end: write `\"` there")));
        }
        let escaped = [('\\', '\\'), ('"', '"'), ('n', '\n')].into_iter().find(|(written, _)| cursor.eat(*written));
        let Some((_, meant)) = escaped else {
            return Err(before.wrong("only `\\\\`, `\\\"` and `\\n` can follow a `\\`"));
        };
        value.push(meant);
    }
}

/// A place in a line.
#[derive(Clone, Copy)]
struct Cursor<'a> {
    line: &'a str,
    /// In bytes.
    at: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a str {
        &self.line[self.at..]
    }

    fn eat(&mut self, c: char) -> bool {
        let there = self.rest().starts_with(c);
        self.at += if there { c.len_utf8() } else { 0 };
        there
    }

    fn blank(&mut self) {
        self.at = self.line.len() - self.rest().trim_start_matches([' ', '\t']).len();
    }

    /// A name of letters, digits, `_` and what else is allowed, which begins with no digit; none when none stands here.
    fn name(&mut self, more: &str) -> Option<&'a str> {
        let rest = self.rest();
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || more.contains(c)));
        let name = &rest[..end.unwrap_or(rest.len())];
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        self.at += name.len();
        Some(name)
    }

    fn wrong(&self, what: &str) -> Wrong {
        (self.line[..self.at].chars().count() + 1, what.to_owned())
    }
}

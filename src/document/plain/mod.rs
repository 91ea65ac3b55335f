//! A short way through plain YAML: the same tree as the parser makes of it, at a small part of the cost.
//!
//! Plain is what has, on one line each, keys, scalars and collections in brackets, laid out by indentation, and blocks of
//! text that keep or fold their lines. Whatever else a text may hold (anchors, tags, scalars over several lines, values
//! that are empty, mistakes) ends the short way, and the parser reads the text from its beginning. So it need not know all of YAML, but what it reads it must read
//! as the parser does: a test compares both trees.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use super::{Diagnostic, Entry, Node, Place, Source, Value, limits, parse, yaml};

/// Reads one document, as [`parse`] does, fast where it is plain.
pub fn parse_plain(source: &Arc<Source>) -> (Option<Node>, Vec<Diagnostic>) {
    match short(source) {
        Some(node) => (Some(node), Vec::new()),
        None => parse(source),
    }
}

/// Reads a file as Jackson does, and so Kestra its flows, fast where it is plain: what Jackson reads otherwise (aliases, values
/// that are empty, what comes after the first document) is not.
pub fn parse_jackson(source: &Arc<Source>) -> (Option<Node>, Vec<Diagnostic>) {
    match short(source) {
        Some(node) => (Some(node), Vec::new()),
        None => yaml::parse_jackson(source),
    }
}

/// The tree of a plain text as programs in Go read it, and so Prometheus its rules; none when it is not plain, or has merge
/// keys, which they follow. Where its lists and mappings end may be told otherwise than [`parse_go`](yaml::parse_go) tells it.
pub fn plain_go(source: &Arc<Source>) -> Option<Node> {
    if source.text.contains("<<") { None } else { short(source) }
}

/// The tree of a plain text; none when it is not plain.
fn short(source: &Arc<Source>) -> Option<Node> {
    let text = source.text.as_bytes();
    // Without an early end, so that many bytes are looked at at once.
    let plain = text.iter().fold(true, |plain, byte| plain & (matches!(byte, b' '..=b'~') | (*byte == b'\n')));
    if text.len() > limits::FILE || !plain {
        return None;
    }
    let mut cursor = Cursor { source, text, at: 0, line: 0, nodes: 0 };
    cursor.next_content();
    let node = cursor.block(0)?;
    (cursor.at == text.len()).then_some(node)
}

/// The bytes that may end a scalar without quotes, or mean that it is none.
const MARKS: [bool; 256] = {
    let mut marks = [false; 256];
    let all = b"\n,[]{}:#";
    let mut at = 0;
    while at < all.len() {
        marks[all[at] as usize] = true;
        at += 1;
    }
    marks
};

/// A place in the text. Its methods return nothing where the text is not plain.
struct Cursor<'s> {
    source: &'s Arc<Source>,
    text: &'s [u8],
    at: usize,
    /// Where its line begins.
    line: usize,
    nodes: usize,
}

impl Cursor<'_> {
    fn byte(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }
    fn column(&self) -> usize {
        self.at - self.line
    }
    /// Whether a byte ends a word: a space, the end of the line or of the text.
    fn ends(&self, at: usize) -> bool {
        self.text.get(at).is_none_or(|byte| matches!(byte, b' ' | b'\n'))
    }
    fn spaces(&mut self) {
        while self.byte() == Some(b' ') {
            self.at += 1;
        }
    }

    /// Over spaces, comments and ends of lines to what comes next.
    fn next_content(&mut self) {
        loop {
            self.spaces();
            match self.byte() {
                Some(b'\n') => {
                    self.at += 1;
                    self.line = self.at;
                }
                // Where a comment may begin, only white space was before it.
                Some(b'#') => {
                    let rest = &self.text[self.at..];
                    self.at += rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
                }
                _ => return,
            }
        }
    }

    /// Whether nothing but a comment follows on this line.
    fn line_ends(&mut self) -> bool {
        let before = self.at;
        self.spaces();
        match self.byte() {
            None | Some(b'\n') => true,
            Some(b'#') => self.at > before,
            Some(_) => false,
        }
    }

    fn node(&mut self, value: Value, start: usize, end: usize) -> Option<Node> {
        self.nodes += 1;
        (self.nodes <= limits::NODES)
            .then(|| Node { value, place: Place { source: Arc::clone(self.source), range: start..end } })
    }

    /// A node laid out by indentation, at the cursor.
    fn block(&mut self, depth: usize) -> Option<Node> {
        if depth > limits::DEPTH {
            return None;
        }
        let (start, column) = (self.at, self.column());
        // The start of another document, or what ends one.
        if column == 0 && ["---", "...", "%"].iter().any(|mark| self.text[start..].starts_with(mark.as_bytes())) {
            return None;
        }
        match self.byte()? {
            b'-' if self.ends(start + 1) => self.sequence(column, depth),
            b'[' | b'{' => {
                let node = self.flow(depth)?;
                self.line_ends().then_some(())?;
                self.next_content();
                Some(node)
            }
            _ => self.mapping(column, depth),
        }
    }

    fn sequence(&mut self, column: usize, depth: usize) -> Option<Node> {
        let start = self.at;
        let mut items: Vec<Node> = Vec::new();
        while self.byte() == Some(b'-') && self.column() == column && self.ends(self.at + 1) {
            self.at += 1;
            let item = self.value(column, false, depth)?;
            items.push(item);
        }
        self.closed(column)?;
        let end = items.last()?.place.range.end;
        self.node(Value::Sequence(items), start, end)
    }

    fn mapping(&mut self, column: usize, depth: usize) -> Option<Node> {
        let start = self.at;
        let mut entries: Vec<Entry> = Vec::new();
        while self.column() == column && self.byte().is_some_and(|byte| byte != b'-') {
            let key = self.scalar(false)?;
            let Value::Scalar { text, .. } = key.value else { return None };
            (self.byte() == Some(b':') && self.ends(self.at + 1)).then_some(())?;
            self.at += 1;
            let value = self.value(column, true, depth)?;
            enter(&mut entries, text, key.place, value)?;
        }
        self.closed(column)?;
        let end = entries.last()?.value.place.range.end;
        self.node(Value::Mapping(entries), start, end)
    }

    /// Whether a block of this column is over: what follows belongs to one further out, or nothing does.
    fn closed(&self, column: usize) -> Option<()> {
        (self.byte().is_none() || self.column() < column).then_some(())
    }

    /// What stands behind a dash or a key that began at this column, and the way to the next line with content.
    fn value(&mut self, column: usize, of_key: bool, depth: usize) -> Option<Node> {
        if self.line_ends() {
            self.next_content();
            self.byte()?;
            return if self.column() > column { self.block(depth + 1) } else { None };
        }
        // Several keys may follow a dash, or another dash.
        if !of_key && (self.has_key() || self.byte() == Some(b'-') && self.ends(self.at + 1)) {
            return self.block(depth + 1);
        }
        let node = match self.byte()? {
            b'[' | b'{' => self.flow(depth + 1)?,
            b'|' | b'>' => return self.text(column),
            _ => self.scalar(false)?,
        };
        self.line_ends().then_some(())?;
        self.next_content();
        // What is further in goes on with the scalar.
        (self.byte().is_none() || self.column() <= column).then_some(node)
    }

    /// A block of text that keeps its lines, or folds them, of what began at this column, and the way to the next line with
    /// content.
    fn text(&mut self, column: usize) -> Option<Node> {
        let folds = self.byte() == Some(b'>');
        self.at += 1;
        let strip = self.byte() == Some(b'-');
        self.at += usize::from(strip);
        (self.byte()? == b'\n').then_some(())?;
        self.at += 1;
        let spaces = |line: &[u8]| line.iter().take_while(|byte| **byte == b' ').count();
        let indent = spaces(&self.text[self.at..]);
        // Lines before the text, or text at the column of its key, are for the parser.
        (indent > column && self.text.get(self.at + indent)? != &b'\n').then_some(())?;
        // The parser says that it begins with its first letter.
        let start = self.at + indent;
        let (mut text, mut end) = (String::new(), start);
        loop {
            self.line = self.at;
            let rest = &self.text[self.at..];
            let blanks = spaces(rest);
            match rest.get(blanks) {
                // Blanks that are text, or trail it: rare.
                None if blanks > 0 => return None,
                None => break,
                Some(b'\n') if blanks > indent => return None,
                Some(b'\n') => {
                    text.push('\n');
                    self.at += blanks + 1;
                }
                Some(_) if blanks >= indent => {
                    // The last line of a file without its end is another case.
                    let length = rest.iter().position(|byte| *byte == b'\n')?;
                    if folds {
                        // What is further in is not folded, and blanks at the end of a line are text: both rare.
                        (blanks == indent && rest.get(length - 1)? != &b' ').then_some(())?;
                        fold(&mut text);
                    }
                    text.push_str(self.source.text.get(self.at + indent..=self.at + length)?);
                    end = self.at + length;
                    self.at += length + 1;
                }
                Some(_) if blanks <= column => break,
                Some(_) => return None,
            }
        }
        let kept = text.trim_end_matches('\n').len();
        text.truncate(kept);
        if !strip {
            text.push('\n');
        }
        self.next_content();
        let end = start + self.source.text.get(start..end)?.trim_end().len();
        self.node(Value::Scalar { text, plain: false }, start, end)
    }

    /// Whether a key without quotes begins here.
    fn has_key(&self) -> bool {
        let rest = self.text[self.at..].iter().take_while(|byte| !matches!(byte, b'\n' | b'[' | b'{' | b'"' | b'\''));
        rest.enumerate().any(|(index, byte)| *byte == b':' && self.ends(self.at + index + 1))
    }

    /// A collection in brackets, all on one line.
    fn flow(&mut self, depth: usize) -> Option<Node> {
        if depth > limits::DEPTH {
            return None;
        }
        let start = self.at;
        let sequence = self.byte() == Some(b'[');
        let close = if sequence { b']' } else { b'}' };
        let (mut items, mut entries) = (Vec::new(), Vec::new());
        self.at += 1;
        self.spaces();
        while self.byte()? != close {
            if sequence {
                items.push(self.flow_value(depth)?);
            } else {
                let quoted = matches!(self.byte(), Some(b'"' | b'\''));
                let key = self.scalar(true)?;
                let Value::Scalar { text, .. } = key.value else { return None };
                (self.byte() == Some(b':') && (quoted || self.text.get(self.at + 1) == Some(&b' '))).then_some(())?;
                self.at += 1;
                self.spaces();
                let value = self.flow_value(depth)?;
                enter(&mut entries, text, key.place, value)?;
            }
            self.spaces();
            match self.byte()? {
                b',' => {
                    self.at += 1;
                    self.spaces();
                    // A comma before the end is allowed, and rare.
                    (self.byte()? != close).then_some(())?;
                }
                byte if byte == close => {}
                _ => return None,
            }
        }
        self.at += 1;
        let value = if sequence { Value::Sequence(items) } else { Value::Mapping(entries) };
        self.node(value, start, self.at)
    }

    fn flow_value(&mut self, depth: usize) -> Option<Node> {
        match self.byte()? {
            b'[' | b'{' => self.flow(depth + 1),
            _ => {
                let node = self.scalar(true)?;
                self.spaces();
                // No key among values.
                matches!(self.byte()?, b',' | b']' | b'}').then_some(node)
            }
        }
    }

    /// A scalar, or the key of a mapping, which ends before its colon.
    fn scalar(&mut self, in_flow: bool) -> Option<Node> {
        let start = self.at;
        let quote = self.byte()?;
        let (value, end) = match quote {
            b'"' | b'\'' => {
                let text = self.quoted(quote)?;
                (Value::Scalar { text, plain: false }, self.at)
            }
            _ => {
                let end = self.unquoted(in_flow)?;
                let text = self.source.text.get(start..end)?;
                let null = matches!(text, "~" | "null" | "Null" | "NULL");
                (if null { Value::Null } else { Value::Scalar { text: text.to_owned(), plain: true } }, end)
            }
        };
        self.node(value, start, end)
    }

    /// Over a scalar without quotes; where its text ends.
    fn unquoted(&mut self, in_flow: bool) -> Option<usize> {
        let first = self.byte()?;
        let indicator = matches!(
            first,
            b'?' | b':'
                | b','
                | b'['
                | b']'
                | b'{'
                | b'}'
                | b'#'
                | b'&'
                | b'*'
                | b'!'
                | b'|'
                | b'>'
                | b'%'
                | b'@'
                | b'`'
        );
        if indicator || first == b'-' && !self.text.get(self.at + 1).is_some_and(u8::is_ascii_alphanumeric) {
            return None;
        }
        let start = self.at;
        // Most bytes mean nothing but themselves.
        loop {
            let rest = &self.text[self.at..];
            self.at += rest.iter().position(|byte| MARKS[usize::from(*byte)]).unwrap_or(rest.len());
            match self.byte() {
                None | Some(b'\n') => break,
                Some(b',' | b'[' | b']' | b'{' | b'}') if in_flow => break,
                Some(b':') if self.ends(self.at + 1) => break,
                Some(b':')
                    if in_flow && matches!(self.text.get(self.at + 1), Some(b',' | b'[' | b']' | b'{' | b'}')) =>
                {
                    return None;
                }
                Some(b'#') if self.text.get(self.at - 1) == Some(&b' ') => break,
                Some(_) => self.at += 1,
            }
        }
        // Back to the end of the text, so that what follows it is seen.
        self.at -= self.text[start..self.at].iter().rev().take_while(|byte| **byte == b' ').count();
        Some(self.at)
    }

    /// Over a scalar in quotes; its text.
    fn quoted(&mut self, quote: u8) -> Option<String> {
        self.at += 1;
        let mut text = String::new();
        // Most have nothing in them that means anything but itself: looked for without an early end, as above.
        let rest = self.source.text.get(self.at..)?;
        let whole = rest.get(..rest.find(char::from(quote))?)?;
        let special = whole.bytes().fold(false, |special, byte| special | matches!(byte, b'\\' | b'\n'));
        if !special && (quote == b'"' || rest.as_bytes().get(whole.len() + 1) != Some(&quote)) {
            self.at += whole.len() + 1;
            return Some(whole.to_owned());
        }
        loop {
            let rest = &self.text[self.at..];
            let length = rest.iter().position(|byte| *byte == quote || matches!(byte, b'\\' | b'\n'))?;
            text.push_str(self.source.text.get(self.at..self.at + length)?);
            self.at += length;
            match self.byte()? {
                b'\n' => return None,
                b'\\' if quote == b'\'' => text.push('\\'),
                b'\\' => {
                    self.at += 1;
                    text.push(match self.byte()? {
                        b'"' => '"',
                        b'\\' => '\\',
                        b'n' => '\n',
                        b't' => '\t',
                        _ => return None,
                    });
                }
                _ if quote == b'\'' && self.text.get(self.at + 1) == Some(&quote) => {
                    self.at += 1;
                    text.push('\'');
                }
                _ => {
                    self.at += 1;
                    return Some(text);
                }
            }
            self.at += 1;
        }
    }
}

/// Before the next line: the end of the last one becomes a blank, or where lines without text follow it, is left out.
fn fold(text: &mut String) {
    if text.pop().is_some_and(|last| last == '\n') && !text.ends_with('\n') {
        text.push(' ');
    }
}

/// YAML knows no longer keys.
const LONGEST_KEY: usize = 1_000;

/// One more key; a second one of the same name is a mistake.
fn enter(entries: &mut Vec<Entry>, key: String, place: Place, value: Node) -> Option<()> {
    if place.range.len() > LONGEST_KEY || entries.iter().any(|entry| entry.key == key) {
        return None;
    }
    entries.push(Entry { key, place, value });
    Some(())
}

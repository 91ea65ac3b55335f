//! A short way through plain YAML: the same tree as the parser makes of it, at a small part of the cost.
//!
//! Plain is what has, on one line each, keys, scalars and collections in brackets, laid out by indentation. Whatever else a
//! text may hold (anchors, tags, blocks of text, scalars over several lines, values that are empty, mistakes) ends the short
//! way, and the parser reads the text from its beginning. So it need not know all of YAML, but what it reads it must read
//! as the parser does: a test compares both trees.

use std::sync::Arc;

use super::{Diagnostic, Entry, Node, Place, Source, Value, limits, parse};

/// Reads one document, as [`parse`] does, fast where it is plain.
pub fn parse_plain(source: &Arc<Source>) -> (Option<Node>, Vec<Diagnostic>) {
    match short(source) {
        Some(node) => (Some(node), Vec::new()),
        None => parse(source),
    }
}

/// The tree of a plain text; none when it is not plain.
fn short(source: &Arc<Source>) -> Option<Node> {
    let text = source.text.as_bytes();
    let printable = |byte: &u8| matches!(byte, b' '..=b'~' | b'\n');
    if text.len() > limits::FILE || !text.iter().all(printable) {
        return None;
    }
    let mut cursor = Cursor { source, text, at: 0, line: 0, nodes: 0 };
    cursor.to_content();
    let node = cursor.block(0)?;
    (cursor.at == text.len()).then_some(node)
}

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
    fn to_content(&mut self) {
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
                self.to_content();
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
            self.to_content();
            self.byte()?;
            return if self.column() > column { self.block(depth + 1) } else { None };
        }
        // Several keys may follow a dash, or another dash.
        if !of_key && (self.has_key() || self.byte() == Some(b'-') && self.ends(self.at + 1)) {
            return self.block(depth + 1);
        }
        let node = match self.byte()? {
            b'[' | b'{' => self.flow(depth + 1)?,
            _ => self.scalar(false)?,
        };
        self.line_ends().then_some(())?;
        self.to_content();
        // What is further in goes on with the scalar.
        (self.byte().is_none() || self.column() <= column).then_some(node)
    }

    /// Whether a key without quotes begins here.
    fn has_key(&self) -> bool {
        let rest = self.text[self.at..].iter().take_while(|byte| !matches!(byte, b'\n' | b'[' | b'{' | b'"' | b'\''));
        let length = rest.clone().count();
        let mut keys = rest.enumerate().filter(|(index, byte)| **byte == b':' && self.ends(self.at + index + 1));
        length > 0 && keys.next().is_some()
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
                let text = std::str::from_utf8(&self.text[start..end]).ok()?;
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
            b'?' | b':' | b',' | b'[' | b']' | b'{' | b'}' | b'#' | b'&' | b'*' | b'!' | b'|' | b'>' | b'%' | b'@' | b'`'
        );
        if indicator || first == b'-' && !self.text.get(self.at + 1).is_some_and(u8::is_ascii_alphanumeric) {
            return None;
        }
        let mut end = self.at;
        while let Some(byte) = self.byte() {
            match byte {
                b'\n' => break,
                b',' | b'[' | b']' | b'{' | b'}' if in_flow => break,
                b':' if self.ends(self.at + 1) => break,
                b':' if in_flow && matches!(self.text.get(self.at + 1), Some(b',' | b'[' | b']' | b'{' | b'}')) => {
                    return None;
                }
                b'#' if self.text.get(self.at - 1) == Some(&b' ') => break,
                b' ' => {}
                _ => end = self.at + 1,
            }
            self.at += 1;
        }
        // Back to the end of the text, so that what follows it is seen.
        self.at = end;
        Some(end)
    }

    /// Over a scalar in quotes; its text.
    fn quoted(&mut self, quote: u8) -> Option<String> {
        self.at += 1;
        let mut text = String::new();
        loop {
            let rest = &self.text[self.at..];
            let length = rest.iter().position(|byte| *byte == quote || matches!(byte, b'\\' | b'\n'))?;
            text.push_str(std::str::from_utf8(&rest[..length]).ok()?);
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

/// One more key; a second one of the same name is a mistake.
fn enter(entries: &mut Vec<Entry>, key: String, place: Place, value: Node) -> Option<()> {
    if entries.iter().any(|entry| entry.key == key) {
        return None;
    }
    entries.push(Entry { key, place, value });
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

    use super::*;

    fn source(text: &str) -> Arc<Source> {
        Arc::new(Source { name: "plain.yaml".to_owned(), text: text.to_owned() })
    }

    /// The same tree: values, where they begin, and of what is on one line where it ends.
    fn same(short: &Node, long: &Node) -> Result<(), String> {
        let told = |node: &Node| format!("{:?} {}", node.place.range, &node.place.source.text[node.place.range.clone()]);
        let differ = || Err(format!("{} is not {}", told(short), told(long)));
        let (ours, theirs) = (&short.place.range, &long.place.range);
        let scalar = matches!(short.value, Value::Null | Value::Scalar { .. });
        if ours.start != theirs.start || scalar && ours.end != theirs.end {
            return differ();
        }
        match (&short.value, &long.value) {
            (Value::Sequence(ours), Value::Sequence(theirs)) if ours.len() == theirs.len() => {
                ours.iter().zip(theirs).try_for_each(|(ours, theirs)| same(ours, theirs))
            }
            (Value::Mapping(ours), Value::Mapping(theirs)) if ours.len() == theirs.len() => {
                ours.iter().zip(theirs).try_for_each(|(ours, theirs)| {
                    let key = (&ours.key, &ours.place) == (&theirs.key, &theirs.place);
                    if key { same(&ours.value, &theirs.value) } else { differ() }
                })
            }
            (ours, theirs) if scalar && ours == theirs => Ok(()),
            _ => differ(),
        }
    }

    /// Whether a text is plain; then both ways lead to the same tree.
    fn compared(text: &str) -> bool {
        let source = source(text);
        let Some(ours) = short(&source) else { return false };
        let (theirs, told) = parse(&source);
        assert!(told.is_empty(), "{text:?}: {told:?}");
        same(&ours, &theirs.expect("a tree")).unwrap_or_else(|differ| panic!("{text:?}: {differ}"));
        true
    }

    fn files(folder: &std::path::Path, found: &mut Vec<std::path::PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                files(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
                found.push(path);
            }
        }
    }

    #[test]
    fn the_files_of_versions_are_plain_and_any_plain_file_is_read_as_the_parser_reads_it() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut found = Vec::new();
        for folder in ["src", "scenarios", "tests"] {
            files(&root.join(folder), &mut found);
        }
        let (mut plain, mut versions) = (0, 0);
        for path in &found {
            let Ok(text) = std::fs::read_to_string(path) else { continue };
            let is_plain = compared(&text);
            plain += usize::from(is_plain);
            if path.starts_with(root.join("src/profile/versions")) {
                versions += 1;
                assert!(is_plain, "{} is not plain", path.display());
            }
        }
        assert!(versions >= 12 && plain > 30, "{versions} of versions, {plain} in all");
    }

    #[test]
    fn what_is_plain() {
        for text in [
            "a: 1",
            "a: b c # d\nb: 'it''s'\n\n# e\nc: \"x\\\"y\"\n",
            "- a\n- b: 1\n  c: [1, {d: e}, 'f', \"g\"]\n-\n  h: {}\n",
            "a:\n  - b\n  - - c\n    - d\ne:\n    f: g:h\n    i: http://j#k\n",
            "[a, b]\n",
            "{ \"a\": 1, 'b':2, c: ~ }",
            "a: -1\nb: -x\nc: a, b [c] {d}\n\"e\": f\n",
        ] {
            assert!(compared(text), "{text:?}");
        }
        for text in [
            "", "a:", "a: &b c", "a: |\n  b\n", "a: b\n  c\n", "- a\n b\n", "a: [b,\n c]", "a: b: c", "a: 'b\n  c'", "a: 1\na: 2",
            "a: [b: c]", "a: [b,]", "---\na: 1", "a: !b c", "a: *b", "? a\n: b", "a: \"\\x41\"", "a: {b}", "\ta: 1", "a: [b]c", "a",
            "a: b\n- c\n", "a:\n- b\n", "  a: 1\n b: 2\n", "a: 1\n  b: 2\n", "{a: b} c", "é: 1",
        ] {
            assert!(!compared(text), "{text:?}");
        }
    }

    #[test]
    fn for_all_texts_a_plain_one_is_read_as_the_parser_reads_it() {
        let word = prop_oneof![
            4 => "[ab1.-]{1,3}( [ab:#'\"/-]{1,3}){0,2}",
            2 => "'[ab:#, ]{0,4}('')?[\\[\\]{}\"]{0,2}'",
            2 => "\"[ab:#, ]{0,4}(\\\\[\"ntx])?['\\[\\]{}]{0,2}\"",
            2 => "\\[( {0,2}['\"]?[ab:#{}-]{1,3}['\"]? ?,?){0,3}\\]",
            2 => "\\{( {0,2}['\"]?[ab]['\"]?: ?[ab:#'\"\\[\\]{}-]{1,4},?){0,3} ?\\}",
            1 => "[ab:#,&*!|>%@`?'\"\\[\\]{} \\-\n~\\\\]{0,14}",
            2 => "",
        ];
        let lines = proptest::collection::vec(
            ("( {0,2}|    )", "(- |)(- |)", "([a-c]: |[a-c]: |[a-c]:|'a': |)", word, "( # x|)").prop_map(|(a, b, c, d, e)| a + &b + &c + &d + &e),
            1..5,
        );
        let config = ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() };
        let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
        let plain = std::cell::Cell::new(0);
        let result = runner.run(&lines, |lines| {
            plain.set(plain.get() + usize::from(compared(&lines.join("\n"))));
            Ok(())
        });
        result.unwrap_or_else(|failure| panic!("{failure}"));
        assert!(plain.get() > 1_000, "{} were plain", plain.get());
    }
}

//! Places inside the text of a scalar.

use std::ops::Range;
use std::sync::Arc;

use super::{Node, Place, Source, Value};

impl Node {
    /// Where a part of the text of a scalar stands: bytes of the text, from and to. Where it is written otherwise than it
    /// reads (with escapes), the text is shown as a source of its own.
    pub fn place_of(&self, part: Range<usize>) -> Place {
        let Value::Scalar { text, .. } = &self.value else { return self.place.clone() };
        let Place { source, range } = &self.place;
        let written = source.text.get(range.clone()).unwrap_or("");
        match aligned(written, text, &part) {
            Some(found) => Place { source: source.clone(), range: range.start + found.start..range.start + found.end },
            None => {
                let name = format!("{} (line {})", source.name, self.place.line_and_column().0);
                let end = part.end.min(text.len());
                Place { source: Arc::new(Source { name, text: text.clone() }), range: part.start.min(end)..end }
            }
        }
    }
}

/// Where a part of a text stands in a scalar as it is written. YAML folds and indents with white space only: the n-th other
/// character of the text is the n-th of what is written, or else there is an escape.
fn aligned(written: &str, text: &str, part: &Range<usize>) -> Option<Range<usize>> {
    let begin = match written.chars().next()? {
        '|' | '>' => written.find('\n')? + 1,
        '"' | '\'' => 1,
        _ => 0,
    };
    let end = if begin == 1 { written.len().checked_sub(1)? } else { written.len() };
    let visible =
        |text: &str| -> Vec<(usize, char)> { text.char_indices().filter(|(_, c)| !c.is_whitespace()).collect() };
    let (there, here) = (visible(written.get(begin..end)?), visible(text));
    if there.iter().map(|(_, c)| c).ne(here.iter().map(|(_, c)| c)) {
        return None;
    }
    let offset = |index: usize| there.get(index).map(|(at, _)| begin + at);
    let after = |index: usize| there.get(index).map_or(begin, |(at, c)| begin + at + c.len_utf8());
    // Characters before the part, and before its end.
    let (first, last) =
        (here.partition_point(|(at, _)| *at < part.start), here.partition_point(|(at, _)| *at < part.end));
    Some(match (first < last, first.checked_sub(1)) {
        (true, _) => offset(first)?..after(last - 1),
        // Nothing of it can be seen: it lies behind what comes before.
        (false, Some(before)) => after(before)..after(before),
        (false, None) => offset(0).map_or(begin..begin, |first| first..first),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::parse;

    /// What is shown of the last word of the text at `expr`: line, column, source, and the word as it stands there.
    #[track_caller]
    fn check(yaml: &str, word: &str, expected: (usize, usize, &str, &str)) {
        let source = Arc::new(Source { name: "a.yml".into(), text: yaml.into() });
        let (root, diagnostics) = parse(&source);
        assert!(diagnostics.is_empty(), "{yaml}: {diagnostics:?}");
        let Some(Node { value: Value::Mapping(entries), .. }) = root else { panic!("{yaml}") };
        let node = &entries[0].value;
        let Value::Scalar { text, .. } = &node.value else { panic!("{yaml}") };
        let at = text.rfind(word).expect("it is there");
        let place = node.place_of(at..at + word.len());
        let (line, column) = place.line_and_column();
        let shown = &place.source.text[place.range.clone()];
        assert_eq!((line, column, place.source.name.as_str(), shown), expected, "{yaml}");
    }

    #[test]
    fn a_part_of_a_scalar_is_found_in_every_style() {
        check("expr: up == 1 # no\n", "1", (1, 13, "a.yml", "1"));
        check("expr: up\n  == 1\n", "1", (2, 6, "a.yml", "1"));
        check("expr: 'up == 1'\n", "1", (1, 14, "a.yml", "1"));
        check("expr: \"up == 1\"\n", "1", (1, 14, "a.yml", "1"));
        check("expr: |\n  up\n    == 1\nb: 2\n", "1", (3, 8, "a.yml", "1"));
        check("expr: |-2\n    up\n    == 1\n", "== 1", (3, 5, "a.yml", "== 1"));
        check("expr: >\n  up\n  == 1\n\nb: 2\n", "1", (3, 6, "a.yml", "1"));
        check("expr: |\n\n  é == 1\n", "1", (3, 8, "a.yml", "1"));
        check("{ expr: é == 1, b: 2 }\n", "== 1", (1, 11, "a.yml", "== 1"));
    }

    #[test]
    fn what_is_written_with_escapes_is_shown_as_it_reads() {
        check("expr: \"up{a=\\\"b\\\"} == 1\"\n", "1", (1, 14, "a.yml (line 1)", "1"));
        check("b: 1\nexpr: 2\n", "1", (1, 4, "a.yml", "1"));
        check("expr: 'up{a=''b''}'\n", "}", (1, 9, "a.yml (line 1)", "}"));
    }

    #[test]
    fn an_end_lies_behind_what_is_last() {
        let source = Arc::new(Source { name: "a.yml".into(), text: "expr: |\n  up ==\n\nb: 1\n".into() });
        let (root, _) = parse(&source);
        let Some(Node { value: Value::Mapping(entries), .. }) = root else { panic!("a mapping") };
        assert_eq!(entries[0].value.place_of(5..5).line_and_column(), (2, 8));
        assert_eq!(entries[0].value.place_of(0..0).line_and_column(), (2, 3));
        assert_eq!(entries[1].value.place_of(7..90).line_and_column(), (4, 5));
    }
}

//! Patterns that are no more than texts, classes of characters and whatever stands between them, as in `jdbc-queue-[A-Z].*`:
//! most of those in rules. They are compared as they are read: to compile one costs as much as thousands of comparisons.

use regex_syntax::hir::{Class, ClassUnicode, Hir, HirKind};

/// A pattern that covers a whole value.
#[derive(Clone, Debug)]
pub(super) struct Glob(Vec<Piece>);

#[derive(Clone, Debug)]
enum Piece {
    /// These characters.
    Text(String),
    /// One of these.
    One(ClassUnicode),
    /// Any number of any.
    Any,
}

impl Glob {
    /// Of a pattern in the syntax of the crate `regex`; none when it is more than that, or not sound.
    pub(super) fn of(pattern: &str) -> Option<Glob> {
        let tree = regex_syntax::Parser::new().parse(&format!("(?s:{pattern})")).ok()?;
        let mut pieces = Vec::new();
        let parts = match tree.kind() {
            HirKind::Concat(parts) => parts.as_slice(),
            _ => std::slice::from_ref(&tree),
        };
        parts.iter().try_for_each(|part| add(part, &mut pieces))?;
        Some(Glob(pieces))
    }

    /// Whether it covers a value.
    pub(super) fn is_match(&self, value: &str) -> bool {
        let (mut pieces, mut rest) = (self.0.as_slice(), value);
        // What follows the last piece that takes any number of characters, and where that began. Those before it need not be
        // asked again: what comes between them fits as early as it can.
        let mut again = None;
        loop {
            let next = match pieces.split_first() {
                None if rest.is_empty() => return true,
                None => None,
                Some((Piece::Any, after)) => {
                    again = Some((after, rest));
                    again
                }
                Some((piece, after)) => piece.taken(rest).map(|rest| (after, rest)),
            };
            let Some(next) = next.or_else(|| one_more(&mut again)) else { return false };
            (pieces, rest) = next;
        }
    }
}

/// The last piece that takes any number of characters takes one more.
fn one_more<'p, 'v>(again: &mut Option<(&'p [Piece], &'v str)>) -> Option<(&'p [Piece], &'v str)> {
    let (after, from) = (*again)?;
    let mut characters = from.chars();
    characters.next()?;
    *again = Some((after, characters.as_str()));
    *again
}

impl Piece {
    /// What is left of a text that begins with it.
    fn taken<'v>(&self, text: &'v str) -> Option<&'v str> {
        match self {
            Piece::Text(own) => text.strip_prefix(own.as_str()),
            Piece::One(class) => {
                let mut characters = text.chars();
                let first = characters.next()?;
                has(class, first).then_some(characters.as_str())
            }
            Piece::Any => Some(text),
        }
    }
}

fn has(class: &ClassUnicode, character: char) -> bool {
    class.ranges().iter().any(|range| (range.start()..=range.end()).contains(&character))
}

/// Adds a part of a pattern; none when it is no piece.
fn add(part: &Hir, pieces: &mut Vec<Piece>) -> Option<()> {
    match part.kind() {
        HirKind::Empty => {}
        HirKind::Literal(literal) => pieces.push(Piece::Text(String::from_utf8(literal.0.to_vec()).ok()?)),
        HirKind::Class(Class::Unicode(class)) => pieces.push(Piece::One(class.clone())),
        HirKind::Repetition(it) => {
            let HirKind::Class(Class::Unicode(class)) = it.sub.kind() else { return None };
            let all = matches!(class.ranges(), [range] if (range.start(), range.end()) == ('\0', char::MAX));
            (all && it.max.is_none() && it.min <= 1).then_some(())?;
            pieces.extend((it.min == 1).then(|| Piece::One(class.clone())));
            pieces.push(Piece::Any);
        }
        _ => return None,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glob_covers_what_the_regular_expression_covers() {
        let patterns = [
            "", ".*", ".+", "a", "a.*", ".*a", "a.+", ".+a", ".*a.*", "a.*a", ".*a.*b", "a.*b.*a", ".*ab", ".*aab.*",
            "[ab].*", ".*[ab]", "[^a].*", ".*[.]b", ".", "a.b", ".*é", ".*?a", "a\\.b", ".*.*a", "a(?:b).*", "(?i)a.*",
        ];
        let words =
            ["", "a", "b", "ab", "ba", "aab", "aba", "abab", "baab", "a.b", "axb", "é", "aé", "a\nb", "A", "Ab"];
        let compiled = |pattern: &str| regex::Regex::new(&format!("^(?s:{pattern})$")).expect("sound");
        for pattern in patterns {
            let (glob, regex) = (Glob::of(pattern).expect("a glob"), compiled(pattern));
            for word in words {
                assert_eq!(glob.is_match(word), regex.is_match(word), "{pattern} and {word:?}");
            }
        }
    }

    #[test]
    fn what_is_more_than_that_is_none() {
        for pattern in ["ab|cd", "a*", "a{2}", "(a)", "^a", "a$", "[ab]*", ".{2,}", "a?", "(", "(?-s:.)*"] {
            assert!(Glob::of(pattern).is_none(), "{pattern}");
        }
    }
}

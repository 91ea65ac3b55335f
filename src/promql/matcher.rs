//! Label matchers, and regular expressions as Go reads them.

use std::fmt::Write as _;

use regex::{Captures, Regex, RegexBuilder};
use regex_syntax::ast::{self, Ast, RepetitionKind, RepetitionRange};

use super::error::SyntaxError;
use super::glob::Glob;
use super::syntax::Span;

/// What is asked of a label.
#[derive(Clone, Debug)]
pub(super) struct Matcher {
    pub(super) span: Span,
    pub(super) name: String,
    /// `=`, `!=`, `=~` or `!~`.
    pub(super) op: &'static str,
    pub(super) value: String,
    /// Of `=~` and `!~`.
    pattern: Option<Pattern>,
}

/// What a regular expression lets through.
#[derive(Clone, Debug)]
enum Pattern {
    /// These words and no other: most of those in rules are no more than that, and need not be compiled.
    Words(Vec<String>),
    Glob(Glob),
    Regex(Regex),
}

impl Pattern {
    /// Of a whole value; none when it is not sound.
    fn of(pattern: &str) -> Option<Pattern> {
        // None of these means anything but itself, and a bar parts words when it stands in no parentheses.
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '/' | ':' | '|');
        match pattern.chars().all(plain) {
            true => Some(Pattern::Words(pattern.split('|').map(str::to_owned).collect())),
            false => {
                let sound = sound(pattern)?;
                Glob::of(&sound).map(Pattern::Glob).or_else(|| whole(&sound).map(Pattern::Regex))
            }
        }
    }

    fn is_match(&self, value: &str) -> bool {
        match self {
            Pattern::Words(words) => words.iter().any(|word| word == value),
            Pattern::Glob(glob) => glob.is_match(value),
            Pattern::Regex(regex) => regex.is_match(value),
        }
    }
}

impl Matcher {
    /// The operators of matchers.
    pub(super) const OPERATORS: &'static [&'static str] = &["=", "!=", "=~", "!~"];

    /// A matcher; `value_span` is where its value stands.
    pub(super) fn new(
        span: Span,
        name: String,
        op: &'static str,
        value: String,
        value_span: Span,
    ) -> Result<Matcher, SyntaxError> {
        let pattern = match op {
            "=~" | "!~" => Some(Pattern::of(&value).ok_or_else(|| {
                SyntaxError::new(value_span, "this regular expression is not sound")
                    .with_advice("regular expressions are those of Go (RE2), and cover the whole value")
            })?),
            _ => None,
        };
        Ok(Matcher { span, name, op, value, pattern })
    }

    /// Whether a value is what is asked for.
    pub(super) fn matches(&self, value: &str) -> bool {
        match (&self.pattern, self.op) {
            (Some(pattern), "=~") => pattern.is_match(value),
            (Some(pattern), _) => !pattern.is_match(value),
            (None, "=") => self.value == value,
            (None, _) => self.value != value,
        }
    }
}

/// A regular expression of Go that covers a whole value; none when it is not sound.
pub(crate) fn regex(pattern: &str) -> Option<Regex> {
    whole(&sound(pattern)?)
}

/// The same of one in the syntax of the crate.
fn whole(sound: &str) -> Option<Regex> {
    compiled(&format!("^(?s:{sound})$"))
}

/// A regular expression of Go that may match anywhere; none when it is not sound.
pub(crate) fn regex_anywhere(pattern: &str) -> Option<Regex> {
    compiled(&sound(pattern)?)
}

/// Bytes of a compiled expression: Go's largest, such as `\pL{1000}`, take more than the crate allows by itself.
const MAX_COMPILED: usize = 100 << 20;

fn compiled(pattern: &str) -> Option<Regex> {
    RegexBuilder::new(pattern).size_limit(MAX_COMPILED).build().ok()
}

/// What a template such as `$1-$2` comes to; none when that may be longer than `most` bytes, all of the match for each
/// reference: it is not made then.
pub(crate) fn expanded(captures: &Captures<'_>, template: &str, most: usize) -> Option<String> {
    let whole = captures.get(0).map_or(0, |whole| whole.len());
    let longest = template.matches('$').count().checked_mul(whole)?.checked_add(template.len())?;
    if longest > most {
        return None;
    }
    let mut text = String::new();
    captures.expand(template, &mut text);
    Some(text)
}

/// A pattern of Go in the syntax of the crate; none when Go refuses it.
fn sound(pattern: &str) -> Option<String> {
    let translated = translated(pattern)?;
    let tree = ast::parse::Parser::new().parse(&translated).ok()?;
    repeats(&tree, 1).then_some(translated)
}

/// Whether repetitions of repetitions stay within Go's bound: `times` is how often the part is repeated by those around it.
/// A `+` or `*` counts as once, and what is repeated 0 times is not looked into. The parser bounds the depth.
fn repeats(tree: &Ast, times: u32) -> bool {
    match tree {
        Ast::Repetition(it) => {
            let times = match &it.op.kind {
                RepetitionKind::Range(RepetitionRange::Exactly(0) | RepetitionRange::Bounded(_, 0)) => 1,
                RepetitionKind::Range(RepetitionRange::Exactly(most) | RepetitionRange::Bounded(_, most)) => {
                    times.saturating_mul(*most)
                }
                RepetitionKind::Range(RepetitionRange::AtLeast(least)) => times.saturating_mul((*least).max(1)),
                _ => times,
            };
            times <= MAX_REPEAT && repeats(&it.ast, times)
        }
        Ast::Group(group) => repeats(&group.ast, times),
        Ast::Alternation(all) => all.asts.iter().all(|it| repeats(it, times)),
        Ast::Concat(all) => all.asts.iter().all(|it| repeats(it, times)),
        _ => true,
    }
}

/// Go allows no more repetitions.
const MAX_REPEAT: u32 = 1000;

/// The classes of Go are those of ASCII.
const CLASSES: &[(char, &str)] = &[
    ('d', "[0-9]"),
    ('D', "[^0-9]"),
    ('w', "[0-9A-Za-z_]"),
    ('W', "[^0-9A-Za-z_]"),
    ('s', r"[\t\n\x0C\r ]"),
    ('S', r"[^\t\n\x0C\r ]"),
];

/// A pattern of Go in the syntax of the crate `regex`, which means more by some signs and less by others. What neither
/// understands is left for the crate to refuse; none when only Go refuses it.
fn translated(pattern: &str) -> Option<String> {
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut rest = pattern;
    // Whether a repetition has just been read: another must not follow.
    let mut repeated = false;
    while let Some(first) = rest.chars().next() {
        let after = &rest[first.len_utf8()..];
        let mut repeats = false;
        rest = match first {
            '\\' => escape(after, &mut out),
            '[' => class(after, &mut out),
            '(' => {
                out.push('(');
                if after.starts_with('?') && !group_is_go(after) {
                    return None;
                }
                after.strip_prefix('?').map_or(after, |after| {
                    out.push('?');
                    after
                })
            }
            '*' | '+' | '?' => {
                repeats = true;
                out.push(first);
                after
            }
            '{' => match repetition(rest) {
                Some((text, within)) => {
                    if !within {
                        return None;
                    }
                    repeats = true;
                    out.push_str(text);
                    &rest[text.len()..]
                }
                None => {
                    out.push_str("\\{");
                    after
                }
            },
            other => {
                out.push(other);
                after
            }
        };
        if repeats {
            if repeated {
                return None;
            }
            // Not greedy.
            if let Some(after) = rest.strip_prefix('?') {
                out.push('?');
                rest = after;
            }
        }
        repeated = repeats;
    }
    Some(out)
}

/// `(?i)`, `(?P<name>` and the like, without what only the crate knows.
fn group_is_go(after: &str) -> bool {
    let inside = &after[1..];
    let flags = inside.find([':', ')']).map_or("", |end| &inside[..end]);
    inside.starts_with("P<") || inside.starts_with('<') || flags.chars().all(|flag| "imsU-".contains(flag))
}

/// `{2}`, `{2,}` or `{2,3}` at the beginning of a text, and whether its numbers are within bounds.
fn repetition(text: &str) -> Option<(&str, bool)> {
    let end = text.find('}')?;
    let inside = &text[1..end];
    let (least, most) = inside.split_once(',').unwrap_or((inside, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if least.is_empty() || !digits(least) || !digits(most) {
        return None;
    }
    let within = |part: &str| part.is_empty() || part.parse::<u32>().is_ok_and(|count| count <= MAX_REPEAT);
    Some((&text[..=end], within(least) && within(most)))
}

/// Writes what follows a backslash; gives what is left.
fn escape<'t>(after: &'t str, out: &mut String) -> &'t str {
    let Some(escaped) = after.chars().next() else {
        out.push('\\');
        return after;
    };
    let rest = &after[escaped.len_utf8()..];
    if let Some((_, class)) = CLASSES.iter().find(|(letter, _)| *letter == escaped) {
        out.push_str(class);
        return rest;
    }
    match escaped {
        'Q' => {
            let (literal, rest) = rest.split_once("\\E").unwrap_or((rest, ""));
            out.push_str(&regex::escape(literal));
            return rest;
        }
        'b' if !rest.starts_with('{') => out.push_str(r"(?-u:\b)"),
        sign if sign.is_ascii() && !sign.is_ascii_alphanumeric() => {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\x{:02X}", u32::from(sign));
        }
        'p' | 'P' | 'x' if rest.starts_with('{') => return braced(escaped, rest, out),
        '0'..='7' => return octal(after, out),
        // What else has a meaning in Go.
        'A' | 'B' | 'P' | 'a' | 'f' | 'n' | 'p' | 'r' | 't' | 'v' | 'x' | 'z' => {
            out.push('\\');
            out.push(escaped);
        }
        // The crate would take some of these, and refuses this.
        _ => out.push_str("\\y"),
    }
    rest
}

/// Writes `\p{Greek}`, which may say what is not meant (`\p{^Greek}`), or `\x{10FFFF}`; gives what is left.
fn braced<'t>(letter: char, rest: &'t str, out: &mut String) -> &'t str {
    let Some((inside, after)) = rest[1..].split_once('}') else {
        out.push_str("\\y");
        return rest;
    };
    let surrogate = u32::from_str_radix(inside, 16).is_ok_and(|code| (0xd800..0xe000).contains(&code));
    // Writing to a String cannot fail.
    let _ = match (letter, inside.strip_prefix('^')) {
        // No text has such a character.
        ('x', _) if surrogate => write!(out, "[^\\x00-\\x{{10FFFF}}]"),
        ('p', Some(name)) => write!(out, "\\P{{{name}}}"),
        ('P', Some(name)) => write!(out, "\\p{{{name}}}"),
        _ => write!(out, "\\{letter}{{{inside}}}"),
    };
    after
}

/// Writes an octal number of up to three digits; gives what is left. One digit alone would refer to a group, which Go does
/// not have, unless it is 0.
fn octal<'t>(after: &'t str, out: &mut String) -> &'t str {
    let count = after.bytes().take(3).take_while(|byte| matches!(byte, b'0'..=b'7')).count();
    let (digits, rest) = after.split_at(count);
    let _ = match u32::from_str_radix(digits, 8) {
        Ok(code) if count > 1 || code == 0 => write!(out, "\\x{{{code:X}}}"),
        _ => write!(out, "\\y"),
    };
    rest
}

/// Writes a class, of which the bracket was read; gives what is left.
fn class<'t>(after: &'t str, out: &mut String) -> &'t str {
    out.push('[');
    let mut rest = after;
    if let Some(after) = rest.strip_prefix('^') {
        out.push('^');
        rest = after;
    }
    for sign in [']', '-'] {
        if let Some(after) = rest.strip_prefix(sign) {
            out.push('\\');
            out.push(sign);
            rest = after;
            break;
        }
    }
    while let Some(first) = rest.chars().next() {
        let after = &rest[first.len_utf8()..];
        rest = match first {
            ']' => {
                out.push(']');
                return after;
            }
            '\\' => escape(after, out),
            // A range up to a dash; to the crate it would be a difference.
            '-' if after.starts_with('-') => {
                out.push_str("-\\-");
                &after[1..]
            }
            '[' if after.starts_with(':') && after.contains(":]") => {
                out.push('[');
                after
            }
            // They mean nothing in a class of Go.
            '[' | '&' | '~' => {
                out.push('\\');
                out.push(first);
                after
            }
            other => {
                out.push(other);
                after
            }
        };
        // The name of a class like `[:alpha:]` ends with a bracket of its own.
        if out.ends_with('[') && rest.starts_with(':') {
            let end = rest.find(":]").map_or(rest.len(), |at| at + 2);
            out.push_str(&rest[..end]);
            rest = &rest[end..];
        }
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether Go accepts a pattern, and what it matches.
    #[track_caller]
    fn check(pattern: &str, matched: &[&str], others: &[&str]) {
        let regex = regex(pattern).unwrap_or_else(|| panic!("{pattern} is refused"));
        for value in matched {
            assert!(regex.is_match(value), "{pattern} matches {value:?}");
        }
        for value in others {
            assert!(!regex.is_match(value), "{pattern} does not match {value:?}");
        }
    }

    #[test]
    fn patterns_mean_what_they_mean_in_go() {
        check("a|b", &["a", "b"], &["ab", "xa"]);
        check("", &[""], &["a"]);
        check("a.*", &["a", "a\nb"], &["ba"]);
        check(r"\d+", &["12"], &["٣", ""]);
        check(r"\w\W\s\S\D", &["a- bc"], &["é- bc"]);
        check("aaa{bbb}ccc", &["aaa{bbb}ccc"], &["aaa"]);
        check("a{,2}", &["a{,2}"], &["aa"]);
        check("a{2,}", &["aa", "aaa"], &["a"]);
        check("a{1,2}?b", &["ab", "aab"], &["b"]);
        check("[a&&b]+", &["a&b"], &["c"]);
        check("[]a]+", &["]a"], &["b"]);
        check("[^]a]", &["b"], &["a", "]"]);
        check("[[a]+", &["[a"], &["]"]);
        check("[[:alpha:]_]+", &["a_"], &["1"]);
        check(r"[\d.]+", &["1.2"], &["a"]);
        check(r"\Qa.b\E.", &["a.bc"], &["axbc"]);
        check(r"\<a\/b\-c\_", &["<a/b-c_"], &["a/b-c_"]);
        check("(?i)ab", &["AB"], &["b"]);
        check("(?P<n>a)(?<m>b)(?:c)", &["abc"], &["ab"]);
        check("a}]", &["a}]"], &["a"]);
        check(r"\p{L}+", &["aé"], &["1"]);
        check(r"\p{Greek}\P{Greek}\p{^Greek}", &["αab"], &["aαb"]);
        check(r"[\p{Lu}1]+", &["A1"], &["a"]);
        check(r"\x{77}\x6f|\x{D800}", &["wo"], &["\u{fffd}"]);
        check(r"\167\101\0", &["wA\0"], &["w"]);
        check("[+--]+", &["+,-"], &["*", "."]);
        check("[-a]+", &["-a"], &["b"]);
        check("[--9]+", &["-9."], &["a"]);
    }

    #[test]
    fn repetitions_that_go_takes_are_taken() {
        for pattern in [
            "(a{500}){2}",
            "(a{1000}){1}",
            "(a{1000}){0}",
            "((a{1000}){0}){2}",
            "(a{1000})*",
            "(a{0,}){1000}",
            "(a{600}){1,}",
            "(a{333}){3}",
            "(a{31}b{1000}){1,1}",
            ".{1000}",
            r"\pL{1000}",
            r"(\pL{100}){10}",
        ] {
            assert!(regex(pattern).is_some(), "{pattern}");
        }
    }

    #[test]
    fn what_go_refuses_is_refused() {
        for pattern in [
            "[",
            "(",
            "a**",
            "a+*",
            "a{2}{3}",
            "a{1001}",
            "(?x)a",
            "(?=a)",
            r"\C",
            r"\1",
            r"\u0077",
            "[a--b]",
            r"\p{",
            "*a",
            r"\",
            "[b-a]",
            "a{2,1}",
            // Of repetitions in repetitions (promtool 3.5.3).
            "(a{1000}){2}",
            "(a{500}){3}",
            "((a{10}){10}){11}",
            "((a{1000})*){2}",
            "(a{600,}){2}",
            "(a{0,600}){2}",
            "(?:a{1,2}){501}",
            "(a{2}|b{600}){2}",
            "(a{600}){2,}",
            "(a{600}){0,2}",
            "(a{334}){3}",
            "(a+){1001}",
        ] {
            assert!(regex(pattern).is_none(), "{pattern}");
        }
    }
}

//! The text of matchers: `a="b"`, `{a="b", c=~"d"}`, `a!=b, c!~d`.

use super::{MatchKind, Matcher, Version};

/// Matchers as the newest version reads them in a configuration.
///
/// # Errors
/// What to write instead.
pub fn matchers(text: &str) -> Result<Vec<Matcher>, String> {
    matchers_of(text, Version::default())
}

/// Matchers as a version reads them. 0.25 knows the classic form. 0.33 knows one more, with any names, and quotes as Go has
/// them: what is not sound in it is read in the classic form, and so is what means another thing in it.
///
/// # Errors
/// What to write instead.
pub fn matchers_of(text: &str, version: Version) -> Result<Vec<Matcher>, String> {
    let old = classic(text);
    match (version, Modern::read(text)) {
        (Version::V0_33, Ok(new)) if old.as_ref().map_or(true, |old| same(old, &new)) => Ok(new),
        _ => old,
    }
}

/// Whether the newer parser reads the same; 0.33 warns where it does not.
pub(super) fn is_modern(text: &str) -> bool {
    match (classic(text), Modern::read(text)) {
        (Ok(old), Ok(new)) => same(&old, &new),
        (_, new) => new.is_ok(),
    }
}

fn same(a: &[Matcher], b: &[Matcher]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (&a.name, a.kind, &a.value) == (&b.name, b.kind, &b.value))
}

/// Whether a pattern names a group as the Go of 0.25 does not know it: `(?<name>...)`.
pub(super) fn is_too_new(pattern: &str) -> bool {
    let (mut escaped, mut class) = (false, false);
    pattern.char_indices().any(|(at, letter)| {
        let found = !escaped && !class && pattern.get(at..).is_some_and(|rest| rest.starts_with("(?<"));
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' => class = true,
            ']' => class = false,
            _ => {}
        }
        found
    })
}

fn matcher(name: &str, kind: MatchKind, value: String) -> Result<Matcher, String> {
    let told = format!("`{value}` is no regular expression of Go");
    Matcher::new(name, kind, value).ok_or(told)
}

const FORM: &str = "write for example `severity=\"page\"`, `team=~\"a|b\"`, `job!=\"x\"` or `job!~\"x.*\"`";

/// The classic form: braces may stand around it, quotes around values.
fn classic(text: &str) -> Result<Vec<Matcher>, String> {
    let text = text.strip_prefix('{').unwrap_or(text);
    let text = text.strip_suffix('}').unwrap_or(text);
    let mut parts = vec![String::new()];
    let (mut quoted, mut escaped) = (false, false);
    for letter in text.chars() {
        match letter {
            ',' if !quoted => {
                parts.push(String::new());
                continue;
            }
            // A backslash before a comma is still pending behind it.
            ',' => {}
            '"' if escaped => escaped = false,
            '"' => quoted = !quoted,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
        if let Some(last) = parts.last_mut() {
            last.push(letter);
        }
    }
    if parts.last().is_some_and(|last| last.trim().is_empty()) {
        parts.pop();
    }
    parts.iter().map(|part| classic_one(part)).collect()
}

/// What Go's `\s` matches.
const BLANKS: [char; 5] = [' ', '\t', '\n', '\u{c}', '\r'];

fn classic_one(text: &str) -> Result<Matcher, String> {
    let told = || format!("`{text}` is no matcher: {FORM}");
    let text = text.trim_start_matches(BLANKS);
    let begins = |letter: char| letter.is_ascii_alphabetic() || letter == '_' || letter == ':';
    let end = text.find(|letter: char| !begins(letter) && !letter.is_ascii_digit()).unwrap_or(text.len());
    let (name, rest) = text.split_at_checked(end).ok_or_else(told)?;
    if !name.starts_with(begins) {
        return Err(told());
    }
    let (kind, rest) = operator(rest.trim_start_matches(BLANKS)).ok_or_else(told)?;
    matcher(name, kind, classic_value(rest.trim_matches(BLANKS))?)
}

fn operator(text: &str) -> Option<(MatchKind, &str)> {
    let kinds =
        [("=~", MatchKind::Regex), ("=", MatchKind::Equal), ("!=", MatchKind::NotEqual), ("!~", MatchKind::NotRegex)];
    kinds.iter().find_map(|(sign, kind)| Some((*kind, text.strip_prefix(sign)?)))
}

fn classic_value(text: &str) -> Result<String, String> {
    let (opened, text) = match text.strip_prefix('"') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let told =
        || format!("a quotation mark in `{text}` stands alone: write it as `\\\"`, and the value between two of them");
    let (mut value, mut closed) = (String::new(), false);
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match letters.next() {
                Some('n') => value.push('\n'),
                Some(letter @ ('"' | '\\')) => value.push(letter),
                // It escapes nothing, so it is one.
                other => value.extend(['\\'].into_iter().chain(other)),
            },
            '"' if opened && letters.as_str().is_empty() => closed = true,
            '"' => return Err(told()),
            letter => value.push(letter),
        }
    }
    if opened == closed { Ok(value) } else { Err(told()) }
}

/// The newer form.
struct Modern<'t> {
    rest: &'t str,
}

#[derive(Debug, PartialEq)]
enum Token<'t> {
    Open,
    Close,
    Comma,
    Sign(MatchKind),
    Bare(&'t str),
    Quoted(String),
}

impl<'t> Modern<'t> {
    fn read(text: &'t str) -> Result<Vec<Matcher>, String> {
        let mut this = Modern { rest: text };
        let (mut found, mut token) = (Vec::new(), this.next()?);
        let opened = token == Some(Token::Open);
        if opened {
            token = this.next()?;
        }
        loop {
            match token {
                Some(Token::Close) if opened => break this.end()?,
                None if !opened => break,
                Some(Token::Bare(_) | Token::Quoted(_)) => {}
                _ => return Err(FORM.to_owned()),
            }
            found.push(this.one(token)?);
            token = this.next()?;
            if token == Some(Token::Comma) {
                token = this.next()?;
            } else if !matches!(token, None | Some(Token::Close)) {
                return Err(FORM.to_owned());
            }
        }
        Ok(found)
    }

    fn end(&mut self) -> Result<(), String> {
        if self.next()?.is_none() { Ok(()) } else { Err(FORM.to_owned()) }
    }

    fn one(&mut self, name: Option<Token<'t>>) -> Result<Matcher, String> {
        let text = |token: Option<Token<'t>>| match token {
            Some(Token::Bare(text)) => Ok(text.to_owned()),
            Some(Token::Quoted(text)) => Ok(text),
            _ => Err(FORM.to_owned()),
        };
        let name = text(name)?;
        let Some(Token::Sign(kind)) = self.next()? else { return Err(FORM.to_owned()) };
        matcher(&name, kind, text(self.next()?)?)
    }

    fn next(&mut self) -> Result<Option<Token<'t>>, String> {
        self.rest = self.rest.trim_start_matches(is_space);
        let Some(letter) = self.rest.chars().next() else { return Ok(None) };
        let single = match letter {
            '{' => Some(Token::Open),
            '}' => Some(Token::Close),
            ',' => Some(Token::Comma),
            _ => None,
        };
        if let Some(token) = single {
            self.rest = self.rest.get(1..).unwrap_or("");
            return Ok(Some(token));
        }
        match letter {
            '=' | '!' => {
                let (kind, rest) = operator(self.rest).ok_or(FORM)?;
                self.rest = rest;
                Ok(Some(Token::Sign(kind)))
            }
            '"' => self.quoted().map(Some),
            '~' | '\\' | '\'' | '`' => Err(FORM.to_owned()),
            _ => {
                let reserved = |letter: char| is_space(letter) || "{}!=~,\\\"'`".contains(letter);
                let (text, rest) = self.rest.split_at(self.rest.find(reserved).unwrap_or(self.rest.len()));
                self.rest = rest;
                Ok(Some(Token::Bare(text)))
            }
        }
    }

    fn quoted(&mut self) -> Result<Token<'t>, String> {
        let inside = self.rest.get(1..).unwrap_or("");
        let mut escaped = false;
        let end = inside.find(|letter: char| {
            let ends = letter == '"' && !escaped;
            escaped = letter == '\\' && !escaped;
            ends
        });
        let end = end.ok_or_else(|| "the closing quotation mark is missing".to_owned())?;
        let (text, rest) = inside.split_at(end);
        self.rest = rest.get(1..).unwrap_or("");
        unquoted(text).map(Token::Quoted).ok_or_else(|| format!("`{text}` has an escape that Go does not know"))
    }
}

/// What Go takes for a blank (`unicode.IsSpace`).
fn is_space(letter: char) -> bool {
    letter.is_whitespace()
}

/// What stands between quotation marks of Go.
fn unquoted(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        let mut push = |letter: char| bytes.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
        match letter {
            '\n' => return None,
            '\\' => match letters.next()? {
                'a' => push('\u{7}'),
                'b' => push('\u{8}'),
                'f' => push('\u{c}'),
                'n' => push('\n'),
                'r' => push('\r'),
                't' => push('\t'),
                'v' => push('\u{b}'),
                letter @ ('\\' | '"') => push(letter),
                'x' => bytes.push(u8::try_from(digits(&mut letters, "", 2, 16)?).ok()?),
                'u' => push(char::from_u32(digits(&mut letters, "", 4, 16)?)?),
                'U' => push(char::from_u32(digits(&mut letters, "", 8, 16)?)?),
                first @ '0'..='7' => {
                    bytes.push(u8::try_from(digits(&mut letters, first.encode_utf8(&mut [0; 4]), 3, 8)?).ok()?)
                }
                _ => return None,
            },
            letter => push(letter),
        }
    }
    String::from_utf8(bytes).ok()
}

fn digits(letters: &mut std::str::Chars<'_>, begin: &str, count: usize, radix: u32) -> Option<u32> {
    let mut text = begin.to_owned();
    while text.len() < count {
        text.push(letters.next().filter(|letter| letter.is_digit(radix))?);
    }
    u32::from_str_radix(&text, radix).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, version: Version) -> Option<String> {
        let all = matchers_of(text, version).ok()?;
        Some(all.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn both_forms_are_read() {
        for (text, expected) in [
            ("a=\"b\"", "a=\"b\""),
            ("a=b", "a=\"b\""),
            ("{a=\"b\", c=~\"d\"}", "a=\"b\" c=~\"d\""),
            ("a=b, c!=d", "a=\"b\" c!=\"d\""),
            ("a!~\"x.*\",", "a!~\"x.*\""),
            ("", ""),
            ("{}", ""),
            ("a=\"x,y\"", "a=\"x,y\""),
            ("a=\"\"", "a=\"\""),
            (" a = b ", "a=\"b\""),
        ] {
            for version in [Version::V0_25, Version::V0_33] {
                assert_eq!(shown(text, version).as_deref(), Some(expected), "{text}");
            }
        }
        for text in ["a", "=b", "a==~\"(\"", "a=~\"(\"", "a=\"b", "a=b\"", "a=\"b\"c\"", "1a=b", ",", "a=b,,c=d", "a~b"]
        {
            assert!(matchers_of(text, Version::V0_25).is_err(), "{text}");
        }
    }

    #[test]
    fn the_classic_form_knows_what_the_newer_does_not() {
        for (text, expected) in [
            ("a=", Some("a=\"\"")),
            ("a=b c", Some("a=\"b c\"")),
            ("a=\\d", Some("a=\"\\\\d\"")),
            ("{a=b", Some("a=\"b\"")),
            ("a=b}", Some("a=\"b\"")),
            ("a=\"\\d\"", Some("a=\"\\\\d\"")),
            // Its names are no others.
            ("a.b=c", None),
            ("\"a b\"=c", None),
        ] {
            assert_eq!(shown(text, Version::V0_25).as_deref(), expected, "{text}");
        }
        assert_eq!(shown("a.b=c", Version::V0_33).as_deref(), Some("a.b=\"c\""));
        assert_eq!(shown("\"a b\"=c", Version::V0_33).as_deref(), Some("a b=\"c\""));
        assert_eq!(shown("a=b c", Version::V0_33).as_deref(), Some("a=\"b c\""));
    }

    #[test]
    fn where_both_are_sound_and_differ_the_classic_form_is_meant() {
        // A tab to Go, and no escape to the classic form.
        assert_eq!(shown("a=\"x\\ty\"", Version::V0_33).as_deref(), Some("a=\"x\\\\ty\""));
        assert_eq!(shown("a=\"\\u00e9\"", Version::V0_33).as_deref(), Some("a=\"\\\\u00e9\""));
        assert_eq!(shown("é=\"\\u00e9\"", Version::V0_33).as_deref(), Some("é=\"é\""));
        assert!(is_modern("a=\"b\"") && !is_modern("a=\"x\\ty\"") && !is_modern("a=b c"));
    }
}

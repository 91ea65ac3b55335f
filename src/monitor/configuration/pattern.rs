//! Patterns of file names as Go reads them (`filepath.Match`), which Prometheus takes for `rule_files` and the like: `*` and `?`
//! within one part of a path, classes `[a-c]` and `[^a]`, and a backslash before what means itself.

use regex::Regex;

/// One part of a path.
#[cfg_attr(not(feature = "cli"), expect(dead_code, reason = "only who walks through folders looks into it"))]
#[derive(Clone, Debug)]
pub enum PathPart {
    /// A name.
    Name(String),
    /// Any name that is like it.
    Pattern(Regex),
}

/// The parts of a pattern between its slashes; none when Go finds a syntax error in it.
pub fn path_parts(pattern: &str) -> Option<Vec<PathPart>> {
    pattern.split('/').filter(|part| !part.is_empty()).map(part).collect()
}

fn part(text: &str) -> Option<PathPart> {
    let regex = Regex::new(&format!("^(?s:{})$", translated(text)?)).ok()?;
    Some(match text.contains(['*', '?', '[', '\\']) {
        true => PathPart::Pattern(regex),
        false => PathPart::Name(text.to_owned()),
    })
}

/// A part as a regular expression.
fn translated(text: &str) -> Option<String> {
    let mut out = String::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            '*' => out.push_str(".*"),
            '?' => out.push('.'),
            '[' => out.push_str(&class(&mut rest)?),
            '\\' => out.push_str(&regex::escape(&rest.next()?.to_string())),
            other => out.push_str(&regex::escape(&other.to_string())),
        }
    }
    Some(out)
}

/// A class, of which the bracket was read: at least one range, and a bracket that closes it.
fn class(rest: &mut std::str::Chars<'_>) -> Option<String> {
    let mut out = String::from("[");
    if rest.as_str().starts_with('^') {
        rest.next();
        out.push('^');
    }
    let (mut ranges, mut empty) = (0, true);
    while ranges == 0 || !rest.as_str().starts_with(']') {
        let from = bound(rest)?;
        let to = match rest.as_str().starts_with('-') {
            true => {
                rest.next();
                bound(rest)?
            }
            false => from,
        };
        ranges += 1;
        if from <= to {
            // What descends matches nothing.
            empty = false;
            out.push_str(&format!("\\x{{{:X}}}-\\x{{{:X}}}", u32::from(from), u32::from(to)));
        }
    }
    rest.next();
    match (empty, out.ends_with('^')) {
        (true, true) => Some(".".to_owned()),
        (true, false) => Some("[^\\x00-\\x{10FFFF}]".to_owned()),
        _ => Some(out + "]"),
    }
}

/// An end of a range; something must follow it.
fn bound(rest: &mut std::str::Chars<'_>) -> Option<char> {
    let it = match rest.next()? {
        '-' | ']' => return None,
        '\\' => rest.next()?,
        other => other,
    };
    (!rest.as_str().is_empty()).then_some(it)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_gos() {
        for (pattern, name, expected) in [
            ("a.yml", "a.yml", true),
            ("*.yml", "a.yml", true),
            ("*.yml", ".yml", true),
            ("a.y", "axy", false),
            ("?.yml", "a.yml", true),
            ("?.yml", ".yml", false),
            ("[ab]*", "b1", true),
            ("[^ab]*", "b1", false),
            ("[^ab]*", "c1", true),
            ("[!a]b", "!b", true),
            ("[a-c]", "b", true),
            ("[c-a]", "b", false),
            ("[^c-a]", "b", true),
            (r"\*", "*", true),
            (r"\*", "a", false),
            (r"[\]]", "]", true),
            ("o{k,l}", "ok", false),
            ("a**", "abc", true),
        ] {
            let found = match path_parts(pattern).expect(pattern).as_slice() {
                [PathPart::Name(it)] => it == name,
                [PathPart::Pattern(regex)] => regex.is_match(name),
                other => panic!("{pattern}: {other:?}"),
            };
            assert_eq!(found, expected, "{pattern} {name}");
        }
        for pattern in ["[a", "[a*", "[a/b.yml", "[]a]", "[a-]", "[-a]", "[]", r"a\", "x/[", "[^]"] {
            assert!(path_parts(pattern).is_none(), "{pattern}");
        }
    }
}

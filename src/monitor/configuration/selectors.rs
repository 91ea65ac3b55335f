//! Selectors of Kubernetes, as `kubernetes_sd_configs` has them: what its library refuses to read.

/// What stands for itself in a selector of labels.
const SYMBOLS: &[char] = &['=', '!', '(', ')', ',', '>', '<'];

/// What is wrong with a selector of fields: `a=b,c!=d`. Source: `fields.ParseSelector` of Kubernetes.
pub(super) fn of_fields(text: &str) -> Option<String> {
    let wrong = text.split(',').find(|term| !term.is_empty() && !term.contains('='))?;
    Some(format!("`{wrong}` compares nothing"))
}

/// What is wrong with a selector of labels: `a=b,c in (d,e),!f`. Source: `labels.Parse` of Kubernetes.
pub(super) fn of_labels(text: &str) -> Option<String> {
    let tokens = tokens(text);
    if tokens.is_empty() {
        return None;
    }
    let mut rest = tokens.as_slice();
    loop {
        rest = match requirement(rest) {
            Ok(rest) => rest,
            Err(why) => return Some(why),
        };
        rest = match rest {
            [] => return None,
            [",", rest @ ..] => rest,
            [other, ..] => return Some(format!("a comma or the end is expected, not `{other}`")),
        };
    }
}

/// One term; what follows it.
fn requirement<'t, 's>(tokens: &'t [&'s str]) -> Result<&'t [&'s str], String> {
    let (key, rest) = match tokens {
        ["!", key, rest @ ..] => return self::key(key).map(|()| rest),
        [key, rest @ ..] => (key, rest),
        [] => return Err("a key is expected at the end".to_owned()),
    };
    self::key(key)?;
    match rest {
        [] | [",", ..] => Ok(rest),
        ["in" | "notin", "(", rest @ ..] => {
            let end = rest.iter().position(|token| *token == ")").ok_or("`)` is missing")?;
            rest[..end].iter().filter(|token| **token != ",").try_for_each(|token| value(token))?;
            Ok(&rest[end + 1..])
        }
        ["in" | "notin", ..] => Err("`(` is expected behind `in` and `notin`".to_owned()),
        ["=" | "==" | "!=", rest @ ..] => match rest {
            [] | [",", ..] => Ok(rest),
            [text, rest @ ..] => value(text).map(|()| rest),
        },
        [">" | "<", number, rest @ ..] if number.parse::<i64>().is_ok() => Ok(rest),
        [">" | "<", ..] => Err("`>` and `<` compare with whole numbers".to_owned()),
        [other, ..] => Err(format!("an operator is expected, not `{other}`")),
    }
}

/// Names and operators in their order.
fn tokens(text: &str) -> Vec<&str> {
    let (mut tokens, mut rest) = (Vec::new(), text.trim_start());
    while let Some(first) = rest.chars().next() {
        let length = match rest.get(..2) {
            Some("==" | "!=") => 2,
            _ if SYMBOLS.contains(&first) => 1,
            _ => rest.find(|c: char| c.is_whitespace() || SYMBOLS.contains(&c)).unwrap_or(rest.len()),
        };
        let (token, after) = rest.split_at(length);
        tokens.push(token);
        rest = after.trim_start();
    }
    tokens
}

/// A key: a name, before which the domain of its owner may stand.
fn key(text: &str) -> Result<(), String> {
    let name = text.rsplit_once('/').map_or(text, |(_, name)| name);
    if name.is_empty() { Err(format!("`{text}` is no key")) } else { named(name, text) }
}

fn value(text: &str) -> Result<(), String> {
    named(text, text)
}

/// Up to 63 letters, digits, `-`, `_` and `.`, with a letter or a digit at both ends.
fn named(name: &str, text: &str) -> Result<(), String> {
    let inside = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let ends =
        name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.ends_with(|c: char| c.is_ascii_alphanumeric());
    let sound = name.len() <= 63 && ends && name.chars().all(inside);
    if sound { Ok(()) } else { Err(format!("`{text}` is no name of Kubernetes")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The verdicts are those of promtool 3.5.
    #[test]
    fn selectors_are_refused_as_kubernetes_refuses_them() {
        for sound in [
            "",
            " ",
            "a",
            "!a",
            "a=",
            "a=b",
            "a == b , c!=d",
            "a in (b,c)",
            "a in ()",
            "a notin (b),c>5",
            "x.y/a=b",
            "in=a",
        ] {
            assert_eq!(of_labels(sound), None, "{sound}");
        }
        for wrong in ["a in", "a in b", "a in (b", "a=b,", ",a", "a b", "=b", "a=b=c", "-a", "a=-b", "a>x", "a/=b"] {
            assert!(of_labels(wrong).is_some(), "{wrong}");
        }
        for (text, sound) in
            [("", true), ("a=b", true), ("a!=b,c==d", true), ("a", false), ("a=b,c", false), (",", true)]
        {
            assert_eq!(of_fields(text).is_none(), sound, "{text}");
        }
    }
}

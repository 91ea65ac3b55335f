//! Which regular expressions `java.util.regex.Pattern` refuses, as far as marks tell it.

/// Whether a text is certainly no pattern: it ends within an escape, its groups or its classes do not match, or nothing stands
/// before a `*`, `+` or `?`. What else Java refuses is not looked at.
pub fn refused(pattern: &str) -> bool {
    // Comments are no part of a pattern, and their marks need not match.
    if commented(pattern) {
        return false;
    }
    let (mut open, mut class) = (0_usize, 0_usize);
    // Behind what begins an alternative nothing can be repeated; a `]` that is first in its class is an ordinary sign.
    let (mut first, mut first_in_class) = (true, false);
    let mut rest = pattern.chars().peekable();
    while let Some(c) = rest.next() {
        let (begins, begins_class) = (std::mem::take(&mut first), std::mem::take(&mut first_in_class));
        match c {
            '\\' => match rest.next() {
                None => return true,
                Some('Q') => skip_quoted(&mut rest),
                Some(_) => {}
            },
            '[' => (class, first_in_class) = (class + 1, true),
            '^' if begins_class => first_in_class = true,
            ']' if class > 0 && !begins_class => class -= 1,
            _ if class > 0 => {}
            '(' => {
                open += 1;
                // What stands behind `(?` says which kind of group it is.
                first = rest.next_if_eq(&'?').is_none();
            }
            ')' if open == 0 => return true,
            ')' => open -= 1,
            '|' => first = true,
            '*' | '+' | '?' if begins => return true,
            _ => {}
        }
    }
    open > 0 || class > 0
}

/// Whether a pattern switches comments on: a group of flags with an `x` in it.
fn commented(pattern: &str) -> bool {
    pattern.split("(?").skip(1).any(|behind| {
        let flags = behind.split(|c: char| !c.is_ascii_alphabetic() && c != '-').next().unwrap_or_default();
        let ends = behind.get(flags.len()..).is_some_and(|rest| rest.starts_with([')', ':']));
        ends && flags.contains('x')
    })
}

/// Goes on behind what stands between `\Q` and `\E`, or at the end.
fn skip_quoted(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    let mut escape = false;
    for c in rest.by_ref() {
        if escape && c == 'E' {
            return;
        }
        escape = c == '\\';
    }
}

#[cfg(test)]
mod tests {
    use super::refused;

    #[test]
    fn only_what_java_refuses_is_refused() {
        for pattern in ["(", "a)", "[a", "[", "a\\", "*a", "a|+", "(?:a", "(*a)", "[]", "[^]", "((a)", "\\Q(\\E("] {
            assert!(refused(pattern), "{pattern}");
        }
        for pattern in [
            "",
            "a",
            "^[a-z]+$",
            "\\(",
            "[(]",
            "[]a]",
            "[^]a]",
            "[a[b]]",
            "(?<n>a)",
            "(?=a)b?",
            "a**|",
            "\\Q((\\E",
            "\\Q(",
            "a{2}",
            "(?x) a # (",
            "(?i)a",
            "]",
            "}",
            "[a&&[^b]]",
            "(a|b)*+",
            "|",
            "()",
            "[\\]]",
        ] {
            assert!(!refused(pattern), "{pattern}");
        }
    }
}

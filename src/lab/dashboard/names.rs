//! Which series dashboards may ask for: what else is scraped need not be kept.

use std::collections::BTreeSet;

use crate::dashboard::{Dashboard, From, Options};
use crate::promql::Expression;

/// All names of series that dashboards may ask for, each as an expression; none where only a run can tell.
pub fn asked_names<'d>(dashboards: impl Iterator<Item = &'d Dashboard>) -> Option<Vec<Expression>> {
    let mut names: BTreeSet<&str> = BTreeSet::new();
    for dashboard in dashboards {
        for query in dashboard.panels.iter().flat_map(|panel| &panel.queries).filter(|query| query.other.is_none()) {
            words(&query.text, &mut names)?;
        }
        for variable in &dashboard.variables {
            let From::Query(text) = &variable.from else { continue };
            match Options::of(text) {
                Options::Label(None, _) | Options::Labels | Options::Names(_) => return None,
                Options::Label(Some(of), _) | Options::Result(of) | Options::Series(of) => words(of, &mut names)?,
            }
        }
    }
    Some(names.into_iter().filter_map(|name| Expression::parse(name).ok()).collect())
}

/// All words of an expression that could be names of series; none where a name may come of a variable or of a pattern.
fn words<'t>(text: &'t str, names: &mut BTreeSet<&'t str>) -> Option<()> {
    // Old variables, names in quotes, and selectors that name nothing.
    if text.contains("__name__") || text.contains("[[") || has_bare_braces(text) {
        return None;
    }
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':');
    let (mut rest, mut range) = (text, 0_usize);
    while let Some(sign) = rest.chars().next() {
        let length = match sign {
            '"' | '\'' | '`' => quoted(rest, sign)?,
            '#' => rest.find('\n').unwrap_or(rest.len()),
            '[' => {
                range += 1;
                1
            }
            ']' => {
                range = range.saturating_sub(1);
                1
            }
            // A variable is part of a name only outside of quotes and of times.
            '$' if range == 0 => return None,
            sign if is_word(sign) => {
                let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
                // What is glued to a variable is known only with it.
                if rest[length..].starts_with('$') && range == 0 {
                    return None;
                }
                if !sign.is_ascii_digit() && range == 0 {
                    names.insert(&rest[..length]);
                }
                length
            }
            sign => sign.len_utf8(),
        };
        rest = &rest[length..];
    }
    Some(())
}

/// Whether braces may be a selector without a name in front, or have it inside: those that no word is glued to, and those
/// that begin with quotes.
fn has_bare_braces(text: &str) -> bool {
    let glued = |before: &str| before.ends_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '$'));
    text.match_indices('{')
        .any(|(at, _)| !glued(&text[..at]) || text[at + 1..].trim_start().starts_with(['"', '\'', '`']))
}

/// The length of a text in quotes at the beginning; none of one that does not end.
fn quoted(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '\\' if quote != '`' && !escaped => escaped = true,
            c if c == quote && !escaped => return Some(at + c.len_utf8()),
            _ => escaped = false,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_and_what_a_variable_may_name_is_everything() {
        let of = |text: &str| {
            let mut names = BTreeSet::new();
            words(text, &mut names).map(|()| names.into_iter().map(str::to_owned).collect::<Vec<String>>())
        };
        let sum =
            "sum by (job) (rate(kestra_worker_ended_count_total{job=\"$job\", a=\"it's\"}[$__rate_interval])) / 2";
        assert_eq!(
            of(sum),
            Some(["a", "by", "job", "kestra_worker_ended_count_total", "rate", "sum"].map(str::to_owned).to_vec())
        );
        assert_eq!(of("topk($n, up)"), None);
        assert_eq!(of("kestra_${what}_total"), None);
        assert_eq!(of("{__name__=~\"kestra.*\"}"), None);
        assert_eq!(of("up{a=\"\\\"\"} > 1"), Some(["a", "up"].map(str::to_owned).to_vec()));
        assert_eq!(of("up{a=\"x"), None);
        for everything in ["kestra_[[what]]_total", "sum({\"up\"})", "count({job=\"a\"})", "up or {job=\"a\"}"] {
            assert_eq!(of(everything), None, "{everything}");
        }
        assert_eq!(of("# of [5m\nup"), Some(vec!["up".to_owned()]));
    }
}

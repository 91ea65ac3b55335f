//! Templates in labels: `{{ $labels.NAME }}` and `{{ $value }}`. All else is kept as it was written.

use crate::promql::Labels;

/// Expands what is known.
pub(super) fn expand(text: &str, labels: &Labels, value: f64) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        out += before;
        let Some((inside, after)) = after.split_once("}}") else {
            return out + "{{" + after;
        };
        let action = inside.trim().trim_matches('-').trim();
        match (action.strip_prefix("$labels."), action) {
            (Some(name), _) if name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') => {
                let found = labels.iter().find(|(key, _)| &**key == name);
                out += found.map_or("", |(_, value)| value);
            }
            (_, "$value") => out += &format!("{value}"),
            _ => {
                out += "{{";
                out += inside;
                out += "}}";
            }
        }
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_the_value_are_expanded_and_all_else_is_kept() {
        let labels: Labels = vec![("job".into(), "kestra".into())].into();
        let text = "{{ $labels.job }}/{{$labels.none}}/{{ $value }}/{{ $value | humanize }}/{{ x";
        assert_eq!(expand(text, &labels, 1.5), "kestra//1.5/{{ $value | humanize }}/{{ x");
    }
}

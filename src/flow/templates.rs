//! Which templates decide what runs next and can be worked out: those that ask for nothing that only a plugin, a server or
//! whoever starts an execution knows. All others stay as they are, and what hangs on them is told as not simulated.

/// Whether a text is worked out when the task runs.
pub(super) fn is_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%") || text.contains("{#")
}

/// Words of a template that stand for what Kestra knows and nobody here.
const ELSEWHERE: &[&str] = &[
    "outputs",
    "trigger",
    "labels",
    "envs",
    "globals",
    "execution",
    "schedule",
    "kestra",
    "loop",
    "item",
    "error",
    "secrets",
    "namespace",
    "files",
    "in",
    "isIn",
    "matches",
];

/// Whether a text is no template, or one that can be worked out here: expressions of known variables and operators. `inputs`:
/// whether each input has a value.
pub(super) fn is_known(text: &str, inputs: bool) -> bool {
    if !is_template(text) {
        return true;
    }
    // Tags and filters are another matter.
    if text.contains("{%") || text.contains("{#") || text.contains('|') {
        return false;
    }
    let mut rest = text;
    while let Some(at) = rest.find("{{") {
        let Some(end) = rest[at..].find("}}") else { return false };
        // A name that Kestra does not know either is an error there, and here.
        let known = |word: &String| !ELSEWHERE.contains(&word.as_str()) && (inputs || word != "inputs");
        let expression = &rest[at + 2..at + end];
        // Functions are another matter, too.
        if expression.contains('(') || !words(expression).iter().all(known) {
            return false;
        }
        rest = &rest[at + end + 2..];
    }
    true
}

/// The words of an expression that are neither quoted nor a part of another one.
fn words(expression: &str) -> Vec<String> {
    let (mut words, mut quote, mut word, mut behind) = (Vec::new(), None, String::new(), ' ');
    for c in expression.chars().chain([' ']) {
        if quote.is_some() {
            if quote == Some(c) {
                quote = None;
            }
            continue;
        }
        if c.is_alphanumeric() || c == '_' {
            word.push(c);
            continue;
        }
        if !word.is_empty() {
            // What comes behind a point is a part, and a number is itself.
            if behind != '.' && !word.starts_with(|c: char| c.is_ascii_digit()) {
                words.push(std::mem::take(&mut word));
            }
            word.clear();
        }
        behind = c;
        if matches!(c, '"' | '\'') {
            quote = Some(c);
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_asks_for_nothing_that_is_not_known_is_known() {
        for (text, known) in [
            ("plain", true),
            ("{{ true }}", true),
            ("{{ taskrun.value == '2' }}", true),
            ("{{ vars.a.outputs ?? 'secret' }} and {{ inputs.n > 3 and not inputs.dry }}", true),
            ("{{ outputs.a.value }}", false),
            ("{{ secret('X') }}", false),
            ("{{ vars.x | length }}", false),
            ("{% if true %}1{% endif %}", false),
            ("{{ nope }}", true),
            ("{{ 'a' == execution.id }}", false),
            ("{{ inputs.x", false),
        ] {
            assert_eq!(is_known(text, true), known, "{text}");
            assert_eq!(is_known(text, false), known && !text.contains("inputs"), "{text}");
        }
    }
}

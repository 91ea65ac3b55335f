//! What a template asks: the expressions of its `query`, as far as its tree tells them.

use super::super::parse::{Action, Operand, Pipeline};
use super::super::{Value, format};
use crate::promql::Expression;

/// What stands for a text of a label while only the series are looked for that an expression reads.
const ANY: &str = "mock_kestra_any";

/// The expression of a pattern, with something in the place of each text; none when the series, or how far back they are
/// read, hang on what stands there.
pub(super) fn expression(pattern: &str) -> Option<Expression> {
    let mut texts_only = true;
    let text = format::printf(pattern, |verb, _| {
        texts_only &= matches!(verb, 's' | 'v' | 'q');
        Some(if verb == 'q' { format!("\"{ANY}\"") } else { ANY.to_owned() })
    });
    let expression = Expression::parse(&text).ok().filter(|_| texts_only)?;
    let fixed = |name: &Option<String>| name.as_ref().is_some_and(|name| !name.contains(ANY));
    expression.selected().iter().all(fixed).then_some(expression)
}

/// The texts that pieces of a template give to `query`, with the verbs of a `printf` still in them; none when one is made in
/// another way.
pub(super) fn by<'a>(nodes: impl Iterator<Item = &'a Action>) -> Option<Vec<String>> {
    let mut found = Vec::new();
    all(nodes, &mut found).then_some(found)
}

fn all<'a>(mut nodes: impl Iterator<Item = &'a Action>, found: &mut Vec<String>) -> bool {
    nodes.all(|node| match node {
        Action::Text(_) | Action::Break | Action::Continue => true,
        Action::Print(it) => pipeline(it, found),
        Action::If(it, then, otherwise) | Action::With(it, then, otherwise) => {
            pipeline(it, found) && all(then.iter().chain(otherwise), found)
        }
        Action::Range(range) => pipeline(&range.over, found) && all(range.body.iter().chain(&range.otherwise), found),
        Action::Template(_, it) => it.as_ref().is_none_or(|it| pipeline(it, found)),
    })
}

/// Looks through the commands of a pipeline; false when one asks for what is not known.
fn pipeline(it: &Pipeline, found: &mut Vec<String>) -> bool {
    let mut before: Option<&[Operand]> = None;
    for command in &it.commands {
        let asks = match command.as_slice() {
            [Operand::Function(name)] if name == "query" => before.and_then(text),
            [Operand::Function(name), argument] if name == "query" => argument_text(argument),
            // As an argument of another function it is given nothing, and fails.
            _ => {
                if !command.iter().all(|operand| inner(operand, found)) {
                    return false;
                }
                before = Some(command);
                continue;
            }
        };
        let Some(asked) = asks else { return false };
        found.push(asked);
        // What stands before it may ask as well.
        if !command.iter().all(|operand| inner(operand, found)) {
            return false;
        }
        before = Some(command);
    }
    true
}

fn inner(operand: &Operand, found: &mut Vec<String>) -> bool {
    match operand {
        Operand::Pipeline(it, _) => pipeline(it, found),
        Operand::Value(_) | Operand::Function(_) | Operand::Dot(_) | Operand::Variable(..) => true,
    }
}

/// The text that a command gives: one in quotes, or the pattern of a `printf`.
fn text(command: &[Operand]) -> Option<String> {
    match command {
        [one] => argument_text(one),
        [Operand::Function(name), Operand::Value(Value::Text(pattern)), ..] if name == "printf" => {
            Some(pattern.clone())
        }
        _ => None,
    }
}

fn argument_text(argument: &Operand) -> Option<String> {
    match argument {
        Operand::Value(Value::Text(text)) => Some(text.clone()),
        Operand::Pipeline(Pipeline { variable: None, commands }, fields) if fields.is_empty() => {
            match commands.as_slice() {
                [command] => text(command),
                _ => None,
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Template;

    #[test]
    fn what_a_template_asks_is_known_from_its_tree_and_the_word_alone_asks_nothing() {
        let asks = |text: &str| {
            let asked = Template::parse(text).expect("a template").asks()?;
            Some(asked.iter().flat_map(|it| it.selected()).flatten().collect::<Vec<String>>().join(" "))
        };
        for (text, expected) in [
            ("see the query in the runbook", Some("")),
            ("{{ $labels.query }} {{ .Labels.query }} {{ \"query\" }}", Some("")),
            ("{{ with query \"up\" }}{{ . | first | value }}{{ end }}", Some("up")),
            ("{{ \"a + b\" | query | first | value }}", Some("a b")),
            (
                "{{ range printf \"a{x='%s'} / b{y=%q}\" $labels.x .Labels.y | query }}{{ .Value }}{{ end }}",
                Some("a b"),
            ),
            ("{{ query (printf \"a{x='%v'}\" $value) | first | value }}", Some("a")),
            ("{{ define \"t\" }}{{ query \"c\" }}{{ end }}{{ template \"t\" (query \"d\") }}", Some("d c")),
            ("{{ if true }}{{ else }}{{ with query \"e\" }}{{ query \"f\" }}{{ end }}{{ end }}", Some("e f")),
            ("{{ $x := \"up\" }}{{ query $x }}", None),
            ("{{ query (print \"up\") }}", None),
            ("{{ printf \"%s\" $labels.x | query }}", None),
            ("{{ printf \"rate(a[%dm])\" 5 | query }}", None),
            ("{{ printf \"a[%s]\" $labels.x | query }}", None),
            ("{{ query \"{x='y'}\" }}", None),
            ("{{ query }}", None),
        ] {
            assert_eq!(asks(text).as_deref(), expected, "{text}");
        }
    }
}

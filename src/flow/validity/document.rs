//! What no flow is made of: files without one, values that are none, keys that are there twice.

use std::sync::Arc;

use super::words::{Chain, Location, told};
use super::{Edition, NEW, Refusal};
use crate::document::{Diagnostic, Node, Place, Source, Value};

const WRITE_ONE: &str = "write `id`, `namespace` and `tasks`";

pub(super) fn refusal(
    source: &Arc<Source>,
    root: Option<&Node>,
    diagnostics: &[Diagnostic],
    edition: Edition,
) -> Option<Refusal> {
    let reader = edition.first();
    let Some(root) = root else { return empty(source, edition) };
    let whole = |words: String| Some(Refusal { words, place: root.place.first_line(), advice: WRITE_ONE.into() });
    match &root.value {
        Value::Mapping(_) => twice(root, diagnostics, edition).or_else(|| no_key(diagnostics, edition)),
        Value::Null => whole(
            ["HV000116: The object to be validated must not be null.", GENERIC_IS_NULL, GENERIC_IS_NULL]
                [edition.place()]
            .to_owned(),
        ),
        Value::Scalar { text, .. } => {
            let what = no_creator(reader.class, text);
            whole(told(reader, edition, &what, Location::At(&root.place), &Chain::default()))
        }
        Value::Sequence(_) => {
            let what =
                format!("Cannot deserialize value of type `{}` from {}", reader.class, super::words::value(root));
            whole(told(reader, edition, &what, Location::At(&root.place), &Chain::default()))
        }
    }
}

const GENERIC_IS_NULL: &str =
    "Cannot invoke \"io.kestra.core.models.flows.GenericFlow.toBuilder()\" because \"parsed\" is null";

/// That a text is no value of a class.
pub(super) fn no_creator(class: &str, text: &str) -> String {
    format!(
        "Cannot construct instance of `{class}` (although at least one Creator exists): no String-argument \
         constructor/factory method to deserialize from String value ('{text}')"
    )
}

/// A file that holds nothing but comments.
fn empty(source: &Arc<Source>, edition: Edition) -> Option<Refusal> {
    let nothing = source.text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'));
    if !nothing {
        return None;
    }
    let end = source.text.len();
    let place = Place { source: source.clone(), range: end..end };
    let words = told(
        edition.first(),
        edition,
        "No content to map due to end-of-input",
        Location::At(&place),
        &Chain::default(),
    );
    Some(Refusal { words, place: Place { source: source.clone(), range: 0..0 }, advice: WRITE_ONE.into() })
}

/// A mapping where a key should be, as in `{{ a }}` without quotes: words of its own since 1.3.
fn no_key(diagnostics: &[Diagnostic], edition: Edition) -> Option<Refusal> {
    let told = diagnostics.iter().find(|told| told.what == "a mapping is no key").filter(|_| NEW.has(edition))?;
    let (line, _) = told.place.line_and_column();
    let words = format!(
        "Illegal genericflow source: YAML syntax error: Invalid structure. Check indentation and ensure all fields are \
         properly formatted. (at line {line})"
    );
    Some(Refusal {
        words,
        place: told.place.clone(),
        advice: "write an expression in quotes: \"{{ inputs.day }}\"".into(),
    })
}

/// A key that is there twice: the reader of the tree has told it.
fn twice(root: &Node, diagnostics: &[Diagnostic], edition: Edition) -> Option<Refusal> {
    let found = diagnostics.iter().find_map(|told| {
        let key = told.what.strip_prefix('`')?.strip_suffix("` is here twice")?;
        Some((key, &told.place))
    });
    let (key, place) = found?;
    let reader = edition.first();
    let holds = |node: &Node| node.place.range.contains(&place.range.start);
    let flow = Chain::default();
    let (mut below, mut item) = (None, None);
    if let Value::Mapping(entries) = &root.value
        && let Some(entry) = entries.iter().find(|entry| holds(&entry.value))
    {
        below = Some(flow.key(reader.class, &entry.key));
        if let Value::Sequence(items) = &entry.value.value {
            item = items.iter().position(holds);
        }
    }
    let last = below.as_ref().and_then(|below| Some(below.item(item?)));
    let chain = last.as_ref().or(below.as_ref()).unwrap_or(&flow);
    let words = told(reader, edition, &format!("Duplicate field '{key}'"), Location::Behind(place), chain);
    Some(Refusal { words, place: place.clone(), advice: "keep one of them".into() })
}

//! How each version words what its parser stumbles over, and the words its classes know.

use super::{Edition, In, NEW};
use crate::document::{Node, Place, Value};

/// What a version calls the flow that it reads.
pub(super) struct Reader {
    /// The class.
    pub(super) class: &'static str,
    /// What stands before Jackson's words.
    before: &'static str,
    /// Whether it knows where in the text something stands.
    placed: bool,
}

const fn reader(class: &'static str, before: &'static str, placed: bool) -> Reader {
    Reader { class, before, placed }
}

const WHOLE: Reader =
    reader("io.kestra.core.models.flows.FlowWithSource", "Illegal flowwithsource source: YAML parsing error: ", false);
const GENERIC: Reader =
    reader("io.kestra.core.models.flows.GenericFlow", "Illegal genericflow source: YAML parsing error: ", true);
const FLOW: Reader = reader("io.kestra.core.models.flows.Flow", "Illegal flow yaml: ", true);

/// A line is named behind the words.
const LINES: In = NEW;

impl Edition {
    /// What reads the text first. In 0.20 that is what reads the flow.
    pub(super) fn first(self) -> &'static Reader {
        [&FLOW, &GENERIC, &GENERIC][self.place()]
    }
    /// What reads the flow.
    pub(super) fn whole(self) -> &'static Reader {
        [&FLOW, &WHOLE, &WHOLE][self.place()]
    }
    /// Whether there is a reader before that of the flow.
    pub(super) fn twice(self) -> bool {
        !std::ptr::eq(self.first(), self.whole())
    }
}

/// The way from the flow to something in it, as Jackson writes it: the last step, and what was before it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Chain<'c> {
    before: Option<&'c Chain<'c>>,
    step: Step<'c>,
    /// Below a task, a trigger or a condition no place in the text is known.
    pub(super) lost: bool,
}

#[derive(Clone, Copy, Debug, Default)]
enum Step<'c> {
    #[default]
    Flow,
    /// A property of a class.
    Key(&'c str, &'c str),
    /// An item of a list.
    Item(usize),
}

impl<'c> Chain<'c> {
    pub(super) fn key(&'c self, class: &'c str, key: &'c str) -> Chain<'c> {
        Chain { before: Some(self), step: Step::Key(class, key), lost: self.lost }
    }
    pub(super) fn item(&'c self, index: usize) -> Chain<'c> {
        Chain { before: Some(self), step: Step::Item(index), lost: self.lost }
    }
    pub(super) fn without_places(self) -> Chain<'c> {
        Chain { lost: true, ..self }
    }

    /// All steps, the first one first.
    fn steps(&self) -> Vec<String> {
        let (mut steps, mut at) = (Vec::new(), Some(self));
        while let Some(chain) = at {
            match chain.step {
                Step::Flow => {}
                Step::Key(class, key) => steps.push(format!("{class}[\"{key}\"]")),
                Step::Item(index) => steps.push(format!("java.util.ArrayList[{index}]")),
            }
            at = chain.before;
        }
        steps.reverse();
        steps
    }
}

/// Where Jackson's words say that something is.
pub(super) enum Location<'p> {
    /// There.
    At(&'p Place),
    /// Behind it.
    Behind(&'p Place),
    /// They do not say.
    Unsaid,
}

/// Jackson's words with the place and the way to it, as the version's server answers them.
pub(super) fn told(reader: &Reader, edition: Edition, what: &str, location: Location<'_>, chain: &Chain<'_>) -> String {
    let at = match location {
        Location::At(place) => {
            let (line, column) = place.line_and_column();
            // A value that is empty is behind its colon.
            let colon = place.range.is_empty() && place.source.text[place.range.start..].starts_with(':');
            Some((line, column + usize::from(colon)))
        }
        Location::Behind(place) => {
            let (line, column) = place.line_and_column();
            let length = place.source.text.get(place.range.clone()).map_or(0, |text| text.chars().count());
            Some((line, column + length))
        }
        Location::Unsaid => None,
    };
    let known = reader.placed && !chain.lost;
    let place = match at {
        Some((line, column)) if known => format!("\n at [Source: (StringReader); line: {line}, column: {column}]"),
        Some(_) => "\n at [Source: UNKNOWN; byte offset: #UNKNOWN]".to_owned(),
        None => String::new(),
    };
    let steps = chain.steps();
    let way = match steps.is_empty() {
        true => String::new(),
        false => format!(" (through reference chain: {})", steps.join("->")),
    };
    let line = match at {
        Some((line, _)) if LINES.has(edition) => {
            if known {
                format!(" (at line {line})")
            } else {
                " (at line -1)".to_owned()
            }
        }
        _ => String::new(),
    };
    format!("{}{what}{place}{way}{line}", reader.before)
}

/// What Jackson calls a value that it cannot make into what is wanted.
pub(super) fn value(node: &Node) -> &'static str {
    match &node.value {
        Value::Null => "Null value (token `JsonToken.VALUE_NULL`)",
        Value::Sequence(_) => "Array value (token `JsonToken.START_ARRAY`)",
        Value::Mapping(_) => "Object value (token `JsonToken.START_OBJECT`)",
        Value::Scalar { .. } => match crate::flow::jackson::json(node) {
            serde_json::Value::Bool(true) => "Boolean value (token `JsonToken.VALUE_TRUE`)",
            serde_json::Value::Bool(false) => "Boolean value (token `JsonToken.VALUE_FALSE`)",
            serde_json::Value::Number(number) if number.is_f64() => {
                "Floating-point value (token `JsonToken.VALUE_NUMBER_FLOAT`)"
            }
            serde_json::Value::Number(_) => "Integer value (token `JsonToken.VALUE_NUMBER_INT`)",
            _ => "String value (token `JsonToken.VALUE_STRING`)",
        },
    }
}

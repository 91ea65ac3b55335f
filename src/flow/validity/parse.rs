//! What Jackson stumbles over on its way through a flow: values that are not what their place wants, keys that a class does
//! not know, types that are not there. It stops at the first.

use super::classes::{self, Class, Family, Keys, Kind};
use super::document::no_creator;
use super::words::{self, Chain, Location, Reader};
use super::{Edition, FIRST, In, Refusal};
use crate::document::{Entry, Node, Place, Reading, Value};
use crate::flow::jackson;
use crate::flow::parts::get;

type Typed = &'static [(&'static str, Kind, In)];

/// What the reader stumbles over that only takes a flow apart; none where that of the flow comes first.
pub(super) fn of_text(root: &Node, edition: Edition) -> Option<Refusal> {
    let walk = Walk { edition, reader: edition.first() };
    let Value::Mapping(entries) = &root.value else { return None };
    if !edition.twice() {
        return None;
    }
    let flow = Chain::default();
    entries.iter().find_map(|entry| {
        let chain = flow.key(walk.reader.class, &entry.key);
        match entry.key.as_str() {
            "tasks" => walk.taken_apart(&entry.value, "io.kestra.core.models.tasks.GenericTask", &chain),
            "triggers" => walk.taken_apart(&entry.value, "io.kestra.core.models.triggers.GenericTrigger", &chain),
            key => walk.typed(key, &entry.value, &[classes::TEXT], &chain),
        }
    })
}

/// What the reader of the flow stumbles over.
pub(super) fn of_flow(root: &Node, edition: Edition) -> Option<Refusal> {
    let walk = Walk { edition, reader: edition.whole() };
    walk.object(root, walk.reader.class, classes::FLOW.keys, &[classes::FLOW.typed], &Chain::default())
}

/// Whether a class is known not to have a property.
pub(super) fn unknown(kind: &str, key: &str, edition: Edition) -> bool {
    let class = classes::named(classes::resolved(kind));
    class.and_then(|class| class.keys.known(edition)).is_some_and(|known| !known.contains(&key))
}

impl Keys {
    /// All properties that a version has; none when they are not known.
    fn known(self, edition: Edition) -> Option<Vec<&'static str>> {
        let place = edition.place();
        match self {
            Keys::Open => None,
            Keys::Told(keys) => Some(keys[place].split_whitespace().collect()).filter(|keys: &Vec<_>| !keys.is_empty()),
            Keys::OfTask(keys) => Some(classes::TASK_KEYS[place].split(' ').chain(keys.split(' ')).collect()),
        }
    }
}

struct Walk {
    edition: Edition,
    reader: &'static Reader,
}

impl Walk {
    /// The words for a value, at its place.
    fn value(&self, node: &Node, what: &str, chain: &Chain<'_>, advice: impl Into<String>) -> Option<Refusal> {
        let words = words::told(self.reader, self.edition, what, Location::At(&node.place), chain);
        Some(Refusal { words, place: node.place.first_line(), advice: advice.into() })
    }

    /// A list whose items are looked at later.
    fn taken_apart(&self, node: &Node, class: &str, chain: &Chain<'_>) -> Option<Refusal> {
        match &node.value {
            Value::Null => None,
            Value::Sequence(items) => items.iter().enumerate().find_map(|(index, item)| match &item.value {
                Value::Scalar { text, .. } => self.value(item, &no_creator(class, text), &chain.item(index), MAPPING),
                _ => None,
            }),
            _ => self.value(node, &no_list(class, node), chain, LIST),
        }
    }

    /// A mapping, key by key.
    fn object(&self, node: &Node, class: &str, keys: Keys, typed: &[Typed], chain: &Chain<'_>) -> Option<Refusal> {
        let Value::Mapping(entries) = &node.value else { return None };
        let known = keys.known(self.edition);
        entries.iter().find_map(|entry| match self.unknown(entry, class, keys, known.as_deref()) {
            Some(refusal) => Some(refusal),
            None => self.typed(&entry.key, &entry.value, typed, &chain.key(class, &entry.key)),
        })
    }

    /// A key that a class does not have.
    fn unknown(&self, entry: &Entry, class: &str, keys: Keys, known: Option<&[&str]>) -> Option<Refusal> {
        let (known, key) = (known?, entry.key.as_str());
        if known.contains(&key) || class == self.reader.class && key == CATALOGUE {
            return None;
        }
        let mut words = format!("Unrecognized field \"{key}\" (class {class}), not marked as ignorable");
        // Of others their order is not known.
        if let Keys::Told(_) = keys {
            let quoted: Vec<String> = known.iter().map(|key| format!("\"{key}\"")).collect();
            let end = if BRACKET.has(self.edition) { "])" } else { ")" };
            words += &format!(" ({} known properties: {}{end}", quoted.len(), quoted.join(", "));
        }
        let advice = crate::document::nearest(key, known.iter().copied())
            .map_or_else(|| "leave it out".to_owned(), |near| format!("did you mean `{near}`? Else leave it out"));
        Some(Refusal { words, place: entry.place.clone(), advice })
    }

    /// The value of a key, if it is one of those that may be refused.
    fn typed(&self, key: &str, node: &Node, typed: &[Typed], chain: &Chain<'_>) -> Option<Refusal> {
        let rows = typed.iter().flat_map(|rows| rows.iter());
        let mut rows = rows.filter(|(name, _, of)| *name == key && of.has(self.edition));
        let (_, kind, _) = rows.next()?;
        self.kind(*kind, node, chain)
    }

    fn kind(&self, kind: Kind, node: &Node, chain: &Chain<'_>) -> Option<Refusal> {
        if node.value == Value::Null {
            return None;
        }
        match kind {
            Kind::Flag => self.flag(node, chain),
            Kind::Whole => self.whole(node, chain),
            Kind::Length => self.length(node, chain),
            Kind::Word(words) => self.word(words, node, chain),
            Kind::Map => self.map(node, chain),
            Kind::Labels => self.labels(node, chain),
            Kind::List(of) => self.list(of, node, chain),
            Kind::Lists(of) => match &node.value {
                Value::Mapping(entries) => entries
                    .iter()
                    .find_map(|entry| self.kind(*of, &entry.value, &chain.key("java.util.LinkedHashMap", &entry.key))),
                _ => None,
            },
            Kind::Of(family) => self.of(family, node, chain),
            Kind::Object(class) => self.object(node, class.name, class.keys, &[class.typed], chain),
            Kind::DagTask => get(node, "task").and_then(|task| {
                self.of(Family::Task, task, &chain.key("io.kestra.plugin.core.flow.Dag$DagTask", "task"))
            }),
            Kind::Abstract(class) => {
                let what = format!(
                    "Cannot construct instance of `{class}` (no Creators, like default constructor, exist): abstract types \
                     either need to be mapped to concrete types, have custom deserializer, or contain additional type \
                     information"
                );
                self.value(node, &what, chain, "write them as `conditions`")
            }
        }
    }

    fn flag(&self, node: &Node, chain: &Chain<'_>) -> Option<Refusal> {
        let mut reading = Reading::default();
        if jackson::boolean(&mut reading, node, "").is_some() {
            return None;
        }
        let what = match &node.value {
            Value::Scalar { text, .. } => format!(
                "Cannot deserialize value of type `boolean` from String \"{text}\": only \"true\"/\"True\"/\"TRUE\" or \
                 \"false\"/\"False\"/\"FALSE\" recognized"
            ),
            _ => format!("Cannot deserialize value of type `boolean` from {}", words::value(node)),
        };
        self.value(node, &what, chain, "write `true` or `false`")
    }

    fn whole(&self, node: &Node, chain: &Chain<'_>) -> Option<Refusal> {
        let what = match jackson::json(node) {
            serde_json::Value::Number(_) | serde_json::Value::Null => return None,
            serde_json::Value::String(text) if text.trim().is_empty() || text.trim().parse::<i32>().is_ok() => {
                return None;
            }
            serde_json::Value::String(text) => format!(
                "Cannot deserialize value of type `java.lang.Integer` from String \"{text}\": not a valid \
                 `java.lang.Integer` value"
            ),
            _ => format!("Cannot deserialize value of type `java.lang.Integer` from {}", words::value(node)),
        };
        self.value(node, &what, chain, "write a whole number")
    }

    fn length(&self, node: &Node, chain: &Chain<'_>) -> Option<Refusal> {
        let Value::Scalar { text, .. } = &node.value else { return None };
        if text.trim().is_empty() || jackson::signed(text).is_ok() {
            return None;
        }
        let what = format!(
            "Cannot deserialize value of type `java.time.Duration` from String \"{text}\": Failed to deserialize \
             java.time.Duration: (java.time.format.DateTimeParseException) Text cannot be parsed to a Duration"
        );
        let advice = jackson::duration(text).err().unwrap_or_default();
        self.value(node, &what, chain, advice)
    }

    fn word(&self, known: &classes::Words, node: &Node, chain: &Chain<'_>) -> Option<Refusal> {
        let Value::Scalar { text, .. } = &node.value else { return None };
        let words = known.words[self.edition.place()];
        if text.is_empty() || words.contains(&text.as_str()) {
            return None;
        }
        let what = format!(
            "Cannot deserialize value of type `{}` from String \"{text}\": not one of the values accepted for Enum class: \
             [{}]",
            known.class,
            words.join(", ")
        );
        self.value(node, &what, chain, crate::document::instead(text, words.iter().copied()))
    }

    fn map(&self, node: &Node, chain: &Chain<'_>) -> Option<Refusal> {
        match &node.value {
            Value::Mapping(_) => None,
            Value::Scalar { text, .. } if text.is_empty() => None,
            _ => {
                let what = format!(
                    "Cannot deserialize value of type `java.util.LinkedHashMap<java.lang.String,java.lang.Object>` from {}",
                    words::value(node)
                );
                self.value(node, &what, chain, MAPPING)
            }
        }
    }

    /// Labels: these words have no place.
    fn labels(&self, node: &Node, chain: &Chain<'_>) -> Option<Refusal> {
        let told = |what: &str, place: &Place| {
            let words = words::told(self.reader, self.edition, what, Location::Unsaid, chain);
            Some(Refusal { words, place: place.clone(), advice: "write for example `labels: { team: data }`".into() })
        };
        match &node.value {
            Value::Mapping(entries) => entries.iter().find_map(|entry| match &entry.value.value {
                Value::Sequence(_) | Value::Mapping(_) => {
                    let value = java(&jackson::json(&entry.value));
                    told(&format!("Unsupported type for key: {}, value: {value}", entry.key), &entry.value.place)
                }
                _ => None,
            }),
            Value::Scalar { text, .. } if !text.is_empty() => {
                told("Unable to deserialize value as it's neither an object neither an array", &node.place)
            }
            _ => None,
        }
    }

    fn list(&self, of: &'static Kind, node: &Node, chain: &Chain<'_>) -> Option<Refusal> {
        match &node.value {
            Value::Sequence(items) => {
                items.iter().enumerate().find_map(|(index, item)| self.kind(*of, item, &chain.item(index)))
            }
            _ => self.value(node, &no_list(item(*of), node), chain, LIST),
        }
    }

    /// An object whose class its type names.
    fn of(&self, family: Family, node: &Node, chain: &Chain<'_>) -> Option<Refusal> {
        let Value::Mapping(_) = &node.value else { return None };
        let plugin = matches!(family, Family::Task | Family::Trigger | Family::Condition);
        let kind = get(node, "type");
        let text = match kind.map(|kind| &kind.value) {
            Some(Value::Scalar { text, .. }) if !text.is_empty() => Some(text.as_str()),
            _ => None,
        };
        let invalid = |name: &str| {
            let place = kind.map_or_else(|| node.place.first_line(), |kind| kind.place.clone());
            let advice = match family {
                Family::Task => "write for example `type: io.kestra.plugin.core.log.Log`".to_owned(),
                Family::Trigger => "write for example `type: io.kestra.plugin.core.trigger.Schedule`".to_owned(),
                Family::Condition => "write for example `type: io.kestra.plugin.core.condition.Weekend`".to_owned(),
                _ => crate::document::instead(name, known_words(family, self.edition)),
            };
            Some(Refusal { words: format!("Invalid type: {name}"), place, advice })
        };
        let Some(text) = text else { return invalid(if plugin { "<null>" } else { "null" }) };
        if plugin {
            if classes::absent(text, self.edition) {
                return invalid(text);
            }
            return self.plugin(family, classes::resolved(text), node, &chain.without_places());
        }
        let row =
            classes::WORDS.iter().find(|(of, word, _, r#in)| *of == family && *word == text && r#in.has(self.edition));
        let Some((_, _, name, _)) = row else { return invalid(text) };
        let class = classes::named(name)?;
        self.object(node, class.name, class.keys, &[class.typed], chain)
    }

    /// A task, a trigger or a condition.
    fn plugin(&self, family: Family, name: &str, node: &Node, chain: &Chain<'_>) -> Option<Refusal> {
        let common: &[Typed] = match family {
            Family::Task => &[classes::EVERY_TASK],
            Family::Trigger => &[classes::EVERY_TRIGGER],
            _ => &[],
        };
        let (keys, own): (Keys, &[Typed]) = match classes::named(name) {
            Some(Class { keys, typed, .. }) => (*keys, &[typed]),
            // What another plugin's task holds is its own.
            None if name.starts_with("io.kestra.plugin.core.flow.")
                || name.starts_with("io.kestra.core.tasks.flows.") =>
            {
                (Keys::Open, &[classes::HOLDING])
            }
            None => (Keys::Open, &[]),
        };
        let typed: Vec<Typed> = common.iter().chain(own).copied().collect();
        self.object(node, name, keys, &typed, chain)
    }
}

/// The block of the catalogue of blueprints: who takes a flow from there leaves it out, so it is noted and not refused.
const CATALOGUE: &str = "extend";

/// Whether Jackson's list of properties is told with the bracket at its end.
const BRACKET: In = FIRST;

const MAPPING: &str = "write a mapping of keys and values";
const LIST: &str = "begin each item with `- `";

fn no_list(class: &str, node: &Node) -> String {
    format!("Cannot deserialize value of type `java.util.ArrayList<{class}>` from {}", words::value(node))
}

/// What a list of something is a list of, in Java.
fn item(kind: Kind) -> &'static str {
    match kind {
        Kind::Of(Family::Task) => "io.kestra.core.models.tasks.Task",
        Kind::Of(Family::Trigger) => "io.kestra.core.models.triggers.AbstractTrigger",
        Kind::Of(Family::Condition) => "io.kestra.core.models.conditions.Condition",
        Kind::Of(Family::Input) => "io.kestra.core.models.flows.Input<?>",
        Kind::Of(Family::Sla) => "io.kestra.core.models.flows.sla.SLA",
        Kind::Word(words) => words.class,
        Kind::Object(class) => class.name,
        Kind::Abstract(class) => class,
        Kind::DagTask => "io.kestra.plugin.core.flow.Dag$DagTask",
        _ => "java.lang.Object",
    }
}

fn known_words(family: Family, edition: Edition) -> impl Iterator<Item = &'static str> + Clone {
    classes::WORDS
        .iter()
        .filter(move |(of, _, _, r#in)| *of == family && r#in.has(edition))
        .map(|(_, word, _, _)| *word)
}

/// The first input of a type that another version has and this one has not.
pub(super) fn of_types(flow: &Node, edition: Edition) -> Option<Refusal> {
    let Value::Sequence(inputs) = &get(flow, "inputs")?.value else { return None };
    inputs.iter().filter_map(|input| get(input, "type")).find_map(|kind| {
        let Value::Scalar { text, .. } = &kind.value else { return None };
        let mut known = known_words(Family::Input, edition);
        (!known.any(|word| word == text)).then(|| Refusal {
            words: format!("Invalid type: {text}"),
            place: kind.place.clone(),
            advice: crate::document::instead(text, known_words(Family::Input, edition)),
        })
    })
}

/// The first task, trigger or condition of a type that no version has. One of another version is taken: what it does is
/// simulated all the same.
pub(super) fn of_classes(flow: &Node, edition: Edition) -> Option<Refusal> {
    let Value::Mapping(entries) = &flow.value else { return None };
    let holds = |key: &str| matches!(key, "tasks" | "triggers" | "errors" | "finally" | "afterExecution");
    let mut open: Vec<&Node> = entries.iter().filter(|it| holds(&it.key)).map(|it| &it.value).collect();
    let mut found: Vec<(&Node, &str)> = Vec::new();
    while let Some(node) = open.pop() {
        match &node.value {
            Value::Mapping(entries) => open.extend(entries.iter().map(|entry| &entry.value)),
            Value::Sequence(items) => open.extend(items),
            _ => {}
        }
        if let Some(kind) = get(node, "type")
            && let Value::Scalar { text, .. } = &kind.value
            && classes::unheard_of(text, edition)
        {
            found.push((kind, text));
        }
    }
    let (kind, text) = found.into_iter().min_by_key(|(kind, _)| kind.place.range.start)?;
    let advice = match classes::meant(text) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "write a type that there is".to_owned(),
    };
    Some(Refusal { words: format!("Invalid type: {text}"), place: kind.place.clone(), advice })
}

/// A value as Java prints it.
fn java(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Array(items) => format!("[{}]", items.iter().map(java).collect::<Vec<_>>().join(", ")),
        serde_json::Value::Object(map) => {
            let entries: Vec<String> = map.iter().map(|(key, value)| format!("{key}={}", java(value))).collect();
            format!("{{{}}}", entries.join(", "))
        }
        other => other.to_string(),
    }
}

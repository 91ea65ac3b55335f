//! Reads meters.

use indexmap::IndexMap;

use super::answers::{one, text, texts, words};
use super::fields::{METER, START, TIMER};
use crate::document::{Node, Reading, Value};
use crate::profile::source::NoLinear;
use crate::profile::{Kind, Linear, Meter, Probe, Role, Source, Start};

/// The shapes of histograms, by name.
pub(super) type Shapes = IndexMap<String, Vec<f64>>;

/// The shares below each bucket's bound, of steps written as bound and share.
pub(super) fn shapes(reading: &mut Reading, node: &Node, buckets: &[f64]) -> Shapes {
    let mut shapes = Shapes::new();
    let Value::Mapping(entries) = &node.value else {
        reading.error(&node.place, "`shapes` must be a mapping", "write for example `{ wait: { 0.001: 1 } }`");
        return shapes;
    };
    for entry in entries {
        let mut steps: Vec<(f64, f64)> = Vec::new();
        if let Value::Mapping(written) = &entry.value.value {
            for step in written {
                match step.key.parse() {
                    Ok(bound) => steps.extend(number(reading, &step.value).map(|share| (bound, share))),
                    Err(_) => reading.error(&step.place, format!("`{}` is no bound", step.key), "write seconds"),
                }
            }
        } else {
            reading.error(&entry.value.place, "a shape must be a mapping", "write for example `{ 0.001: 1 }`");
        }
        let share = |bound: f64| steps.iter().rev().find(|(from, _)| *from <= bound).map_or(0.0, |(_, share)| *share);
        shapes.insert(entry.key.clone(), buckets.iter().map(|bound| share(*bound)).collect());
    }
    shapes
}

/// A number.
pub(super) fn number(reading: &mut Reading, node: &Node) -> Option<f64> {
    reading.parsed(node, "a number", |text| text.parse().map_err(|_| "write for example 0.5".to_owned()))
}

/// One meter.
pub(super) fn meter(reading: &mut Reading, node: &Node, shapes: &Shapes) -> Option<Meter> {
    let object = reading.object(node, "a meter", METER)?;
    let name = text(reading, &object, "name")?;
    let kind = one(reading, &object, "kind", "kind of meter", Kind::WORDS)?;
    let roles = object.get("roles").map_or_else(|| Role::ALL.to_vec(), |node| roles(reading, node));
    let list = object.get("start").map_or(&[][..], |node| reading.list(node, "`start`"));
    let start: Vec<Start> = list.iter().filter_map(|node| start(reading, node, kind, &roles, shapes)).collect();
    let optional = |reading: &mut Reading, key| text(reading, &object, key).unwrap_or_default();
    let tags = object.get("tags").map_or_else(Vec::new, |node| texts(reading, node, "`tags`"));
    let keys = start.first().map(|start| start.tags.iter().map(|(key, _)| key.clone()).collect());
    Some(Meter {
        unit: optional(reading, "unit"),
        listed_unit: text(reading, &object, "listed_unit"),
        help: optional(reading, "help"),
        keys: keys.unwrap_or(tags),
        was: object.get("was").map_or_else(Vec::new, |node| texts(reading, node, "`was`")),
        model: text(reading, &object, "model"),
        origin: name.clone(),
        name,
        kind,
        start,
    })
}

/// A list of roles.
pub(super) fn roles(reading: &mut Reading, node: &Node) -> Vec<Role> {
    words(reading, node, "`roles`", "role", &Role::ALL.map(|role| (role.name(), role)))
}

fn start(reading: &mut Reading, node: &Node, kind: Kind, roles: &[Role], shapes: &Shapes) -> Option<Start> {
    let object = reading.object(node, "series at start", START)?;
    let mut tags = Vec::new();
    if let Some(node) = object.get("tags") {
        let Value::Mapping(entries) = &node.value else {
            reading.error(&node.place, "`tags` must be a mapping", "write for example `{ level: [info, warn] }`");
            return None;
        };
        for entry in entries {
            let values = match &entry.value.value {
                Value::Sequence(_) => texts(reading, &entry.value, "a value of a tag"),
                _ => reading.text(&entry.value, "a value of a tag").map(str::to_owned).into_iter().collect(),
            };
            tags.push((entry.key.clone(), values));
        }
    }
    let roles = object.get("roles").map_or_else(|| roles.to_vec(), |node| self::roles(reading, node));
    let source = source(reading, object.get("is")?, kind, shapes)?;
    Some(Start { roles, tags, source })
}

fn source(reading: &mut Reading, node: &Node, kind: Kind, shapes: &Shapes) -> Option<Source> {
    if matches!(kind, Kind::Counter | Kind::Gauge) {
        return linear(reading, node).map(Source::Plain);
    }
    let object = reading.object(node, "what a timer shows", TIMER)?;
    let [count, sum, max] = ["count", "sum", "max"].map(|key| object.get(key).and_then(|node| linear(reading, node)));
    let shape = match object.get("shape") {
        None => None,
        Some(node) => {
            let name = reading.text(node, "`shape`")?;
            let shape = shapes.get_index_of(name);
            if shape.is_none() {
                reading.unknown(&node.place, "shape", name, shapes.keys().map(String::as_str));
            }
            Some(shape?)
        }
    };
    Some(Source::Timer { count: count?, sum: sum?, max: max?, shape })
}

fn linear(reading: &mut Reading, node: &Node) -> Option<Linear> {
    match Linear::parse(reading.text(node, "what a series shows")?) {
        Ok(linear) => return Some(linear),
        Err(NoLinear::Probe(name)) => {
            reading.unknown(&node.place, "probe", name, Probe::ALL.iter().map(|probe| probe.name()));
        }
        Err(NoLinear::Number(text)) => {
            reading.error(&node.place, format!("`{text}` is no number"), "write for example `polls * 1.3 + 43`");
        }
    }
    None
}

//! A plan as people write it: without what a reader fills in by itself, and without quotes where none are needed.

use serde_json::{Value, json};

use super::write::{Object, root, text};
use super::{NoFiles, Plan, read};

/// The text of a scenario for people to read and to go on with: without what a reader fills in by itself, and without quotes where none
/// are needed.
pub fn write_short(plan: &Plan) -> String {
    let full = root(plan);
    let read_back = |root: &Object| {
        let (read, _) = read("written.yaml", &text(root), &NoFiles);
        read.map(|read| Plan { expectations: Vec::new(), ..read })
    };
    let mut root = full.clone();
    let wanted = read_back(&root);
    // What is large is written whole: each key that may be left out is tried.
    if wanted.is_some() && text(&full).len() <= SHORTENED {
        let same = |root: &Object| read_back(root) == wanted;
        shorten(&mut root, &same);
    }
    let short = short_text(&root);
    let (again, _) = read("written.yaml", &short, &NoFiles);
    let whole = again.map(|read| Plan { expectations: Vec::new(), ..read }) == wanted;
    if whole { short } else { text(&full) }
}

/// Bytes of a text of which each key is tried that may be left out.
const SHORTENED: usize = 64 << 10;

/// Keys of which something may be left out: what stands below others is the user's own.
const OPTIONAL: &[&str] = &["summary", "cluster", "behaviour", "arrivals", "polled_by", "autoscale", "timeline"];

/// Leaves out all that makes no difference.
fn shorten(root: &mut Object, same: &dyn Fn(&Object) -> bool) {
    for key in OPTIONAL {
        let mut places = Vec::new();
        let pointer = format!("/{key}");
        if let Some(value) = root.get(*key) {
            places_of(value, &pointer, &mut places);
        }
        places.push(pointer);
        for place in places {
            let mut shorter = Value::Object(root.clone());
            let Some((parent, key)) = place.rsplit_once('/') else { continue };
            let removed =
                shorter.pointer_mut(parent).and_then(Value::as_object_mut).and_then(|it| it.shift_remove(key));
            if let (Some(_), Value::Object(shorter)) = (removed, shorter)
                && same(&shorter)
            {
                *root = shorter;
            }
        }
    }
    simple_members(root, same);
}

/// Where keys stand that might be left out, the innermost first. Names of members and roles have no `/`.
fn places_of(value: &Value, pointer: &str, places: &mut Vec<String>) {
    let mut below = |key: &str, value: &Value| {
        let pointer = format!("{pointer}/{key}");
        places_of(value, &pointer, places);
        if value_of_key(key) {
            places.push(pointer);
        }
    };
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| below(key, value)),
        Value::Array(items) => items.iter().enumerate().for_each(|(at, value)| below(&at.to_string(), value)),
        _ => {}
    }
}

fn value_of_key(key: &str) -> bool {
    !key.contains(['/', '~']) && key.parse::<usize>().is_err()
}

/// A simpler form of a value, if it has one.
type Simpler = fn(&Value) -> Option<Value>;

/// A role with nothing but a number of members is that number, and a list of one name is the name.
fn simple_members(root: &mut Object, same: &dyn Fn(&Object) -> bool) {
    let members = root.get("cluster").and_then(|cluster| cluster.get("members")).and_then(Value::as_object);
    let roles: Vec<String> = members.into_iter().flat_map(|members| members.keys().cloned()).collect();
    let entries = root.get("timeline").and_then(Value::as_array).map_or(0, Vec::len);
    let mut tries: Vec<(String, Simpler)> = Vec::new();
    let count: Simpler = |role| match (role.as_object()?, role.get("count")) {
        (role, None) if role.is_empty() => Some(json!(1)),
        (role, Some(count)) if role.len() == 1 => Some(count.clone()),
        _ => None,
    };
    tries.extend(roles.iter().map(|role| (format!("/cluster/members/{role}"), count)));
    let name: Simpler = |list| match list.as_array()?.as_slice() {
        [one @ Value::String(_)] => Some(one.clone()),
        _ => None,
    };
    for entry in 0..entries {
        let keys = root.get("timeline").and_then(|it| it.get(entry)?.as_object()).into_iter().flatten();
        for key in keys.map(|(key, _)| key).filter(|key| value_of_key(key)) {
            tries.push((format!("/timeline/{entry}/{key}"), name));
            tries.push((format!("/timeline/{entry}/{key}/member"), name));
        }
    }
    for (place, simpler) in tries {
        let mut simple = Value::Object(root.clone());
        let found = simple.pointer_mut(&place).and_then(|value| Some((simpler(value)?, value)));
        let Some((simpler, value)) = found else { continue };
        *value = simpler;
        if let Value::Object(simple) = simple
            && same(&simple)
        {
            *root = simple;
        }
    }
}

/// A value as people write it: in one line, quotes only where YAML would read something else without them.
pub fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => word(text),
        Value::Array(items) if !items.is_empty() => {
            format!("[ {} ]", items.iter().map(plain).collect::<Vec<_>>().join(", "))
        }
        Value::Object(map) if !map.is_empty() => {
            let entries = map.iter().map(|(key, value)| format!("{}: {}", word(key), plain(value)));
            format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '%');
    let good = text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(plain);
    // What YAML, old or new, takes for something else.
    let another = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let number = text.parse::<f64>().is_ok()
        || text.starts_with('0') && text.len() > 1 && !text.ends_with('s')
        || text.contains('_') && text.starts_with(|c: char| c.is_ascii_digit())
        || text.len() > 7 && text.starts_with(|c: char| c.is_ascii_digit()) && text.contains('-');
    match good && !number && !another.iter().any(|it| it.eq_ignore_ascii_case(text)) {
        true => text.to_owned(),
        false => json!(text).to_string(),
    }
}

/// The lines of a file for people: what is long stands on several lines.
fn short_text(root: &Object) -> String {
    let mut text = String::new();
    for (key, value) in root {
        match value {
            Value::Array(items) if !items.is_empty() => below(key, value, 0, &mut text),
            value => entry_line(key, value, 0, &mut text),
        }
    }
    text
}

/// Characters of a line.
const WIDTH: usize = 110;

fn entry_line(key: &str, value: &Value, indent: usize, out: &mut String) {
    let line = plain(value);
    let nests = matches!(value, Value::Array(_) | Value::Object(_));
    match nests && indent + key.len() + line.len() + 2 > WIDTH {
        true => below(key, value, indent, out),
        false => *out += &format!("{:indent$}{}: {line}\n", "", word(key)),
    }
}

/// A key with what belongs to it on the lines after it.
fn below(key: &str, value: &Value, indent: usize, out: &mut String) {
    *out += &format!("{:indent$}{}:\n", "", word(key));
    match value {
        Value::Array(items) => items.iter().for_each(|item| item_lines(item, indent + 2, out)),
        Value::Object(map) => map.iter().for_each(|(key, value)| entry_line(key, value, indent + 2, out)),
        _ => {}
    }
}

fn item_lines(item: &Value, indent: usize, out: &mut String) {
    let line = plain(item);
    match item {
        Value::Object(map) if indent + line.len() + 2 > WIDTH && !map.is_empty() => {
            let mut lines = String::new();
            map.iter().for_each(|(key, value)| entry_line(key, value, indent + 2, &mut lines));
            // The first key stands behind the dash.
            *out += &format!("{:indent$}- {}", "", lines.trim_start());
        }
        _ => *out += &format!("{:indent$}- {line}\n", ""),
    }
}

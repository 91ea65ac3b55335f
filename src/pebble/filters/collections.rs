//! Filters on lists and maps, and those that turn them to JSON.

use std::cmp::Ordering;

use indexmap::IndexMap;

use super::super::error::{Fault, Found};
use super::super::invoke::{Call, Row, bare, row};
use super::super::operate;
use super::super::print;
use super::super::syntax::Operator;
use super::super::value::Value;
use super::texts::units;

/// The filters of this file.
pub const ROWS: &[Row] = &[
    bare("length", |call| Ok(Value::Int(length(&call.input)))),
    bare("first", |call| end(&call, true)),
    bare("last", |call| end(&call, false)),
    row("join", &["separator"], join),
    bare("reverse", |call| rearranged(&call, |items| items.reverse())),
    bare("sort", |call| sorted(&call, false)),
    bare("rsort", |call| sorted(&call, true)),
    row("slice", &["fromIndex", "toIndex"], slice),
    row("merge", &["items"], merge),
    bare("keys", keys),
    bare("values", |call| match &call.input {
        Value::Null => Ok(Value::Null),
        Value::Map(map) => Value::list(map.entries.values().cloned().collect()),
        other => Err(unknown("values", other)),
    }),
    bare("flatten", flatten),
    bare("distinct", distinct),
    row("chunk", &["size"], chunk),
    bare("toJson", |call| Value::text(print::json(&call.input, call.run.dialect)?)),
    bare("json", |call| Value::text(print::json(&call.input, call.run.dialect)?)),
    row("jq", &["expression"], |call| super::super::jq::filter(&call)),
];

/// What nothing is known of.
fn unknown(filter: &str, value: &Value) -> Box<Fault> {
    Fault::unsupported(format!("the filter `{filter}` on a value of the class {} is not simulated", value.class()))
}

fn length(value: &Value) -> i32 {
    let length = match value {
        Value::Text(text) => text.encode_utf16().count(),
        Value::List(list) => list.items.len(),
        Value::Map(map) => map.entries.len(),
        Value::Bytes(bytes) => bytes.len(),
        _ => 0,
    };
    i32::try_from(length).unwrap_or(i32::MAX)
}

fn end(call: &Call<'_, '_>, first: bool) -> Found<Value> {
    match &call.input {
        Value::Null => Ok(Value::Null),
        Value::Text(text) if text.is_empty() => Err(unknown(if first { "first" } else { "last" }, &call.input)),
        Value::Text(text) => {
            let count = text.encode_utf16().count();
            let at = if first { 0 } else { count - 1 };
            Value::text(units(text, at, at + 1))
        }
        Value::List(list) => {
            let item = if first { list.items.first() } else { list.items.last() };
            Ok(item.cloned().unwrap_or(Value::Null))
        }
        other => Err(Fault::cast(other.class(), "java.util.Collection")),
    }
}

fn join(call: Call<'_, '_>) -> Found<Value> {
    match &call.input {
        Value::Null => Ok(Value::Null),
        Value::List(list) => {
            let separator = call.text("separator")?.unwrap_or("");
            let room = separator.len().saturating_mul(list.items.len()) as u64;
            if room > super::super::limits::VALUE_MAX {
                return Err(Fault::limit("`join` makes a text that is too long"));
            }
            Value::text(list.items.iter().map(Value::java_text).collect::<Vec<_>>().join(separator))
        }
        other => Err(unknown("join", other)),
    }
}

fn rearranged(call: &Call<'_, '_>, change: impl Fn(&mut Vec<Value>)) -> Found<Value> {
    match &call.input {
        Value::Null => Ok(Value::Null),
        Value::List(list) => {
            let mut items = list.items.clone();
            change(&mut items);
            Value::list(items)
        }
        other => Err(Fault::cast(other.class(), "java.util.List")),
    }
}

/// In Java's natural order, which elements of different kinds have not.
fn sorted(call: &Call<'_, '_>, backwards: bool) -> Found<Value> {
    let name = if backwards { "rsort" } else { "sort" };
    let list = match &call.input {
        Value::List(list) => list,
        Value::Null => return Ok(Value::Null),
        _ => return Err(call.fault(&format!("Unsupported input type for {name} filter"))),
    };
    let first = list.items.first().map_or("", Value::class);
    let strange = |item: &&Value| item.class() != first || !(item.is_number() || matches!(item, Value::Text(_)));
    if list.items.len() > 1
        && let Some(item) = list.items.iter().find(strange)
    {
        return Err(match matches!(item, Value::Null) || first == "null" {
            true => unknown("sort", &Value::Null),
            false => Fault::unsupported(format!(
                "sorting elements of the classes {first} and {} is not simulated",
                item.class()
            )),
        });
    }
    rearranged(call, |items| {
        items.sort_by(|a, b| match (a, b) {
            (Value::Text(a), Value::Text(b)) => a.encode_utf16().cmp(b.encode_utf16()),
            _ if operate::compared(Operator::Less, a, b).unwrap_or(false) => Ordering::Less,
            _ if operate::compared(Operator::Greater, a, b).unwrap_or(false) => Ordering::Greater,
            _ => Ordering::Equal,
        });
        if backwards {
            items.reverse();
        }
    })
}

fn slice(call: Call<'_, '_>) -> Found<Value> {
    if matches!(call.input, Value::Null) {
        return Ok(Value::Null);
    }
    let index = |name: &str| match call.argument(name) {
        None => Ok(None),
        Some(value) if value.is_number() => Ok(Some(operate::long(value) as i32)),
        Some(other) => Err(call.fault(&format!("Argument {name} must be a number. Actual type: {}", other.class()))),
    };
    let from = index("fromIndex")?.unwrap_or(0);
    if from < 0 {
        return Err(Fault::java(super::super::error::class::ARGUMENT, "fromIndex must be greater than 0"));
    }
    if !matches!(call.input, Value::List(_) | Value::Text(_)) {
        let class = call.input.class();
        let message =
            format!("Slice filter can only be applied to String, List and array inputs. Actual type was: {class}");
        return Err(call.fault(&message));
    }
    let length = length(&call.input);
    let to = match index("toIndex")? {
        None => length,
        Some(to) if to > length => {
            return Err(call.fault(&format!("toIndex must be smaller than input size: {length}")));
        }
        Some(to) if from >= to => return Err(call.fault("toIndex must be greater than fromIndex")),
        Some(to) => to,
    };
    if from > to {
        return Err(Fault::unsupported("`slice` from behind the end is not simulated"));
    }
    let (from, to) = (usize::try_from(from).unwrap_or(0), usize::try_from(to).unwrap_or(0));
    match &call.input {
        Value::List(list) => Value::list_of(list.class, list.items.get(from..to).unwrap_or(&[]).to_vec()),
        other => Value::text(units(&other.java_text(), from, to)),
    }
}

fn merge(call: Call<'_, '_>) -> Found<Value> {
    let Some(items) = call.argument("items") else {
        return match call.input {
            Value::Null => Err(call.fault("The two arguments to be merged are null")),
            input => Ok(input),
        };
    };
    match (&call.input, items) {
        (Value::Null, items) => Ok(items.clone()),
        (Value::Map(map), Value::Map(more)) => {
            let mut entries = map.entries.clone();
            entries.extend(more.entries.iter().map(|(name, value)| (name.clone(), value.clone())));
            Value::hashed(entries, map.entries.len() + more.entries.len() + 16)
        }
        (Value::List(list), Value::List(more)) if !call.input.is_array() && !items.is_array() => {
            Value::list(list.items.iter().chain(&more.items).cloned().collect())
        }
        (Value::List(list), Value::Map(more)) if !call.input.is_array() => {
            let entries =
                more.entries.iter().map(|(name, value)| Value::Entry((name.as_str().into(), value.clone()).into()));
            Value::list(list.items.iter().cloned().chain(entries).collect())
        }
        (Value::List(_), other) if !call.input.is_array() => {
            let class = other.class();
            Err(call.fault(&format!("Currently, only Maps and Lists can be merged with a List. Arg2: {class}")))
        }
        (Value::Map(_) | Value::List(_), _) => Err(unknown("merge", items)),
        _ => Err(call.fault("The object being filtered is not a Map/List/Array")),
    }
}

fn keys(call: Call<'_, '_>) -> Found<Value> {
    match &call.input {
        Value::Null => Ok(Value::Null),
        Value::Map(map) => {
            let names: Result<Vec<Value>, _> = map.entries.keys().map(|name| Value::text(name.as_str())).collect();
            Value::list(names?)
        }
        Value::List(list) => Value::list((0..).take(list.items.len()).map(Value::Int).collect()),
        other => Err(unknown("keys", other)),
    }
}

/// One level down.
fn flatten(call: Call<'_, '_>) -> Found<Value> {
    match &call.input {
        Value::Null => Ok(Value::Null),
        Value::List(list) => {
            let inner = |item: &Value| match item {
                Value::List(inner) if !item.is_array() => inner.items.clone(),
                other => vec![other.clone()],
            };
            Value::list(list.items.iter().flat_map(inner).collect())
        }
        other => Err(unknown("flatten", other)),
    }
}

fn distinct(call: Call<'_, '_>) -> Found<Value> {
    let Value::List(list) = &call.input else {
        return if matches!(call.input, Value::Null) { Ok(Value::Null) } else { Err(unknown("distinct", &call.input)) };
    };
    // By how they print, which is quick; elements that print alike are then compared.
    let mut seen: IndexMap<String, Vec<&Value>> = IndexMap::new();
    let mut items = Vec::new();
    for item in &list.items {
        let alike = seen.entry(item.java_text()).or_default();
        if !alike.iter().any(|other| other.java_equals(item)) {
            alike.push(item);
            items.push(item.clone());
        }
    }
    Value::list(items)
}

fn chunk(call: Call<'_, '_>) -> Found<Value> {
    let Some(size) = call.argument("size") else {
        return Err(call.fault("The 'chunk' filter expects an argument 'size'."));
    };
    let size = usize::try_from(operate::long(size)).unwrap_or(0);
    match &call.input {
        Value::Null => Ok(Value::Null),
        Value::List(list) if size > 0 => {
            let chunks: Result<Vec<Value>, _> =
                list.items.chunks(size).map(|chunk| Value::list(chunk.to_vec())).collect();
            Value::list(chunks?)
        }
        other => Err(unknown("chunk", other)),
    }
}

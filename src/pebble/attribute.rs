//! `a.b` and `a['b']`: entries of maps, elements of lists, and what a loop tells. A name that is not there is an error.

use super::error::{Fault, Found, class};
use super::value::Value;

/// Names that Java finds on any text or list as a method without arguments: what they would give is not simulated.
const METHODS: &[(&str, &[&str])] = &[
    (
        "java.lang.String",
        &[
            "length",
            "empty",
            "isEmpty",
            "blank",
            "isBlank",
            "trim",
            "strip",
            "stripLeading",
            "stripTrailing",
            "stripIndent",
            "toUpperCase",
            "toLowerCase",
            "hashCode",
            "bytes",
            "getBytes",
            "chars",
            "codePoints",
            "lines",
            "intern",
            "toString",
            "toCharArray",
            "translateEscapes",
            "describeConstable",
        ],
    ),
    (
        "java.util.ArrayList",
        &[
            "size",
            "empty",
            "isEmpty",
            "first",
            "getFirst",
            "last",
            "getLast",
            "reversed",
            "hashCode",
            "toString",
            "toArray",
            "iterator",
            "stream",
            "removeFirst",
            "removeLast",
            "clear",
            "clone",
            "trimToSize",
        ],
    ),
];

/// A variable that is not there, or null where something of it is asked for.
pub fn no_root(name: &str, template: &str, line: usize) -> Box<Fault> {
    let message =
        format!("Root attribute [{name}] does not exist or can not be accessed and strict variables is set to true.");
    missing(class::ROOT, &message, name, template, line)
}

/// Something asked of null.
pub fn of_null(key: &Value, template: &str, line: usize) -> Box<Fault> {
    let message = "Attempt to get attribute of null object and strict variables is set to true.";
    missing(class::ROOT, message, &key.java_text(), template, line)
}

fn missing(class: &'static str, message: &str, name: &str, template: &str, line: usize) -> Box<Fault> {
    let mut fault = Fault::engine(class, message, template, line);
    fault.missing = Some((name.to_owned(), template.to_owned()));
    fault
}

fn no_attribute(name: &str, class: &str, template: &str, line: usize) -> Box<Fault> {
    let message = format!(
        "Attribute [{name}] of [{class}] does not exist or can not be accessed and strict variables is set to true."
    );
    missing(class::ATTRIBUTE, &message, name, template, line)
}

/// What a value has under a key.
pub fn get(value: &Value, key: &Value, template: &str, line: usize) -> Found<Value> {
    let name = key.java_text();
    match value {
        Value::Map(map) => {
            if key.is_number() {
                return Err(match map.entries.is_empty() {
                    true => Fault::java("java.util.NoSuchElementException", "null"),
                    false => {
                        let message = format!("type class java.lang.String not supported for key {name}");
                        Fault::engine(class::PEBBLE, &message, template, line)
                    }
                });
            }
            let Value::Text(text) = key else {
                return Err(match key {
                    Value::Null => Fault::java(class::NULL, "null"),
                    _ => no_attribute(&name, map.class, template, line),
                });
            };
            let entry = map.entries.get(text.as_ref()).cloned();
            entry.ok_or_else(|| no_attribute(text, map.class, template, line))
        }
        Value::List(list) => {
            let Ok(index) = name.parse::<i32>() else { return other(value, &name, template, line) };
            let item = usize::try_from(index).ok().and_then(|index| list.items.get(index)).cloned();
            let message = "Index out of bounds while accessing array with strict variables on.";
            item.ok_or_else(|| missing(class::ATTRIBUTE, message, &name, template, line))
        }
        Value::Entry(entry) => match name.as_str() {
            "key" => Ok(Value::Text(entry.0.clone())),
            "value" => Ok(entry.1.clone()),
            _ => other(value, &name, template, line),
        },
        Value::Loop(at) => match name.as_str() {
            "index" => Ok(Value::Int(at.index)),
            "length" => Ok(Value::Int(at.length)),
            "revindex" => Ok(Value::Int(at.length - at.index - 1)),
            "first" => Ok(Value::Bool(at.index == 0)),
            "last" => Ok(Value::Bool(at.index + 1 == at.length)),
            _ => other(value, &name, template, line),
        },
        _ => other(value, &name, template, line),
    }
}

/// An attribute that the real engine looks for among the methods of a class.
fn other(value: &Value, name: &str, template: &str, line: usize) -> Found<Value> {
    let class = value.class();
    let known = METHODS.iter().find(|row| row.0 == class);
    let plain = matches!(value, Value::Bool(_) | Value::Null) || value.is_number() || value.is_array();
    if known.is_some_and(|row| !row.1.contains(&name)) || (plain && !name.ends_with("Value") && name != "hashCode") {
        return Err(no_attribute(name, class, template, line));
    }
    Err(Fault::unsupported(format!("`{name}` of a value of the class {class} is not simulated")))
}

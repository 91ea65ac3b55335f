//! The table of filters and functions, and the tests.

use indexmap::IndexMap;

use super::Dialect;
use super::error::{Fault, Found, class};
use super::evaluate::Evaluator;
use super::run::Run;
use super::value::Value;
use super::{filters, functions};

/// A filter or function that is called.
pub struct Call<'c, 'h> {
    pub run: &'c mut Run<'h>,
    pub template: &'c str,
    pub line: usize,
    /// What is filtered; null for a function.
    pub input: Value,
    pub arguments: IndexMap<String, Value>,
}

/// A filter or function: name, names of its arguments (none: any number of them), and what it does.
pub struct Row {
    pub name: &'static str,
    pub arguments: Option<&'static [&'static str]>,
    pub apply: fn(Call<'_, '_>) -> Found<Value>,
}

/// A row with named arguments.
pub const fn row(
    name: &'static str,
    arguments: &'static [&'static str],
    apply: fn(Call<'_, '_>) -> Found<Value>,
) -> Row {
    Row { name, arguments: Some(arguments), apply }
}

/// A row that takes arguments and does not look at them, as the real engine's filters without arguments do.
pub const fn bare(name: &'static str, apply: fn(Call<'_, '_>) -> Found<Value>) -> Row {
    Row { name, arguments: None, apply }
}

/// The tests behind `is`.
pub const TESTS: &[&str] = &["defined", "null", "empty", "even", "odd", "iterable", "map", "json"];

impl Call<'_, '_> {
    /// An exception of the engine's where the call stands.
    pub fn fault(&self, message: &str) -> Box<Fault> {
        Fault::engine(class::PEBBLE, message, self.template, self.line)
    }
    /// An argument that is given and not null.
    pub fn argument(&self, name: &str) -> Option<&Value> {
        self.arguments.get(name).filter(|value| !matches!(value, Value::Null))
    }
    /// An argument that is a text, or nothing.
    pub fn text(&self, name: &str) -> Found<Option<&str>> {
        match self.argument(name) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(other) => Err(Fault::cast(other.class(), "java.lang.String")),
        }
    }
    /// The input as a text, or what Java says of a cast.
    pub fn input_text(&self) -> Found<&str> {
        match &self.input {
            Value::Text(text) => Ok(text),
            other => Err(Fault::cast(other.class(), "java.lang.String")),
        }
    }
}

/// The row of a filter; nothing if this version has none; an error if it has one that is not simulated.
pub fn filter_row(name: &str, dialect: &Dialect) -> Found<Option<&'static Row>> {
    found("filter", name, dialect, filters::TABLES, filters::UNSUPPORTED)
}

/// The row of a function.
pub fn function_row(name: &str, dialect: &Dialect) -> Found<Option<&'static Row>> {
    found("function", name, dialect, functions::TABLES, functions::UNSUPPORTED)
}

fn found(
    sort: &str,
    name: &str,
    dialect: &Dialect,
    tables: &'static [&'static [Row]],
    unsupported: &[&str],
) -> Found<Option<&'static Row>> {
    if dialect.lacks(sort, name) {
        return Ok(None);
    }
    if unsupported.contains(&name) {
        return Err(Fault::unsupported(format!("the {sort} `{name}` is not simulated")));
    }
    Ok(tables.iter().flat_map(|table| table.iter()).find(|row| row.name == name))
}

/// Calls a function by name.
pub fn function(
    evaluator: &mut Evaluator<'_, '_, '_>,
    name: &str,
    arguments: IndexMap<String, Value>,
    line: usize,
) -> Found<Value> {
    let template = evaluator.template;
    match function_row(name, evaluator.run.dialect)? {
        Some(row) => (row.apply)(Call { run: evaluator.run, template, line, input: Value::Null, arguments }),
        None => Err(evaluator.fault(&format!("Function or Macro [{name}] does not exist."), line)),
    }
}

/// Whether a value passes a test.
pub fn test(name: &str, value: &Value) -> Found<bool> {
    let number = |remainder: i64| match value {
        Value::Int(n) => Ok(i64::from(*n).rem_euclid(2) == remainder),
        Value::Long(n) => Ok(n.rem_euclid(2) == remainder),
        other => Err(Fault::cast(other.class(), "java.lang.Long")),
    };
    match name {
        "defined" => Ok(!matches!(value, Value::Null)),
        "null" => Ok(matches!(value, Value::Null)),
        "empty" => Ok(is_empty(value)),
        "even" => number(0),
        "odd" => number(1),
        "iterable" => Ok(matches!(value, Value::List(_)) && !value.is_array()),
        "map" => Ok(matches!(value, Value::Map(_))),
        _ => match value {
            Value::Text(text) => Ok(serde_json::from_str::<serde_json::Value>(text).is_ok()),
            Value::Null => Ok(false),
            _ => Err(Fault::unsupported("`is json` of what is no text is not simulated")),
        },
    }
}

/// What the test `empty` and the filter `default` take for nothing.
pub fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Text(text) => text.trim().is_empty(),
        Value::List(list) if !value.is_array() => list.items.is_empty(),
        Value::Map(map) => map.entries.is_empty(),
        _ => false,
    }
}

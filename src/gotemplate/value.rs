//! What a template's words come to.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::format;

/// A value while a template is expanded.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    /// Names and texts.
    Map(BTreeMap<String, String>),
    /// The same as labels of Grafana: one that is not there has no value, instead of an empty one.
    Labels(BTreeMap<String, String>),
    /// The result of `query`.
    Samples(Vec<(BTreeMap<String, String>, f64)>),
    /// One of them.
    Sample(BTreeMap<String, String>, f64),
    /// What the nodes of a rule of Grafana come to.
    Nodes(BTreeMap<String, (BTreeMap<String, String>, f64)>),
    /// One of them.
    Node(BTreeMap<String, String>, f64),
    /// What `args` makes: `arg0`, `arg1`, ...
    Arguments(Vec<Value>),
    /// An instant, in seconds since 1970.
    Time(f64),
    /// `.` at the outermost: `.Labels`, `.ExternalLabels`, `.ExternalURL`, `.Value`.
    Root,
    /// What only its dialect knows. A copy shares it.
    Object(Arc<dyn Object>),
}

/// A value of a dialect: a part of the data tree that its templates speak of, or what its functions make.
pub(super) trait Object: fmt::Debug + Send + Sync {
    /// To get at the dialect's own type.
    fn any(&self) -> &dyn Any;
    /// What Go calls the type.
    fn type_name(&self) -> &'static str;
    /// What `if` takes for true.
    fn truth(&self) -> bool;
    /// About how many bytes it holds.
    fn size(&self) -> usize;
    /// As `%v` prints it.
    fn print(&self) -> String;
    /// The number it is in Go, as a month is.
    fn number(&self) -> Option<i64> {
        None
    }
    /// The text it is in Go, whatever the type's name.
    fn text(&self) -> Option<&str> {
        None
    }
    /// How many things are in it.
    fn len(&self) -> Option<usize> {
        None
    }
    /// One of them.
    fn index(&self, _by: &Value) -> Result<Value, String> {
        Err(format!("can't index item of type {}", self.type_name()))
    }
    /// From one index to another.
    fn slice(&self, _from: usize, _to: Option<usize>) -> Result<Value, String> {
        Err(format!("can't slice item of type {}", self.type_name()))
    }
    /// What `range` goes over: keys and things.
    fn items(&self) -> Option<Vec<(Value, Value)>> {
        None
    }
}

impl Value {
    /// An object of a dialect.
    pub(super) fn object(of: impl Object + 'static) -> Value {
        Value::Object(Arc::new(of))
    }

    /// What `if` takes for true.
    pub(super) fn truth(&self) -> bool {
        match self {
            Value::Nil => false,
            Value::Bool(it) => *it,
            Value::Int(it) => *it != 0,
            Value::Float(it) => *it != 0.0,
            Value::Text(it) => !it.is_empty(),
            Value::Map(it) | Value::Labels(it) => !it.is_empty(),
            Value::Samples(it) => !it.is_empty(),
            Value::Arguments(it) => !it.is_empty(),
            Value::Nodes(it) => !it.is_empty(),
            Value::Sample(..) | Value::Node(..) | Value::Time(_) | Value::Root => true,
            Value::Object(it) => it.truth(),
        }
    }

    /// About how many bytes it holds.
    pub(super) fn size(&self) -> usize {
        fn map(all: &BTreeMap<String, String>) -> usize {
            all.iter().map(|(key, value)| key.len() + value.len() + 48).sum()
        }
        match self {
            Value::Text(it) => it.len(),
            Value::Map(it) | Value::Labels(it) | Value::Sample(it, _) | Value::Node(it, _) => map(it),
            Value::Samples(it) => it.iter().map(|(labels, _)| map(labels) + 32).sum(),
            Value::Nodes(it) => it.iter().map(|(name, (labels, _))| name.len() + map(labels) + 64).sum(),
            // Each is a step deeper than what it holds: they must not be nested without an end.
            Value::Arguments(it) => it.iter().map(Value::size).sum::<usize>() + 1024,
            Value::Nil | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Time(_) | Value::Root => 16,
            Value::Object(it) => it.size(),
        }
    }

    /// How many bytes a copy of it takes.
    pub(super) fn copied(&self) -> usize {
        match self {
            Value::Object(_) => 16,
            other => other.size(),
        }
    }

    /// As it is printed.
    pub(super) fn print(&self) -> String {
        match self {
            Value::Nil => "<no value>".into(),
            Value::Bool(it) => it.to_string(),
            Value::Int(it) => it.to_string(),
            Value::Float(it) => format::general(*it, None),
            Value::Text(it) => it.clone(),
            Value::Map(it) => {
                let pairs: Vec<String> = it.iter().map(|(key, value)| format!("{key}:{value}")).collect();
                format!("map[{}]", pairs.join(" "))
            }
            Value::Labels(it) => {
                let pairs: Vec<String> = it.iter().map(|(key, value)| format!("{key}={value}")).collect();
                pairs.join(", ")
            }
            Value::Node(_, it) => format::decimal(*it),
            Value::Nodes(it) => {
                let pairs: Vec<String> =
                    it.iter().map(|(name, (_, value))| format!("{name}:{}", format::decimal(*value))).collect();
                format!("map[{}]", pairs.join(" "))
            }
            Value::Time(it) => format::date(*it),
            Value::Sample(..) | Value::Samples(_) | Value::Arguments(_) | Value::Root => "<a composite value>".into(),
            Value::Object(it) => it.print(),
        }
    }

    /// What Go calls its type.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Value::Nil => "nil",
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::Float(_) => "float64",
            Value::Text(_) => "string",
            Value::Object(it) => it.type_name(),
            _ => "a composite value",
        }
    }
}

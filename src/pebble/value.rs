//! Values as a template sees them: Java's kinds, because it shows which kind a number or a date is of.

use std::sync::Arc;

use bigdecimal::BigDecimal;
use indexmap::IndexMap;
use jiff::civil::{Date, DateTime, Time};
use jiff::{SignedDuration, Timestamp, Zoned};

use super::error::{Fault, Found};
use super::limits::{VALUE_DEPTH_MAX, VALUE_MAX};
use crate::java::number;

/// The class of maps read from JSON, and of most others.
pub const LINKED: &str = "java.util.LinkedHashMap";
/// The class of maps whose order is that of hashes.
pub const HASHED: &str = "java.util.HashMap";

/// What a name or an expression stands for.
#[derive(Clone, Debug)]
#[cfg_attr(
    not(feature = "internals"),
    allow(dead_code, reason = "some kinds only come from variables that are given as such")
)]
pub enum Value {
    /// Nothing.
    Null,
    /// `java.lang.Boolean`.
    Bool(bool),
    /// `java.lang.Integer`: whole numbers of JSON, if they are small enough.
    Int(i32),
    /// `java.lang.Long`: whole numbers of a template.
    Long(i64),
    /// `java.lang.Double`.
    Double(f64),
    /// `java.lang.Float`.
    Float(f32),
    /// `java.math.BigDecimal`, also for `BigInteger`.
    Decimal(Arc<BigDecimal>),
    /// `java.lang.String`, and characters.
    Text(Arc<str>),
    /// A list, a set or an array.
    List(Arc<List>),
    /// A map with names as keys.
    Map(Arc<Map>),
    /// `java.time.Instant`.
    Instant(Timestamp),
    /// `java.time.ZonedDateTime`.
    Zoned(Arc<Zoned>),
    /// `java.time.LocalDate`.
    Date(Date),
    /// `java.time.LocalDateTime`.
    DateTime(DateTime),
    /// `java.time.LocalTime`.
    Time(Time),
    /// `java.time.Duration`.
    Duration(SignedDuration),
    /// A constant of an enum: class and name.
    Enum(&'static str, Arc<str>),
    /// `java.net.URI`.
    Uri(Arc<str>),
    /// An array of bytes.
    Bytes(Arc<[u8]>),
    /// An entry of a map that is walked.
    Entry(Arc<(Arc<str>, Value)>),
    /// The variable `loop`.
    Loop(Loop),
}

/// Where a `for` stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loop {
    /// From 0.
    pub index: i32,
    /// Of what is walked.
    pub length: i32,
}

/// A list with its class and what it weighs.
#[derive(Debug)]
pub struct List {
    /// The Java class.
    pub class: &'static str,
    /// The elements.
    pub items: Vec<Value>,
    weight: u64,
    depth: u32,
}

/// A map with its class and what it weighs.
#[derive(Debug)]
pub struct Map {
    /// The Java class.
    pub class: &'static str,
    /// The entries, in the order in which Java walks them.
    pub entries: IndexMap<String, Value>,
    weight: u64,
    depth: u32,
}

/// Weight and depth of what holds these values; fails when it is more than a value may hold.
fn sum<'v>(values: impl Iterator<Item = &'v Value>, names: u64) -> Found<(u64, u32)> {
    let (mut weight, mut depth) = (16 + names, 0);
    for value in values {
        let (inner, below) = value.size();
        weight = weight.saturating_add(inner);
        depth = depth.max(below);
    }
    if weight > VALUE_MAX {
        return Err(Fault::limit(format!("a value of the template holds more than {VALUE_MAX} bytes")));
    }
    if depth >= VALUE_DEPTH_MAX {
        return Err(Fault::limit(format!("a value of the template is nested more than {VALUE_DEPTH_MAX} deep")));
    }
    Ok((weight, depth + 1))
}

impl Value {
    /// A text; fails when it is longer than a value may be.
    pub fn text(text: impl Into<Arc<str>>) -> Found<Value> {
        let text = text.into();
        if text.len() as u64 > VALUE_MAX {
            return Err(Fault::limit(format!("a text of the template is longer than {VALUE_MAX} bytes")));
        }
        Ok(Value::Text(text))
    }
    /// A text that is known to be short.
    pub fn word(text: &str) -> Value {
        Value::Text(text.into())
    }
    /// An `ArrayList`.
    pub fn list(items: Vec<Value>) -> Found<Value> {
        Value::list_of("java.util.ArrayList", items)
    }
    /// An array of texts.
    pub fn array(items: Vec<Value>) -> Found<Value> {
        Value::list_of("[Ljava.lang.String;", items)
    }
    /// A list of a class.
    pub fn list_of(class: &'static str, items: Vec<Value>) -> Found<Value> {
        let (weight, depth) = sum(items.iter(), 0)?;
        Ok(Value::List(Arc::new(List { class, items, weight, depth })))
    }
    /// A map of a class, its entries in the order in which it is walked.
    pub fn map(class: &'static str, entries: IndexMap<String, Value>) -> Found<Value> {
        let names = entries.keys().map(|name| name.len() as u64).sum();
        let (weight, depth) = sum(entries.values(), names)?;
        Ok(Value::Map(Arc::new(Map { class, entries, weight, depth })))
    }
    /// A `HashMap`: entries in order of insertion, walked in order of hashes.
    pub fn hashed(entries: IndexMap<String, Value>, capacity: usize) -> Found<Value> {
        let entries = crate::java::hash::ordered(entries.into_iter().collect(), capacity, |(name, _)| {
            crate::java::hash::text(name)
        });
        Value::map(HASHED, entries.into_iter().collect())
    }
    /// A value of JSON as Jackson reads it.
    pub fn from_json(json: &serde_json::Value) -> Found<Value> {
        Value::read(json, 0, false)
    }
    /// A value of JSON; `drop_nulls` as a worker gets it, where null entries of maps do not arrive.
    pub(super) fn read(json: &serde_json::Value, depth: u32, drop_nulls: bool) -> Found<Value> {
        if depth > VALUE_DEPTH_MAX {
            return Err(Fault::limit(format!("a variable is nested more than {VALUE_DEPTH_MAX} deep")));
        }
        Ok(match json {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(flag) => Value::Bool(*flag),
            serde_json::Value::Number(number) => read_number(number),
            serde_json::Value::String(text) => Value::text(text.as_str())?,
            serde_json::Value::Array(items) => {
                let items: Result<Vec<Value>, _> =
                    items.iter().map(|item| Value::read(item, depth + 1, drop_nulls)).collect();
                Value::list(items?)?
            }
            serde_json::Value::Object(map) => {
                let kept = map.iter().filter(|(_, value)| !(drop_nulls && value.is_null()));
                let entries: Result<IndexMap<String, Value>, _> = kept
                    .map(|(name, value)| Value::read(value, depth + 1, drop_nulls).map(|value| (name.clone(), value)))
                    .collect();
                Value::map(LINKED, entries?)?
            }
        })
    }
    /// Weight in bytes, and depth.
    pub(super) fn size(&self) -> (u64, u32) {
        match self {
            Value::Text(text) | Value::Uri(text) => (16 + text.len() as u64, 0),
            Value::Bytes(bytes) => (16 + bytes.len() as u64, 0),
            Value::List(list) => (list.weight, list.depth),
            Value::Map(map) => (map.weight, map.depth),
            Value::Entry(entry) => {
                let (weight, depth) = entry.1.size();
                (weight.saturating_add(16 + entry.0.len() as u64), depth + 1)
            }
            _ => (16, 0),
        }
    }
    /// The Java class.
    pub fn class(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "java.lang.Boolean",
            Value::Int(_) => "java.lang.Integer",
            Value::Long(_) => "java.lang.Long",
            Value::Double(_) => "java.lang.Double",
            Value::Float(_) => "java.lang.Float",
            Value::Decimal(_) => "java.math.BigDecimal",
            Value::Text(_) => "java.lang.String",
            Value::List(list) => list.class,
            Value::Map(map) => map.class,
            Value::Instant(_) => "java.time.Instant",
            Value::Zoned(_) => "java.time.ZonedDateTime",
            Value::Date(_) => "java.time.LocalDate",
            Value::DateTime(_) => "java.time.LocalDateTime",
            Value::Time(_) => "java.time.LocalTime",
            Value::Duration(_) => "java.time.Duration",
            Value::Enum(class, _) => class,
            Value::Uri(_) => "java.net.URI",
            Value::Bytes(_) => "[B",
            Value::Entry(_) => "java.util.LinkedHashMap$Entry",
            Value::Loop(_) => "io.pebbletemplates.pebble.node.ForNode$LoopVariables",
        }
    }
    /// Whether it is a Java array.
    pub fn is_array(&self) -> bool {
        self.class().starts_with('[')
    }
    /// Whether it is one of Java's numbers.
    pub fn is_number(&self) -> bool {
        matches!(self, Value::Int(_) | Value::Long(_) | Value::Double(_) | Value::Float(_) | Value::Decimal(_))
    }
    /// What `toString` gives; `null` for nothing.
    pub fn java_text(&self) -> String {
        match self {
            Value::Null => "null".to_owned(),
            Value::Bool(flag) => flag.to_string(),
            Value::Int(n) => n.to_string(),
            Value::Long(n) => n.to_string(),
            Value::Double(n) => number::double(*n),
            Value::Float(n) => number::float(*n),
            Value::Decimal(n) => n.to_plain_string(),
            Value::Text(text) | Value::Uri(text) | Value::Enum(_, text) => text.to_string(),
            Value::List(list) if list.class.starts_with('[') => format!("{}@0", list.class),
            Value::List(list) => {
                let items: Vec<String> = list.items.iter().map(Value::java_text).collect();
                format!("[{}]", items.join(", "))
            }
            Value::Map(map) => {
                let entries: Vec<String> =
                    map.entries.iter().map(|(name, value)| format!("{name}={}", value.java_text())).collect();
                format!("{{{}}}", entries.join(", "))
            }
            Value::Bytes(_) => "[B@0".to_owned(),
            Value::Entry(entry) => format!("{}={}", entry.0, entry.1.java_text()),
            Value::Loop(at) => format!(
                "{{last={}, length={}, index={}, revindex={}, first={}}}",
                at.index + 1 == at.length,
                at.length,
                at.index,
                at.length - at.index - 1,
                at.index == 0
            ),
            other => super::dates::java_text(other),
        }
    }
    /// Whether Java's `equals` says so: an `Integer` never equals a `Long`.
    pub fn java_equals(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Null, Value::Null) => true,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Int(a), Value::Int(b)) => a == b,
            (Value::Long(a), Value::Long(b)) => a == b,
            (Value::Double(a), Value::Double(b)) => a.to_bits() == b.to_bits(),
            (Value::Float(a), Value::Float(b)) => a.to_bits() == b.to_bits(),
            (Value::Decimal(a), Value::Decimal(b)) => {
                a == b && a.fractional_digit_count() == b.fractional_digit_count()
            }
            (Value::Text(a), Value::Text(b)) | (Value::Uri(a), Value::Uri(b)) => a == b,
            (Value::List(a), Value::List(b)) => {
                Arc::ptr_eq(a, b)
                    || (!self.is_array()
                        && !other.is_array()
                        && a.items.len() == b.items.len()
                        && a.items.iter().zip(&b.items).all(|(a, b)| a.java_equals(b)))
            }
            (Value::Map(a), Value::Map(b)) => {
                Arc::ptr_eq(a, b)
                    || (a.entries.len() == b.entries.len()
                        && a.entries
                            .iter()
                            .all(|(name, value)| b.entries.get(name).is_some_and(|other| value.java_equals(other))))
            }
            (Value::Instant(a), Value::Instant(b)) => a == b,
            (Value::Zoned(a), Value::Zoned(b)) => a == b && a.time_zone() == b.time_zone(),
            (Value::Date(a), Value::Date(b)) => a == b,
            (Value::DateTime(a), Value::DateTime(b)) => a == b,
            (Value::Time(a), Value::Time(b)) => a == b,
            (Value::Duration(a), Value::Duration(b)) => a == b,
            (Value::Enum(class, a), Value::Enum(other, b)) => class == other && a == b,
            (Value::Entry(a), Value::Entry(b)) => a.0 == b.0 && a.1.java_equals(&b.1),
            _ => false,
        }
    }
}

/// A number as Jackson reads it.
fn read_number(number: &serde_json::Number) -> Value {
    if let Some(whole) = number.as_i64() {
        return i32::try_from(whole).map_or(Value::Long(whole), Value::Int);
    }
    match number.as_u64() {
        Some(whole) => Value::Decimal(Arc::new(BigDecimal::from(whole))),
        None => Value::Double(number.as_f64().unwrap_or(f64::NAN)),
    }
}

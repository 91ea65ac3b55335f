//! The properties of a task, rendered when they are asked for.

use serde_json::{Map, Value};

use super::{Asked, Error};
use crate::pebble::Template;

/// How deep maps and lists of a property may hold each other.
const DEPTH: usize = 64;

/// The properties of one task.
pub(super) struct Properties<'a> {
    pub asked: &'a Asked<'a>,
}

impl Properties<'_> {
    /// A text rendered with the variables of the task.
    pub fn render(&self, text: &str) -> Result<String, Error> {
        let template = Template::parse(text, self.asked.dialect.pebble)?;
        Ok(template.render(self.asked.context, self.asked.host)?)
    }
    fn raw(&self, name: &str) -> Option<&Value> {
        self.asked.properties.get(name).filter(|value| !value.is_null())
    }
    /// A text; numbers and truth values count as what they are written as.
    pub fn text(&self, name: &str) -> Result<Option<String>, Error> {
        self.raw(name).map(|value| self.scalar(name, value)).transpose()
    }
    fn scalar(&self, name: &str, value: &Value) -> Result<String, Error> {
        match value {
            Value::String(text) => self.render(text),
            Value::Bool(_) | Value::Number(_) => Ok(value.to_string()),
            Value::Array(_) | Value::Object(_) => Err(Error::failed(format!("{name}: must be a text"))),
            Value::Null => Ok(String::new()),
        }
    }
    /// A text that must be there, in the words of Kestra's validation.
    pub fn required(&self, name: &str) -> Result<String, Error> {
        self.text(name)?.ok_or_else(|| Error::failed(format!("{name}: must not be null")))
    }
    /// A whole number.
    pub fn whole<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, Error> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        match text.trim().parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(Error::failed(format!("{name}: `{text}` is no whole number in its range"))),
        }
    }
    /// A truth value.
    pub fn flag(&self, name: &str, default: bool) -> Result<bool, Error> {
        Ok(self.text(name)?.map_or(default, |text| text.eq_ignore_ascii_case("true")))
    }
    /// A list of texts; a single text that is a JSON list counts as that list.
    pub fn list(&self, name: &str) -> Result<Option<Vec<String>>, Error> {
        let items = match self.raw(name) {
            None => return Ok(None),
            Some(Value::Array(items)) => items.iter().map(|item| self.scalar(name, item)).collect::<Result<_, _>>()?,
            Some(other) => {
                let text = self.scalar(name, other)?;
                match serde_json::from_str::<Vec<Value>>(&text) {
                    Ok(items) => items.iter().map(plain).collect(),
                    Err(_) => vec![text],
                }
            }
        };
        Ok(Some(items))
    }
    /// A map, its texts rendered, keys too; a text that is a JSON map counts as that map.
    pub fn map(&self, name: &str) -> Result<Option<Map<String, Value>>, Error> {
        let value = match self.raw(name) {
            None => return Ok(None),
            Some(Value::String(text)) => serde_json::from_str(&self.render(text)?).unwrap_or(Value::Null),
            Some(value) => self.deep(value, DEPTH)?,
        };
        match value {
            Value::Object(map) => Ok(Some(map)),
            _ => Err(Error::failed(format!("{name}: must be a map"))),
        }
    }
    /// Any value with its texts rendered.
    pub fn value(&self, name: &str) -> Result<Option<Value>, Error> {
        self.raw(name).map(|value| self.deep(value, DEPTH)).transpose()
    }
    fn deep(&self, value: &Value, left: usize) -> Result<Value, Error> {
        if left == 0 {
            return Err(Error::not_simulated(format!("values that are nested more than {DEPTH} deep")));
        }
        Ok(match value {
            Value::String(text) => self.render(text)?.into(),
            Value::Array(items) => items.iter().map(|item| self.deep(item, left - 1)).collect::<Result<_, _>>()?,
            Value::Object(map) => {
                let entry = |(key, value): (&String, &Value)| Ok((self.render(key)?, self.deep(value, left - 1)?));
                Value::Object(map.iter().map(entry).collect::<Result<_, Error>>()?)
            }
            other => other.clone(),
        })
    }
    /// A part of a map among the properties, as `options.headers`, with its texts rendered.
    pub fn within(&self, name: &str, part: &str) -> Result<Option<Value>, Error> {
        let part = self.raw(name).and_then(|value| value.get(part)).filter(|value| !value.is_null());
        part.map(|value| self.deep(value, DEPTH)).transpose()
    }
}

/// A value as a text: texts without their quotes.
pub(super) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

//! Small JSON bodies: all keys are known, and none is there twice.

use std::collections::BTreeSet;

use axum::body::Bytes;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::{Answered, Refusal};
use crate::document;

/// The keys of a small JSON body, all of which must be known; of a request that takes none it may be empty.
pub(super) fn keys(body: &Bytes, known: &[&str], example: &str) -> Answered<Map<String, Value>> {
    let send = match example {
        "" => "send no body".to_owned(),
        example => format!("send the JSON {example}"),
    };
    if body.trim_ascii().is_empty() && example.is_empty() {
        return Ok(Map::new());
    }
    let value = serde_json::from_slice(body);
    let value: Value = value.map_err(|error| Refusal::bad(format!("the body is no JSON: {error}"), &send))?;
    let Value::Object(object) = value else { return Err(Refusal::bad("the body is no JSON object", &send)) };
    if let Ok(Keys(all)) = serde_json::from_slice(body)
        && let Some(twice) = Keys::twice(&all)
    {
        return Err(Refusal::bad(format!("`{twice}` is given more than once"), send));
    }
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        None => Ok(object),
        Some(key) => {
            let instead = document::nearest(key, known.iter().copied());
            let instead = instead.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
            Err(Refusal::bad(format!("`{key}` is no key of this request"), instead + &send))
        }
    }
}

/// The keys of a JSON object as they stand there, one that is there twice too.
struct Keys(Vec<String>);

impl Keys {
    /// The first that is there twice.
    fn twice(all: &[String]) -> Option<&str> {
        let mut seen = BTreeSet::new();
        all.iter().find(|key| !seen.insert(key.as_str())).map(String::as_str)
    }
}

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Keys, D::Error> {
        deserializer.deserialize_map(Keys(Vec::new()))
    }
}

impl<'de> Visitor<'de> for Keys {
    type Value = Keys;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Keys, A::Error> {
        while let Some((key, IgnoredAny)) = map.next_entry()? {
            self.0.push(key);
        }
        Ok(self)
    }
}

/// The key that a small JSON body must have.
pub(super) fn field<'b>(body: &'b Map<String, Value>, name: &str, example: &str) -> Answered<&'b Value> {
    let missing = || Refusal::bad(format!("the body has no \"{name}\""), format!("send the JSON {example}"));
    body.get(name).ok_or_else(missing)
}

/// A switch of a small JSON body, off when it is left out.
pub(super) fn switch(body: &Map<String, Value>, name: &str) -> Answered<bool> {
    match body.get(name) {
        None => Ok(false),
        Some(Value::Bool(on)) => Ok(*on),
        Some(other) => Err(Refusal::bad(format!("`{name}` is {other}"), "send true or false")),
    }
}

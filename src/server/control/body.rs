//! Small JSON bodies: all keys are known, and none is there twice.

use std::collections::BTreeSet;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::operations::Form;
use super::{Answered, MAX_BODY, Refusal};
use crate::document;

/// The body of a request, up to the limit. What the framework refuses is told as all else is.
#[derive(Debug)]
pub(super) struct Content(pub(super) Bytes);

impl<S: Send + Sync> FromRequest<S> for Content {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Answered<Content> {
        let body = Bytes::from_request(request, state).await;
        body.map(Content).map_err(|why| match why.status() {
            StatusCode::PAYLOAD_TOO_LARGE => {
                let message = format!("the body is larger than {} MiB", MAX_BODY >> 20);
                Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, message, "send a smaller one")
            }
            status => Refusal::new(status, why.body_text(), "send the request again"),
        })
    }
}

/// The variable part of a path.
#[derive(Debug)]
pub(super) struct Named(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Answered<Named> {
        let name = Path::<String>::from_request_parts(parts, state).await;
        let advice = "write what is no letter or digit as the %XX of its bytes in UTF-8";
        name.map(|Path(name)| Named(name)).map_err(|why| Refusal::new(why.status(), why.body_text(), advice))
    }
}

/// The keys of a small JSON body, all of which must be known; where it may be left out, there are none then.
pub(super) fn keys(body: &Bytes, form: &Form) -> Answered<Map<String, Value>> {
    let send = match form.example {
        "" => "send no body".to_owned(),
        example => format!("send the JSON {example}"),
    };
    if body.trim_ascii().is_empty() && form.optional {
        return Ok(Map::new());
    }
    let value: Value = serde_json::from_slice(body).map_err(|error| Refusal::no_json(&error, &send))?;
    let Value::Object(object) = value else { return Err(Refusal::bad("the body is no JSON object", &send)) };
    if let Ok(Keys(all)) = serde_json::from_slice(body)
        && let Some(twice) = Keys::twice(&all)
    {
        return Err(Refusal::bad(format!("`{twice}` is given more than once"), send));
    }
    let known = || form.fields.iter().map(|field| field.key);
    match object.keys().find(|key| known().all(|known| known != key.as_str())) {
        None => Ok(object),
        Some(key) => {
            let instead = document::nearest(key, known());
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
pub(super) fn field<'b>(body: &'b Map<String, Value>, name: &str, form: &Form) -> Answered<&'b Value> {
    let missing = || Refusal::bad(format!("the body has no \"{name}\""), format!("send the JSON {}", form.example));
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

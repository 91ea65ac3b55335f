//! Reads endpoints.

use std::borrow::Cow;

use super::Layer;
use super::answers::{one, text};
use super::fields::{ENDPOINT, FIXED};
use super::meters::roles;
use crate::document::{Node, Reading, Value};
use crate::profile::endpoint::{Endpoint, Fixed, Handler, Method, Port, Says};

/// One endpoint; bodies that are files come from the folders of the layers, the own one first.
pub(super) fn endpoint(reading: &mut Reading, node: &Node, layers: &[Layer]) -> Option<Endpoint> {
    let object = reading.object(node, "an endpoint", ENDPOINT)?;
    let path = object.get("path").and_then(|node| reading.parsed(node, "`path`", path))?;
    let method = match object.get("method") {
        Some(node) => reading.choice(node, "method", Method::WORDS)?,
        None => Method::Get,
    };
    let port = match object.get("port") {
        Some(node) => reading.choice(node, "port", Port::WORDS)?,
        None => Port::Management,
    };
    let says = match (object.entry("handler"), object.get("answers")) {
        (Some(handler), Some(_)) => {
            reading.error(&handler.place, "an endpoint has either `handler` or `answers`", "keep one of them");
            return None;
        }
        (Some(_), None) => Says::Handler(one(reading, &object, "handler", "handler", Handler::WORDS)?),
        (None, Some(node)) => Says::Fixed(fixed(reading, node, layers)?),
        (None, None) => {
            let advice = "add `answers: { type: application/json, body: '{}' }`, or the handler that makes one";
            reading.error(&node.place, format!("{path} has neither `handler` nor `answers`"), advice);
            return None;
        }
    };
    let queue = object.get("queue").map(|node| reading.choice(node, "kind of queue", &[("kafka", true)]));
    Some(Endpoint {
        path,
        method,
        port,
        roles: object.get("roles").map_or_else(Vec::new, |node| roles(reading, node)),
        kafka: queue.flatten().unwrap_or(false),
        says,
        java: text(reading, &object, "java"),
    })
}

/// Variables are the last parts of a path, whole ones.
fn path(text: &str) -> Result<String, String> {
    let advice = "write it from the slash on, variables as whole parts at its end: /loggers/{name}";
    let Some(rest) = text.strip_prefix('/') else { return Err(advice.to_owned()) };
    let variable = |part: &str| part.starts_with('{') && part.ends_with('}') && part.matches(['{', '}']).count() == 2;
    let fixed = |part: &str| !part.contains(['{', '}', ' ', '?']);
    let last = rest.split('/').skip_while(|part| fixed(part));
    if last.clone().all(variable) { Ok(text.to_owned()) } else { Err(advice.to_owned()) }
}

fn fixed(reading: &mut Reading, node: &Node, layers: &[Layer]) -> Option<Fixed> {
    let object = reading.object(node, "`answers`", FIXED)?;
    let status = match object.get("status") {
        Some(node) => reading.count(node, "`status`", 200..=599)? as u16,
        None => 200,
    };
    let mut headers = Vec::new();
    match object.get("headers").map(|node| (node, &node.value)) {
        None => {}
        Some((_, Value::Mapping(entries))) => {
            for entry in entries {
                let value = reading.text(&entry.value, "the value of a header")?;
                let name = !entry.key.is_empty() && entry.key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
                if !name || value.chars().any(char::is_control) {
                    reading.error(&entry.place, format!("`{}` is no header", entry.key), "write `location: /ui/`");
                    return None;
                }
                headers.push((entry.key.clone(), value.to_owned()));
            }
        }
        Some((node, other)) => {
            let what = format!("`headers` must be a mapping, not {}", other.describe());
            reading.error(&node.place, what, "write for example `{ location: /ui/ }`");
            return None;
        }
    }
    let body = match (object.get("file"), text(reading, &object, "body")) {
        (Some(node), None) => {
            let name = reading.text(node, "`file`")?;
            let found = layers.iter().find_map(|layer| layer.folder.file(name));
            if found.is_none() {
                let there = layers.iter().flat_map(|layer| layer.folder.files.iter().map(|(name, _)| *name));
                reading.unknown(&node.place, "file of the version", name, there);
            }
            Cow::Borrowed(found?)
        }
        (Some(node), Some(_)) => {
            reading.error(&node.place, "an answer has either `body` or `file`", "keep one of them");
            return None;
        }
        (None, body) => Cow::Owned(body.unwrap_or_default()),
    };
    let reason = text(reading, &object, "reason").unwrap_or_else(|| "OK".to_owned());
    let file = text(reading, &object, "file");
    Some(Fixed { status, reason, headers, content_type: text(reading, &object, "type"), body, file })
}

//! Kinds that send all data, and values that are templates wherever they stand.

use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::draft::Draft;
use super::{Message, Version};
use crate::document::{self, Source, Value};
use crate::gotemplate::alertmanager::Release;

/// Values inside of values.
const MAX_DEPTH: usize = 32;
/// Bytes of a body that incident.io takes: `maxPayloadSize`.
const INCIDENT_SIZE: usize = 512 * 1024;

/// The data, with what stands around it.
fn body(draft: &Draft<'_>, version: &str) -> Result<Map<String, Json>, String> {
    let release: Release = draft.version.into();
    let data: Json = serde_json::from_str(&draft.data.json(release)).map_err(|why| why.to_string())?;
    let Json::Object(mut body) = data else { return Ok(Map::new()) };
    body.insert("version".into(), version.into());
    body.insert("groupKey".into(), draft.notification.group_key.clone().into());
    body.insert("truncatedAlerts".into(), draft.left_out.into());
    Ok(body)
}

fn sent(fields: Map<String, Json>, mut notes: Vec<String>, left_out: usize) -> Message {
    if left_out > 0 {
        notes.push(format!("max_alerts leaves out {left_out} alerts"));
    }
    let text = Json::Object(fields.clone()).to_string();
    Message { title: String::new(), text, fields, notes }
}

/// A webhook: all data as JSON, or what `payload` says.
pub(super) fn webhook(draft: &Draft<'_>) -> Result<Message, String> {
    let fields = match draft.settings.get("payload") {
        Some(payload) if !payload.is_null() && draft.version > Version::V0_25 => {
            match embedded(draft, payload, 0).map_err(|why| format!("payload: {why}"))? {
                Json::Object(fields) => fields,
                other => {
                    let text = other.to_string();
                    let notes = vec!["the payload is no mapping: it is sent as it is".to_owned()];
                    return Ok(Message { text, notes, ..Message::default() });
                }
            }
        }
        _ => body(draft, "4")?,
    };
    Ok(sent(fields, Vec::new(), draft.left_out))
}

/// The same for incident.io, which takes no large body.
pub(super) fn incidentio(draft: &Draft<'_>) -> Result<Message, String> {
    let mut fields = body(draft, "1")?;
    let mut notes = Vec::new();
    // The real one ends with a line.
    if Json::Object(fields.clone()).to_string().len() + 1 > INCIDENT_SIZE
        && let Some(Json::Array(alerts)) = fields.get_mut("alerts")
    {
        alerts.truncate(1);
        notes.push(format!("larger than {} KiB: all alerts but the first are left out", INCIDENT_SIZE >> 10));
    }
    Ok(sent(fields, notes, draft.left_out))
}

/// A value with all templates in it expanded. A text that comes to YAML becomes what it says.
pub(super) fn embedded(draft: &Draft<'_>, value: &Json, depth: usize) -> Result<Json, String> {
    if depth > MAX_DEPTH {
        return Err(format!("values are nested more than {MAX_DEPTH} deep"));
    }
    Ok(match value {
        Json::String(text) => {
            let text = draft.templates.text(text, &draft.data)?;
            // Since 0.35 what a text comes to is final, and a text of JSON is without its quotes.
            let is_final = draft.version >= Version::V0_35;
            match read(&text) {
                Some(Json::String(inner)) if is_final && serde_json::from_str::<Json>(&text).is_ok() => inner.into(),
                Some(Json::String(_)) | None => Json::String(text),
                Some(inner) if is_final => inner,
                Some(inner) => embedded(draft, &inner, depth + 1)?,
            }
        }
        Json::Array(all) => {
            let all: Result<Vec<Json>, String> = all.iter().map(|it| embedded(draft, it, depth + 1)).collect();
            Json::Array(all?)
        }
        Json::Object(all) => {
            let mut out = Map::new();
            for (key, value) in all {
                out.insert(draft.templates.text(key, &draft.data)?, embedded(draft, value, depth + 1)?);
            }
            Json::Object(out)
        }
        other => other.clone(),
    })
}

/// A text as YAML; none where it is none.
fn read(text: &str) -> Option<Json> {
    let source = Arc::new(Source { name: "a template's text".into(), text: text.to_owned() });
    let Some(first) = document::parse_go(&source).into_iter().next() else { return Some(Json::Null) };
    if !first.diagnostics.is_empty() {
        return None;
    }
    first.root.map(|root| json(&root.value))
}

fn json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Scalar { text, plain: true } => resolved(text),
        Value::Scalar { text, plain: false } => Json::String(text.clone()),
        Value::Sequence(all) => Json::Array(all.iter().map(|it| json(&it.value)).collect()),
        Value::Mapping(all) => Json::Object(all.iter().map(|it| (it.key.clone(), json(&it.value.value))).collect()),
    }
}

/// What a word without quotes is in YAML 1.1, as Go reads it.
fn resolved(text: &str) -> Json {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Json::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "true" | "True" | "TRUE" => return Json::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" | "false" | "False" | "FALSE" => {
            return Json::Bool(false);
        }
        _ => {}
    }
    let plain = text.replace('_', "");
    let (negative, digits) = match plain.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, plain.strip_prefix('+').unwrap_or(&plain)),
    };
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return Json::String(text.to_owned());
    }
    let (radix, number) = match (digits.strip_prefix("0x"), digits.strip_prefix("0b"), digits.strip_prefix('0')) {
        (Some(rest), ..) => (16, rest),
        (_, Some(rest), _) => (2, rest),
        (_, _, Some(rest)) if !rest.is_empty() && rest.bytes().all(|c| c.is_ascii_digit()) => (8, rest),
        _ => (10, digits),
    };
    let whole = Some(number).filter(|it| !it.is_empty() && it.bytes().all(|c| c.is_ascii_alphanumeric()));
    if let Some(whole) = whole.and_then(|it| i64::from_str_radix(it, radix).ok()) {
        return Json::from(if negative { -whole } else { whole });
    }
    if radix != 10 && radix != 8 {
        return Json::String(text.to_owned());
    }
    let shape = digits.bytes().all(|c| c.is_ascii_digit() || matches!(c, b'.' | b'e' | b'E' | b'+' | b'-'));
    let float = plain.parse::<f64>().ok().filter(|it| shape && it.is_finite());
    // Go writes a whole one without a fraction.
    match float {
        Some(it) if it.fract() == 0.0 && it.abs() < 1e15 => Json::from(it as i64),
        Some(it) => serde_json::Number::from_f64(it).map_or_else(|| Json::String(text.to_owned()), Json::Number),
        None => Json::String(text.to_owned()),
    }
}

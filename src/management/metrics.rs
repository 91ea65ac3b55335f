//! `/prometheus` and `/metrics`: the two ways to read a member's registry.

use serde_json::{Value, json};

use super::error::{Error, Kind};
use super::reply::Reply;
use super::{Context, Handled, Request};
use crate::metrics::{Measured, java_double};

/// The content type of `/prometheus`, with a space.
pub(super) const TEXT: &str = "text/plain; version=0.0.4";

/// Why a request does not accept the one type there is.
pub(super) fn not_acceptable(request: &Request, href: &str) -> Option<Error> {
    let accepted: Vec<&str> = request.list("accept").filter(|entry| entry.contains('/')).collect();
    let fits = |entry: &&str| ["text/plain", "*/*"].contains(&bare(entry).as_str());
    if accepted.is_empty() || accepted.iter().any(fits) {
        return None;
    }
    let detail = format!("Specified Accept Types [{}] not supported. Supported types: [{TEXT}]", accepted.join(", "));
    Some(Error::new(Kind::NotAcceptable, &detail, href))
}

/// A type without its parameters.
fn bare(entry: &str) -> String {
    entry.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// `GET /prometheus`: always the same text; the first accepted type is echoed when it is text/plain.
pub(super) fn prometheus(context: &Context<'_>) -> Handled {
    let accepted: Vec<&str> = context.request.list("accept").filter(|entry| entry.contains('/')).collect();
    let content_type = accepted.first().copied().filter(|entry| bare(entry) == "text/plain").unwrap_or(TEXT);
    let mut body = Vec::new();
    context.process.registry().render(&context.simulation.look(context.index), &mut body);
    Ok(Reply::ok(content_type, body))
}

/// `GET /metrics`.
pub(super) fn names(context: &Context<'_>) -> Handled {
    Ok(Reply::json(json!({ "names": context.process.registry().names() }).to_string()))
}

/// `GET /metrics/{name}?tag=key:value`; several tags must all fit.
pub(super) fn one(context: &Context<'_>) -> Handled {
    let mut tags = Vec::new();
    for tag in context.target.parameters("tag") {
        match tag.split(':').collect::<Vec<_>>()[..] {
            [key, value] => tags.push((key.to_owned(), value.to_owned())),
            _ => {
                let detail = "Argument [List tags] not satisfied: Tags must be in the form key:value";
                return Err(Error::internal(detail, context.target.href).into());
            }
        }
    }
    let look = context.simulation.look(context.index);
    let measured = context.process.registry().measure(&context.variable, &tags, &look);
    let measured = measured.ok_or_else(|| Error::no_such(context.target.href))?;
    let profile = context.member.profile();
    let meter = profile.meter(&context.variable).and_then(|id| profile.meter_of(id));
    Ok(Reply::json(show(&context.variable, &measured, meter.and_then(|meter| meter.listed_unit.as_deref()))))
}

/// The body, with a unit of its own where it has one; numbers have Java's form, and what is no number is text.
fn show(name: &str, measured: &Measured, own_unit: Option<&str>) -> String {
    let text = |text: &str| Value::from(text).to_string();
    let number = |value: f64| {
        let mut digits = Vec::new();
        java_double(value, &mut digits);
        let digits = String::from_utf8_lossy(&digits).into_owned();
        if value.is_finite() { digits } else { text(&digits) }
    };
    let measurements: Vec<String> = measured
        .measurements
        .iter()
        .map(|(statistic, value)| format!(r#"{{"statistic":"{statistic}","value":{}}}"#, number(*value)))
        .collect();
    let tags = measured.tags.iter().map(|(tag, values)| json!({ "tag": tag, "values": values })).collect::<Value>();
    let mut body =
        format!(r#"{{"name":{},"measurements":[{}],"availableTags":{tags}"#, text(name), measurements.join(","));
    let unit = own_unit.or(measured.base_unit.as_deref()).filter(|unit| !unit.is_empty());
    for (key, value) in [("description", measured.description.as_deref()), ("baseUnit", unit)] {
        if let Some(value) = value {
            body += &format!(r#","{key}":{}"#, text(value));
        }
    }
    body + "}"
}

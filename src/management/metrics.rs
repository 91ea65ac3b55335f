//! `/prometheus` and `/metrics`: the two ways to read a member's registry.

use serde_json::{Value, json};

use super::reply::Reply;
use super::{Context, Handled};
use crate::simulator::Simulation;

/// The content type of `/prometheus`, with a space.
pub(super) const TEXT: &str = "text/plain; version=0.0.4";

/// A registry at an instant.
trait Source {
    /// Writes the Prometheus text.
    fn render(&self, out: &mut Vec<u8>);
    /// Dotted names, sorted.
    fn names(&self) -> Vec<String>;
    /// All meters of a name that have all these tags, merged.
    fn measure(&self, name: &str, tags: &[(String, String)]) -> Option<Measured>;
}

/// What `/metrics/{name}` shows of a meter.
#[derive(Clone, Debug, Default, PartialEq)]
struct Measured {
    name: String,
    /// Statistic and value in Java's number form.
    measurements: Vec<(String, String)>,
    /// Tags that were not asked for, and their values.
    available_tags: Vec<(String, Vec<String>)>,
    description: Option<String>,
    base_unit: Option<String>,
}

/// The registry of a member. A member without one has no meters.
fn source(_simulation: &Simulation, _member: usize) -> impl Source {
    NoMeters
}

struct NoMeters;

impl Source for NoMeters {
    fn render(&self, _: &mut Vec<u8>) {}
    fn names(&self) -> Vec<String> {
        Vec::new()
    }
    fn measure(&self, _: &str, _: &[(String, String)]) -> Option<Measured> {
        None
    }
}

/// `GET /prometheus`: always the same text; the first accepted type is echoed when it is text/plain.
pub(super) fn prometheus(context: &Context<'_>) -> Handled {
    let accepted: Vec<&str> = context.request.list("accept").filter(|entry| entry.contains('/')).collect();
    let bare = |entry: &str| entry.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let fits = |entry: &&str| ["text/plain", "*/*"].contains(&bare(entry).as_str());
    if !accepted.is_empty() && !accepted.iter().any(fits) {
        let detail =
            format!("Specified Accept Types [{}] not supported. Supported types: [{TEXT}]", accepted.join(", "));
        return Ok(Reply::error(406, "Not Acceptable", &detail, context.target.href));
    }
    let content_type = accepted.first().copied().filter(|entry| bare(entry) == "text/plain").unwrap_or(TEXT);
    let mut body = Vec::new();
    source(context.simulation, context.index).render(&mut body);
    Ok(Reply::ok(content_type, body))
}

/// `GET /metrics`.
pub(super) fn names(context: &Context<'_>) -> Handled {
    Ok(Reply::json(json!({ "names": source(context.simulation, context.index).names() }).to_string()))
}

/// `GET /metrics/{name}?tag=key:value`; several tags must all fit.
pub(super) fn one(context: &Context<'_>) -> Handled {
    one_of(&source(context.simulation, context.index), context)
}

fn one_of(source: &impl Source, context: &Context<'_>) -> Handled {
    let mut tags = Vec::new();
    for tag in context.target.parameters("tag") {
        match tag.split(':').collect::<Vec<_>>()[..] {
            [key, value] => tags.push((key.to_owned(), value.to_owned())),
            _ => {
                let detail = "Argument [List tags] not satisfied: Tags must be in the form key:value";
                return Ok(Reply::exception(500, detail, context.target.href));
            }
        }
    }
    let measured = source.measure(&context.variable, &tags);
    Ok(measured.map_or_else(|| Reply::not_found(context.target.href), |measured| Reply::json(show(&measured))))
}

/// The body; numbers keep Java's form, what is no number is text.
fn show(measured: &Measured) -> String {
    let text = |text: &str| Value::from(text).to_string();
    let number =
        |value: &str| if value.parse::<f64>().is_ok_and(f64::is_finite) { value.to_owned() } else { text(value) };
    let measurements: Vec<String> = measured
        .measurements
        .iter()
        .map(|(statistic, value)| format!(r#"{{"statistic":{},"value":{}}}"#, text(statistic), number(value)))
        .collect();
    let tags: Vec<Value> =
        measured.available_tags.iter().map(|(tag, values)| json!({ "tag": tag, "values": values })).collect();
    let mut body = format!(
        r#"{{"name":{},"measurements":[{}],"availableTags":{}"#,
        text(&measured.name),
        measurements.join(","),
        Value::from(tags)
    );
    for (key, value) in [("description", &measured.description), ("baseUnit", &measured.base_unit)] {
        if let Some(value) = value {
            body += &format!(r#","{key}":{}"#, text(value));
        }
    }
    body + "}"
}
